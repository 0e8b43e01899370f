#include "torquant/pass/canonicalize.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <fmt/format.h>

#include <algorithm>

#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/pass/aliasing.h"
#include "torquant/pass/canonicalize_linear.h"
#include "torquant/pass/reference_representation.h"

namespace torquant {
namespace {

// "aten.relu_.default" → namespace, name, overload.
struct OpName {
  std::string space;
  std::string name;
  std::string overload;

  explicit OpName(const OpId& op) {
    const std::string& full = op.name();
    const size_t first = full.find('.');
    const size_t last = full.rfind('.');
    space = full.substr(0, first);
    name = full.substr(first + 1, last - first - 1);
    overload = full.substr(last + 1);
  }
  OpId id() const { return OpId(fmt::format("{}.{}.{}", space, name, overload)); }
};

// In `node` alone the tensor that it writes is seen: it is fresh from its producer and nobody holds a view of it.
bool owns_what_it_writes(const Node& node, const Value* written) {
  if (written == nullptr || written->producer() == nullptr || may_alias(*written->producer())) return false;
  return std::none_of(written->users().begin(), written->users().end(), [&](const Node* user) {
    return user != &node && user->op().is_dispatcher_op() && may_alias(*user);
  });
}

// relu_(x) → relu(x); readers of x behind it read the result, as they did in memory.
bool rewrite_in_place(Program& program, Node* node) {
  if (!node->op().is_dispatcher_op()) return false;
  OpName name(node->op());
  if (name.name.size() < 2 || !name.name.ends_with('_') || name.name.ends_with("__")) return false;
  name.name.pop_back();
  const c10::OperatorHandle* functional = find_operator(name.id());
  if (functional == nullptr || functional->schema().is_mutable() || node->args().empty()) return false;
  Value* written = value_of(node->args()[0].value);
  const bool writes = name.name != "detach";  // which export puts behind constants; it changes no number
  if (node->output() == nullptr || (writes && !owns_what_it_writes(*node, written))) return false;
  std::vector<NamedArgument> args = node->args();
  args[0].name = functional->schema().arguments()[0].name();  // dropout_(self) → dropout(input)
  node->set_args(std::move(args));
  node->set_op(name.id());
  node->set_metadata(kWrittenInPlaceKey, "true");
  if (written->users().size() == 1) return true;
  bool behind = false;
  for (Node& later : program.graph()) {
    if (behind) later.replace_input(written, node->output());
    behind |= &later == node;
  }
  program.graph().output_node().replace_input(written, node->output());
  return true;
}

bool rewrite_copy_variant(Node* node) {
  if (!node->op().is_dispatcher_op()) return false;
  OpName name(node->op());
  constexpr std::string_view kCopy = "_copy";
  if (name.space != "aten" || !name.name.ends_with(kCopy)) return false;
  name.name.resize(name.name.size() - kCopy.size());
  if (find_operator(name.id()) == nullptr) return false;
  node->set_op(name.id());
  return true;
}

// conv.padding("same") pads dilation * (kernel - 1) in all: as much on both sides when that is even.
bool rewrite_string_padding(Node* node) {
  const OpId& op = node->op();
  const bool is_padding = op == ops::kConv1dPadding || op == ops::kConv2dPadding || op == ops::kConv3dPadding;
  const Argument* padding = node->find_arg("padding");
  const Value* weight = node->input("weight");
  if (!is_padding || weight == nullptr || !weight->is_tensor()) return false;
  const auto* text = padding == nullptr ? nullptr : std::get_if<std::string>(padding);
  const size_t rank = weight->tensor().rank() - 2;
  const std::vector<int64_t> dilation = ints_arg(*node, "dilation", rank);
  std::vector<int64_t> sides(rank, 0);
  for (size_t i = 0; text != nullptr && *text == "same" && i < rank; ++i) {
    const auto* kernel = std::get_if<int64_t>(&weight->tensor().sizes[i + 2]);
    if (kernel == nullptr || dilation[i] * (*kernel - 1) % 2 != 0) return false;
    sides[i] = dilation[i] * (*kernel - 1) / 2;
  }
  OpName name(op);
  name.overload = "default";
  node->set_op(name.id());
  node->set_arg("padding", std::move(sides));
  return true;
}

struct BatchNormSpelling {
  const char* op;
  const char* momentum;
  const char* eps;
  bool has_training;  // an argument says whether it trains; else it never does
};
constexpr BatchNormSpelling kBatchNorms[] = {
    {"aten._native_batch_norm_legit_no_training.default", "momentum", "eps", false},
    {"aten._native_batch_norm_legit.default", "momentum", "eps", true},
    {"aten.native_batch_norm.default", "momentum", "eps", true},
    {"aten._batch_norm_no_update.default", "momentum", "eps", false},
    {"aten.cudnn_batch_norm.default", "exponential_average_factor", "epsilon", true},
    {"aten.miopen_batch_norm.default", "exponential_average_factor", "epsilon", true},
};

// Those whose further outputs (the statistics of the batch) nobody reads.
bool rewrite_batch_norm(Program& program, Node* node) {
  const auto* spelling = std::find_if(std::begin(kBatchNorms), std::end(kBatchNorms),
                                      [&](const auto& known) { return node->op().name() == known.op; });
  if (spelling == std::end(kBatchNorms)) return false;
  if (spelling->has_training && bool_arg(*node, "training")) return false;
  const std::vector<Value*> values = node->values();
  if (values.empty() || std::any_of(values.begin() + 1, values.end(), [](Value* v) { return !v->users().empty(); })) {
    return false;
  }
  Graph& graph = program.graph();
  const std::string name = graph.unique_name("batch_norm");
  std::vector<NamedArgument> args;
  for (const char* arg : {"input", "weight", "bias", "running_mean", "running_var"}) {
    args.push_back({arg, arg_or_default(*node, arg)});
  }
  args.push_back({"training", false});
  args.push_back({"momentum", double_arg(*node, spelling->momentum)});
  args.push_back({"eps", double_arg(*node, spelling->eps)});
  args.push_back({"cudnn_enabled", false});
  Node* twin = graph.insert_after(node, ops::kBatchNorm, name, std::move(args));
  twin->metadata() = node->metadata();
  graph.replace_all_uses(values[0], graph.add_output(twin, name, values[0]->meta()));
  graph.erase(node);
  return true;
}

}  // namespace

PassResult canonicalize(Program& program) {
  PassResult result;
  for (Node* node : program.graph().nodes_snapshot()) {
    result.changed |= rewrite_in_place(program, node);
    result.changed |= rewrite_copy_variant(node);
    result.changed |= rewrite_string_padding(node);
    if (rewrite_batch_norm(program, node)) {
      result.changed = true;
      continue;  // the node is gone
    }
    result.changed |= rewrite_as_linear(program, node);
  }
  return result;
}

}  // namespace torquant
