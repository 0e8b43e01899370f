#include "torquant/lower/onednn.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <unordered_set>

#include "torquant/core/error.h"
#include "torquant/graph/layers.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/compute_on_codes.h"
#include "torquant/lower/move_codes.h"
#include "torquant/lower/onednn_layer.h"
#include "torquant/lower/unsigned_activations.h"
#include "torquant/pass/constant_values.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {
namespace {

using onednn::Epilogue;
using onednn::Layer;

const OpId kConvPrepack{"onednn.qconv_prepack.default"};
const OpId kLinearPrepack{"onednn.qlinear_prepack.default"};

// An operator, and how it calls its fused activation, the numbers of that and its variant.
struct Target {
  OpId op;
  const char* activation;
  const char* scalars;
  const char* algorithm;
};
const Target kConv{OpId("onednn.qconv_pointwise.default"), "attr", "scalars", "algorithm"};
const Target kConvSum{OpId("onednn.qconv2d_pointwise.binary"), "unary_attr", "unary_scalars", "unary_algorithm"};
const Target kLinear{OpId("onednn.qlinear_pointwise.default"), "post_op_name", "post_op_args", "post_op_algorithm"};

const OpId kClone{"aten.clone.default"};
const OpId kMaxPool{"quantized.max_pool2d.default"};
const OpId kContiguous{"aten.contiguous.default"};

const c10::OperatorHandle& operator_of(const OpId& op) {
  const c10::OperatorHandle* handle = find_operator(op);
  if (handle == nullptr) {
    throw Error({.where = op.name(), .what = "is not in this LibTorch", .allowed = "a build with oneDNN (x86-64)"});
  }
  return *handle;
}

at::Tensor call(const OpId& op, std::vector<c10::IValue> stack) {
  operator_of(op).callBoxed(stack);
  return stack.at(0).toTensor();
}

// The example sizes, by which oneDNN chooses a layout; none where one is unknown.
c10::IValue hints(const Value* value) {
  std::vector<int64_t> sizes;
  for (const Dim& size : value->tensor().sizes) {
    const std::optional<int64_t> hint = hint_of(size);
    if (!hint) return {};
    sizes.push_back(*hint);
  }
  return sizes;
}

struct Geometry {
  std::vector<int64_t> stride, padding, dilation;
  int64_t groups;
};

Geometry geometry_of(const Layer& conv) {
  return {ints_arg(*conv.node, "stride", 2), conv.padding, ints_arg(*conv.node, "dilation", 2),
          int_arg(*conv.node, "groups")};
}

at::Tensor prepack(const Layer& layer) {
  const Node& node = *layer.node;
  if (node.op() == ops::kLinear) {
    return call(kLinearPrepack, {layer.weight.contiguous(), hints(layer.input.input)});
  }
  const Geometry geometry = geometry_of(layer);
  return call(kConvPrepack,
              {layer.weight.contiguous(), layer.scales, layer.input.grid.scale, layer.input.grid.zero_point,
               geometry.stride, geometry.padding, geometry.dilation, geometry.groups, hints(layer.input.input)});
}

class Lowering {
 public:
  explicit Lowering(Program& program) : program_(program), graph_(program.graph()) {}

  void lower(const Layer& layer, const Epilogue& epilogue) {
    Node* last = epilogue.nodes.empty() ? layer.node : epilogue.nodes.back();
    const Target& target = layer.node->op() == ops::kLinear ? kLinear : epilogue.other ? kConvSum : kConv;
    Node* node = graph_.insert_before(last, target.op, graph_.unique_name(layer.node->name() + "_int8"),
                                      arguments(target, layer, epilogue, last));
    for (const auto& [key, text] : layer.node->metadata()) node->set_metadata(key, text);
    const at::ScalarType dtype = epilogue.output ? at::kByte : at::kFloat;
    Value* output = graph_.add_output(node, node->name(), contiguous_meta(dtype, last->output()->tensor().sizes));
    graph_.replace_all_uses(last->output(), output);
    for (size_t i = epilogue.nodes.size(); i-- > 0;) graph_.erase(epilogue.nodes[i]);
    graph_.erase(layer.node);
  }

 private:
  // In the order of the operator's schema.
  std::vector<NamedArgument> arguments(const Target& target, const Layer& layer, const Epilogue& epilogue,
                                       Node* position) {
    const Grid& in = layer.input.grid;
    const std::string weight = weight_name(layer);
    std::vector<NamedArgument> args = {
        {"qx", layer.input.input},
        {"x_scale", in.scale},
        {"x_zero_point", in.zero_point},
        {"qw", constant(weight + "_packed", prepack(layer))},
        {"w_scale", constant(weight + "_scales", layer.scales)},
        {"w_zero_point", constant(weight + "_zero_points", at::zeros(layer.scales.sizes(), at::kLong))}};
    if (epilogue.other) args.push_back({"qaccum", copy(epilogue.other->input, position)});
    args.push_back({"bias", layer.bias.defined() ? Argument(constant(weight + "_bias", layer.bias)) : Argument()});
    if (layer.node->op() != ops::kLinear) {
      const Geometry geometry = geometry_of(layer);
      args.push_back({"stride", geometry.stride});
      args.push_back({"padding", geometry.padding});
      args.push_back({"dilation", geometry.dilation});
      args.push_back({"groups", geometry.groups});
    }
    args.push_back({"output_scale", epilogue.output ? epilogue.output->scale : 1.0});
    args.push_back({"output_zero_point", epilogue.output ? epilogue.output->zero_point : int64_t{0}});
    args.push_back({"output_dtype", epilogue.output ? at::kByte : at::kFloat});
    if (epilogue.other) {
      args.push_back({"accum_scale", epilogue.other->grid.scale});
      args.push_back({"accum_zero_point", epilogue.other->grid.zero_point});
      args.push_back({"binary_attr", std::string("sum")});
      args.push_back({"alpha", 1.0});
    }
    args.push_back({target.activation, epilogue.activation});
    args.push_back({target.scalars, epilogue.scalars});
    args.push_back({target.algorithm, epilogue.algorithm});
    return args;
  }

