#include "torquant/quantizer/batch_norms_to_convolutions.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/zeros_like.h>

#include <vector>

#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"

namespace torquant {
namespace {

using Ints = std::vector<int64_t>;

void rewrite(Program& program, Node& node) {
  Value* input = node.input("input");
  if (bool_arg(node, "training") || !input->is_tensor()) return;
  const size_t rank = input->tensor().rank();
  if (rank != 3 && rank != 4) return;
  const at::Tensor *mean = program.tensor_of(node.input("running_mean")),
                   *variance = program.tensor_of(node.input("running_var"));
  const at::Tensor *gamma = program.tensor_of(node.input("weight")), *beta = program.tensor_of(node.input("bias"));
  const bool computed =
      (gamma == nullptr && node.input("weight") != nullptr) || (beta == nullptr && node.input("bias") != nullptr);
  if (mean == nullptr || variance == nullptr || computed || mean->scalar_type() != at::kFloat) return;

  const at::NoGradGuard no_grad;
  const at::Tensor scale =
      at::rsqrt(*variance + double_arg(node, "eps")) * (gamma == nullptr ? at::ones_like(*mean) : *gamma);
  const at::Tensor bias = (beta == nullptr ? at::zeros_like(*mean) : *beta) - *mean * scale;
  const int64_t channels = mean->numel();
  Ints sizes(rank, 1);
  sizes[0] = channels;
  const std::string path = node.module_path().empty() ? node.name() : node.module_path();
  Value* weight = program.add_parameter(program.unique_state_name(path + ".taps"), scale.reshape(sizes));
  Value* shift = program.add_parameter(program.unique_state_name(path + ".shift"), bias);
  node.set_op(rank == 4 ? ops::kConv2d : ops::kConv1d);
  node.set_args({{"input", input}, {"weight", weight}, {"bias", shift}, {"groups", channels}});
}

}  // namespace

void batch_norms_to_convolutions(Program& program) {
  for (Node& node : program.graph()) {
    if (node.op() == ops::kBatchNorm) rewrite(program, node);
  }
}

}  // namespace torquant
