#pragma once

#include <string>

#include "torquant/format/rules.h"

namespace torquant::format {

// The rules of nodes that compute on floats, or on integers that are none of a grid's. Each gives what is wrong, or
// nothing.
class FloatRules : public Rules {
 public:
  using Rules::Rules;

  std::string operator()(const FloatMap& node) const;
  std::string operator()(const FloatBinary& node) const;
  std::string operator()(const FloatMean& node) const;
  std::string operator()(const Softmax& node) const;
  std::string operator()(const FromIntegers& node) const;
  std::string operator()(const Embedding& node) const;
  std::string operator()(const Normalize& node) const;
  std::string operator()(const DynamicLinear& node) const;
  std::string operator()(const Attention& node) const;
  std::string operator()(const Rotate& node) const;
  std::string operator()(const FloatLayer& node) const;
  std::string operator()(const FloatPool& node) const;

 private:
  // Of images whose channels lie last.
  std::string float_windows_fit(const Windows& windows, ValueIndex input, ValueIndex output) const;
};

}  // namespace torquant::format
