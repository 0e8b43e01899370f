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
#include <unordered_set>

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

// The other calls of a module that is called several times: layers of the same parameters in front of batch norms of
// the same parameters, which fold to the same.
std::vector<Match> other_calls(const Program& program, const Match& match) {
  const auto same = [](const Node& a, const Node& b, std::initializer_list<const char*> names) {
    return std::ranges::all_of(names, [&](const char* name) { return a.input(name) == b.input(name); });
  };
  std::vector<Match> calls;
  for (Node* layer : match.layer->input("weight")->users()) {
    if (layer == match.layer || layer->op() != match.layer->op() || !same(*layer, *match.layer, {"weight", "bias"})) {
      continue;
    }
    Node* reader = layer->values()[0]->users().size() == 1 ? layer->values()[0]->users()[0] : nullptr;
    Match call;
    if (reader != nullptr && reader->op() == ops::kBatchNorm &&
        same(*reader, *match.batch_norm, {"weight", "bias", "running_mean", "running_var"}) &&
        !match_batch_norm(program, *reader, call) && call.eps == match.eps) {
      calls.push_back(call);
    }
  }
  return calls;
}

// The tensor under `old`'s name when these layers alone read it, else under a name of its own.
Value* replace_parameter(Program& program, Value* old, const std::vector<Match>& calls, const std::string& name,
                         at::Tensor tensor) {
  const auto folds = [&](const Node* user) { return std::ranges::find(calls, user, &Match::layer) != calls.end(); };
  const bool own = old != nullptr && std::ranges::all_of(old->users(), folds);
  if (!own) return program.add_parameter(program.unique_state_name(name), std::move(tensor));
  old->meta() = meta_of(tensor);
  program.set_state(name, std::move(tensor));
  return old;
}

// `calls`: all of one layer and one batch norm.
void rewrite(Program& program, const std::vector<Match>& calls,
             const std::unordered_map<std::string, size_t>& readers) {
  const Match& match = calls[0];
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
  weight_value = replace_parameter(program, own(weight_value, weight_name), calls, weight_name, std::move(weight));
  bias_value = replace_parameter(program, own(bias_value, bias_name), calls, bias_name, std::move(bias));
  for (const Match& call : calls) {
    call.layer->set_arg("weight", weight_value);
    call.layer->set_arg("bias", bias_value);
    program.graph().replace_all_uses(call.batch_norm->values()[0], call.layer->values()[0]);
    program.graph().erase(call.batch_norm);
  }
}

}  // namespace

PassResult fold_batch_norm(Program& program) {
  PassResult result;
  const std::unordered_map<std::string, size_t> readers = count_state_readers(program);
  std::unordered_set<const Node*> gone;
  for (Node* node : program.graph().nodes_snapshot()) {
    if (gone.contains(node) || node->op() != ops::kBatchNorm) continue;
    const Value* input = node->input("input");
    if (input == nullptr || input->producer() == nullptr || !is_foldable_layer(input->producer()->op())) continue;
    Match match;
    if (const auto reason = match_batch_norm(program, *node, match)) {
      result.refusals.push_back({node->describe(), *reason});
      continue;
    }
    std::vector<Match> calls = other_calls(program, match);
    calls.insert(calls.begin(), match);
    for (const Match& call : calls) gone.insert(call.batch_norm);
    rewrite(program, calls, readers);
    result.changed = true;
  }
  return result;
}

}  // namespace torquant
