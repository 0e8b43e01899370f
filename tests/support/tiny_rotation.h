#pragma once

#include <numeric>

#include "tests/support/tiny_model.h"

namespace torquant {

// Rows of 20 numbers, of which 3 heads of 6 from the second number on are turned; 2 to 7 tokens.
class TinyRotation : public TinyLayers {
 public:
  static constexpr size_t kHeads = 3, kSize = 6, kBegin = 1, kRow = 20, kMostTokens = 7;

  TinyRotation() {
    using namespace format;
    const ValueIndex x = add("x", {1, 2, kRow}, ValueType::kFloat32);
    const ValueIndex cos = add("cos", {1, 2, kSize}, ValueType::kFloat32);
    const ValueIndex sin = add("sin", {1, 2, kSize}, ValueType::kFloat32);
    const ValueIndex y = add("y", {1, 2, kHeads * kSize}, ValueType::kFloat32);
    for (Value& value : model.values) value.growth = {0, 1, 0};
    for (size_t i = 0; i < cos_.size(); ++i) {
      cos_[i] = static_cast<float>(i % 13) / 8 - 0.5f;
      sin_[i] = static_cast<float>(i % 11) / 8 - 0.75f;
    }
    model.values[cos].constant = cos_, model.values[sin].constant = sin_;
    model.nodes.push_back({"rotate", Rotate{{x, kBegin}, cos, sin, y, kHeads, kSize}});
    model.inputs = {x}, model.outputs = {y};
    model.most_batch = 3;
    model.least_length = 2, model.most_length = kMostTokens;
  }

 private:
  std::vector<float> cos_ = std::vector<float>(kMostTokens * kSize), sin_ = cos_;
};

}  // namespace torquant
