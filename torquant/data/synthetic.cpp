#include "torquant/data/synthetic.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>

#include <utility>
#include <vector>

#include "torquant/core/error.h"
#include "torquant/graph/input_check.h"

namespace torquant {
namespace {

struct InputType {
  at::ScalarType dtype;
  std::vector<int64_t> sizes;
};

InputType type_of(const Program& program, const Value& input) {
  const std::string where = "made-up data for input " + input.name();
  if (!input.is_tensor()) throw Error({.where = where, .what = "is no tensor"});
  const TensorMeta& meta = input.tensor();
  if (c10::isComplexType(meta.dtype) || c10::isFloat8Type(meta.dtype) || c10::isQIntType(meta.dtype)) {
    throw Error({.where = where,
                 .what = fmt::format("dtype {}", c10::toString(meta.dtype)),
                 .allowed = "floats of 16 bits or more, integers, bool"});
  }
  InputType type = {.dtype = meta.dtype, .sizes = {}};
  for (const Dim& dim : meta.sizes) {
    const std::optional<int64_t> size = hint_of(dim);
    if (!size) {
      throw Error({.where = where,
                   .what = fmt::format("the archive names no example for sizes {}", allowed_sizes(program, meta)),
                   .hint = "give data"});
    }
    type.sizes.push_back(*size);
  }
  return type;
}

class SyntheticDataset : public Dataset {
 public:
  SyntheticDataset(std::vector<InputType> inputs, int64_t samples)
      : Dataset("synthetic", samples), inputs_(std::move(inputs)) {}

 private:
  Sample load(int64_t index) const override {
    const at::Generator generator = at::detail::createCPUGenerator(static_cast<uint64_t>(index));
    Sample sample;
    for (const InputType& input : inputs_) {
      const at::Tensor values =
          c10::isFloatingType(input.dtype) ? at::randn(input.sizes, generator) : at::randint(2, input.sizes, generator);
      sample.inputs.push_back(values.to(input.dtype));
    }
    return sample;
  }

  std::vector<InputType> inputs_;
};

}  // namespace

std::unique_ptr<Dataset> make_synthetic_dataset(const Program& program, int64_t samples) {
  std::vector<InputType> inputs;
  for (const Value* input : program.user_inputs()) inputs.push_back(type_of(program, *input));
  return std::make_unique<SyntheticDataset>(std::move(inputs), samples);
}

}  // namespace torquant