  Value* constant(const std::string& name, at::Tensor tensor) {
    return program_.add_buffer(program_.unique_state_name(name), std::move(tensor));
  }

  std::string weight_name(const Layer& layer) const {
    const Node* dequantize = layer.node->input("weight")->producer();
    return program_.spec_of(dequantize->input("input"))->target;
  }

  // A copy of the codes, over which the sum is written; overwrite_residuals() takes away those that nobody needs.
  Value* copy(Value* codes, Node* position) {
    Node* node = graph_.insert_before(position, kClone, graph_.unique_name("residual"),
                                      {{"self", codes}, {"memory_format", at::MemoryFormat::ChannelsLast, true}});
    return graph_.add_output(node, node->name(), codes->tensor());
  }

  Program& program_;
  Graph& graph_;
};

bool computes_anew(const OpId& op) {
  return op == kConv.op || op == kConvSum.op || op == ops::kQuantizePerTensor || op == kMaxPool;
}

// Whether nobody needs `codes` behind `copy`: a fresh tensor, and all other readers run before and keep nothing of it.
bool may_overwrite(const Value* codes, Node* copy) {
  if (codes->producer() == nullptr || !computes_anew(codes->producer()->op())) return false;
  std::unordered_set<const Node*> readers;
  for (const Node* user : codes->users()) {
    if (user == copy) continue;
    if (!computes_anew(user->op()) && !ops::is_dequantize(user->op())) return false;
    readers.insert(user);
  }
  for (auto later = Graph::Iterator(copy); later != copy->graph().end(); ++later) {
    if (readers.contains(&*later)) return false;
  }
  return true;
}

void overwrite_residuals(Graph& graph) {
  for (Node* node : graph.nodes_snapshot()) {
    if (node->op() != kConvSum.op) continue;
    Node* copy = node->input("qaccum")->producer();
    if (may_overwrite(copy->input("self"), copy)) copy->set_op(kContiguous);
  }
}

std::vector<std::string> float_operators(const Graph& graph) {
  std::vector<std::string> operators;
  for (const Node& node : graph) {
    const bool of_floats =
        node.output() != nullptr && node.output()->is_tensor() && at::isFloatingType(node.output()->tensor().dtype);
    const bool of_layer =
        is_layer(node) || node.op() == kConv.op || node.op() == kConvSum.op || node.op() == kLinear.op;
    if (of_floats && !of_layer && !ops::is_dequantize(node.op())) operators.push_back(node.describe());
  }
  return operators;
}

}  // namespace

LoweredProgram lower_to_onednn(Program converted) {
  LoweredProgram lowered{.program = std::move(converted), .report = {}};
  Program& program = lowered.program;
  for (const Target* target : {&kConv, &kConvSum, &kLinear}) operator_of(target->op);
  make_activations_unsigned(program);
  quantize_before_moving(program);
  move_codes(program);
  const std::unordered_set<const Value*> constants = constant_values(program);  // of the nodes that are there now
  Lowering lowering(program);
  std::vector<Node*> layers;  // a layer erases itself and what it fuses, never another layer
  for (Node& node : program.graph()) {
    if (is_layer(node)) layers.push_back(&node);
  }
  for (Node* node : layers) {
    LoweredLayer& layer =
        lowered.report.layers.emplace_back(LoweredLayer{.node = node->describe(), .macs = multiply_accumulates(*node)});
    const std::optional<Layer> quantized = onednn::read_layer(program, constants, node, layer.reason);
    if (!quantized) continue;
    const Epilogue epilogue = onednn::read_epilogue(*quantized);
    layer.lowered = true;
    layer.becomes = epilogue.describe();
    lowering.lower(*quantized, epilogue);
  }
  compute_on_codes(program);
  move_codes(program);
  overwrite_residuals(program.graph());
  remove_dead_nodes(program);
  remove_dead_state(program);
  lowered.report.float_operators = float_operators(program.graph());
  return lowered;
}

double LoweringReport::percent_of_macs() const {
  double percent = 0;
  for (const LoweredLayer& layer : layers) percent += layer.lowered ? percent_of_macs(layer) : 0;
  return percent;
}

double LoweringReport::percent_of_macs(const LoweredLayer& layer) const {
  int64_t all = 0;
  for (const LoweredLayer& each : layers) all += each.macs;
  return all == 0 ? 0 : 100.0 * static_cast<double>(layer.macs) / static_cast<double>(all);
}

}  // namespace torquant
