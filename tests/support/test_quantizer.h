#pragma once

#include <functional>
#include <string>
#include <utility>

#include "torquant/quantizer/quantizer.h"

namespace torquant {

// A quantizer whose annotations are those of a function.
class TestQuantizer : public Quantizer {
 public:
  using Annotate = std::function<void(const Program&, Annotations&)>;
  explicit TestQuantizer(Annotate annotate) : annotate_(std::move(annotate)) {}

  void annotate(const Program& program, Annotations& annotations) override { annotate_(program, annotations); }
  std::string name() const override { return "TestQuantizer"; }

 private:
  Annotate annotate_;
};

}  // namespace torquant
