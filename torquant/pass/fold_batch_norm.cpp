#include "torquant/pass/fold_batch_norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"

namespace torquant {
namespace {

// A batch norm behind a layer, with everything that folding needs.
struct Match {
  Node* layer = nullptr;
  Node* batch_norm = nullptr;
  const at::Tensor* weight = nullptr;
  const at::Tensor* bias = nullptr;   // null: the layer has none
  const at::Tensor* gamma = nullptr;  // null: not affine
  const at::Tensor* beta = nullptr;
  const at::Tensor* mean = nullptr;
  const at::Tensor* variance = nullptr;
  double eps = 0;
};

bool is_foldable_layer(const OpId& op) { return ops::is_conv(op) || ops::is_conv_transpose(op) || op == ops::kLinear; }

// The reason for which the batch norm stays; fills `match` otherwise.
std::optional<std::string> match_batch_norm(const Program& program, Node& node, Match& match) {
  if (bool_arg(node, "training")) return "it is in training mode: its statistics are those of each batch";
  match.batch_norm = &node;
  match.layer = node.input("input")->producer();
  if (node.input("input")->users().size() != 1) {
    const std::vector<Node*>& users = node.input("input")->users();
    const Node* other = users[0] == &node ? users[1] : users[0];
    return fmt::format("the output of %{} also feeds %{}, which would see the folded values", match.layer->name(),
                       other->name());
  }
  if (match.layer->op() == ops::kLinear) {
    const Value* input = match.layer->input("input");
    if (input->is_tensor() && input->tensor().rank() > 2) {
      return fmt::format("the linear layer %{} has {}-D inputs: its features are not the batch norm's channels",
                         match.layer->name(), input->tensor().rank());
    }
  }
  const auto constant = [&](const Node& from, const char* name, const at::Tensor*& tensor) {
    const Value* value = from.input(name);
    tensor = program.tensor_of(value);
    return value == nullptr || tensor != nullptr;
  };
  for (const auto& [from, name, target] :
       {std::tuple{match.layer, "weight", &match.weight}, std::tuple{match.layer, "bias", &match.bias},
        std::tuple{&node, "weight", &match.gamma}, std::tuple{&node, "bias", &match.beta},
        std::tuple{&node, "running_mean", &match.mean}, std::tuple{&node, "running_var", &match.variance}}) {
    if (!constant(*from, name, *target)) {
      return fmt::format("\"{}\" of %{} is computed, not a constant", name, from->name());
    }
  }
  if (match.weight == nullptr) return fmt::format("the weight of %{} is missing", match.layer->name());
  if (match.mean == nullptr || match.variance == nullptr) return "it tracks no running statistics";
  match.eps = double_arg(node, "eps");
  return std::nullopt;
}

// scale [channels], in the shape that multiplies the weight by output channel. A transposed convolution's weight is
// [in, out / groups, ...]: the first axis runs over the groups as well.
at::Tensor scale_weight(const Node& layer, const at::Tensor& weight, const at::Tensor& scale) {
  if (!ops::is_conv_transpose(layer.op())) {
    std::vector<int64_t> shape(static_cast<size_t>(weight.dim()), 1);
    shape[0] = -1;
    return weight * scale.reshape(shape);
  }
  const int64_t groups = int_arg(layer, "groups");
  std::vector<int64_t> grouped = weight.sizes().vec();
  grouped[0] /= groups;
  grouped.insert(grouped.begin(), groups);
  std::vector<int64_t> shape(grouped.size(), 1);
  shape[0] = groups;
  shape[2] = grouped[2];
  return (weight.reshape(grouped) * scale.reshape(shape)).reshape(weight.sizes());
}

// The arithmetic of torch.nn.utils.fusion (fuse_conv_bn_weights, fuse_linear_bn_weights), operation by operation: the
// two round the bias differently.
std::pair<at::Tensor, at::Tensor> folded(const Match& match) {
  const at::NoGradGuard no_grad;
  const at::Tensor bias = match.bias == nullptr ? at::zeros_like(*match.mean) : *match.bias;
  const at::Tensor gamma = match.gamma == nullptr ? at::ones_like(*match.mean) : *match.gamma;
  const at::Tensor beta = match.beta == nullptr ? at::zeros_like(*match.mean) : *match.beta;
  const at::Tensor r = at::rsqrt(*match.variance + match.eps);
  at::Tensor weight = scale_weight(*match.layer, *match.weight, gamma * r).to(match.weight->scalar_type());
  const at::ScalarType bias_dtype = match.bias == nullptr ? match.weight->scalar_type() : match.bias->scalar_type();
  const at::Tensor centred = bias - *match.mean;
  const at::Tensor scaled = match.layer->op() == ops::kLinear ? centred * (gamma * r) : centred * r * gamma;
  at::Tensor new_bias = (scaled + beta).to(bias_dtype);
  if (match.weight->requires_grad()) {
    weight.set_requires_grad(true);
    new_bias.set_requires_grad(true);
  }
  return {weight, new_bias};
}

// The tensor under `old`'s name when the layer alone reads it, else under a name of its own.
Value* replace_parameter(Program& program, Value* old, const Node* reader, const std::string& name, at::Tensor tensor) {
  const bool own = old != nullptr && old->users().size() == 1 && old->users()[0] == reader;
  if (!own) return program.add_parameter(program.unique_state_name(name), std::move(tensor));
  old->meta() = meta_of(tensor);
  program.set_state(name, std::move(tensor));
  return old;
}

void rewrite(Program& program, const Match& match, const std::unordered_map<std::string, size_t>& readers) {
  auto [weight, bias] = folded(match);
  Value* weight_value = match.layer->input("weight");
  Value* bias_value = match.layer->input("bias");
  const std::string weight_name = program.spec_of(weight_value)->target;
  const std::string bias_name = bias_value == nullptr ? weight_name + "_bias" : program.spec_of(bias_value)->target;
  // The input to reuse: not one of several that read the same tensor.
  const auto own = [&](Value* value, const std::string& name) {
    const auto found = readers.find(name);
    return found == readers.end() || found->second == 1 ? value : nullptr;
  };
  weight_value = own(weight_value, weight_name);
  bias_value = own(bias_value, bias_name);
  match.layer->set_arg("weight", replace_parameter(program, weight_value, match.layer, weight_name, std::move(weight)));
  match.layer->set_arg("bias", replace_parameter(program, bias_value, match.layer, bias_name, std::move(bias)));
  program.graph().replace_all_uses(match.batch_norm->values()[0], match.layer->values()[0]);
  program.graph().erase(match.batch_norm);
}

}  // namespace

PassResult fold_batch_norm(Program& program) {
  PassResult result;
  const std::unordered_map<std::string, size_t> readers = count_state_readers(program);
  for (Node* node : program.graph().nodes_snapshot()) {
    if (node->op() != ops::kBatchNorm) continue;
    const Value* input = node->input("input");
    if (input == nullptr || input->producer() == nullptr || !is_foldable_layer(input->producer()->op())) continue;
    Match match;
    if (const auto reason = match_batch_norm(program, *node, match)) {
      result.refusals.push_back({node->describe(), *reason});
      continue;
    }
    rewrite(program, match, readers);
    result.changed = true;
  }
  return result;
}

}  // namespace torquant
