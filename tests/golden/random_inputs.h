#pragma once

#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>

#include <vector>

#include "torquant/graph/program.h"

namespace torquant::golden {

// Random inputs in the shapes of the example; integers are small, as indices must be.
inline std::vector<c10::IValue> random_inputs(const Program& program) {
  std::vector<c10::IValue> inputs;
  for (const Value* input : program.user_inputs()) {
    std::vector<int64_t> sizes;
    for (const Dim& size : input->tensor().sizes) sizes.push_back(hint_of(size).value());
    const at::ScalarType dtype = input->tensor().dtype;
    inputs.emplace_back(at::isFloatingType(dtype) ? at::randn(sizes).to(dtype) : at::randint(0, 4, sizes).to(dtype));
  }
  return inputs;
}

}  // namespace torquant::golden
