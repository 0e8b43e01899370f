#include "torquant/quantizer/scalars_to_tensors.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>

#include "torquant/graph/ops.h"

namespace torquant {

void scalars_to_tensors(Program& program) {
  int number = 0;
  for (Node& node : program.graph()) {
    if (node.op() != ops::kAdd && node.op() != ops::kMul) continue;
    const Value* output = node.output();
    if (output == nullptr || !output->is_tensor() || !at::isFloatingType(output->tensor().dtype)) continue;
    for (const char* name : {"self", "other"}) {
      const Argument* operand = node.find_arg(name);
      if (operand == nullptr) continue;
      const auto* real = std::get_if<double>(operand);
      const auto* integer = std::get_if<int64_t>(operand);
      if (real == nullptr && integer == nullptr) continue;
      const double scalar = real != nullptr ? *real : static_cast<double>(*integer);
      std::string state_name;
      do {
        state_name = fmt::format("_tensor_constant_{}", number++);
      } while (program.find_state(state_name) != nullptr);
      node.set_arg(name, program.add_buffer(state_name, at::scalar_tensor(scalar, at::kFloat)));
    }
  }
}

}  // namespace torquant
