#include "torquant/lower/onednn_operator.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <unordered_set>

#include "torquant/core/error.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"

namespace torquant::onednn {
namespace {

const OpId kConvPrepack{"onednn.qconv_prepack.default"};
const OpId kLinearPrepack{"onednn.qlinear_prepack.default"};

// An operator, and how it calls what is fused: the activation, the numbers of that and its variant; the addend, its
// scale and zero point, and how and how often it is added.
struct Target {
  OpId op;
  const char *activation, *scalars, *algorithm;
  const char *addend = nullptr, *scale = nullptr, *zero_point = nullptr, *binary = nullptr, *alpha = nullptr;
};
// Of one, two or three dimensions of space.
const Target kConv{OpId("onednn.qconv_pointwise.default"), "attr", "scalars", "algorithm"};
const Target kConvSum{OpId("onednn.qconv2d_pointwise.binary"),
                      "unary_attr",
                      "unary_scalars",
                      "unary_algorithm",
                      "qaccum",
                      "accum_scale",
                      "accum_zero_point",
                      "binary_attr",
                      "alpha"};
const Target kLinear{OpId("onednn.qlinear_pointwise.default"), "post_op_name", "post_op_args", "post_op_algorithm"};
const Target kLinearSum{OpId("onednn.qlinear_pointwise.binary"),
                        "unary_post_op",
                        "unary_post_op_args",
                        "unary_post_op_algorithm",
                        "other",
                        "other_scale",
                        "other_zp",
                        "binary_post_op",
                        "binary_alpha"};
const Target* const kTargets[] = {&kConv, &kConvSum, &kLinear, &kLinearSum};

const OpId kClamp{"aten.clamp.default"};
const OpId kClone{"aten.clone.default"};
const OpId kContiguous{"aten.contiguous.default"};
const OpId kMaxPool{"quantized.max_pool2d.default"};

const Target& target_of(const Layer& layer, const Epilogue& epilogue) {
  if (layer.is_linear()) return epilogue.addend != nullptr ? kLinearSum : kLinear;
  return epilogue.addend != nullptr ? kConvSum : kConv;
}

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
  return {ints_arg(*conv.node, "stride", conv.image_rank), conv.padding,
          ints_arg(*conv.node, "dilation", conv.image_rank), int_arg(*conv.node, "groups")};
}

at::Tensor prepack(const Layer& layer) {
  if (layer.is_linear()) return call(kLinearPrepack, {layer.weight.contiguous(), hints(layer.input.input)});
  const Geometry geometry = geometry_of(layer);
  return call(kConvPrepack,
              {layer.weight.contiguous(), layer.scales, layer.input.grid.scale, layer.input.grid.zero_point,
               geometry.stride, geometry.padding, geometry.dilation, geometry.groups, hints(layer.input.input)});
}

class Replacement {
 public:
  Replacement(Program& program, const Layer& layer, const Epilogue& epilogue)
      : program_(program),
        graph_(program.graph()),
        layer_(layer),
        epilogue_(epilogue),
        last_(epilogue.nodes.empty() ? layer.node : epilogue.nodes.back()) {}

  void run() {
    const Target& target = target_of(layer_, epilogue_);
    const at::ScalarType dtype = epilogue_.output ? at::kByte : at::kFloat;
    Value* output = insert(target.op, layer_.node->name() + "_int8", arguments(target),
                           contiguous_meta(dtype, last_->output()->tensor().sizes));
    if (epilogue_.needs_clamp()) {
      output =
          insert(kClamp, "clamp", {{"self", output}, {"min", epilogue_.output->min}, {"max", epilogue_.output->max}},
                 output->tensor());
    }
    graph_.replace_all_uses(last_->output(), output);
    for (size_t i = epilogue_.nodes.size(); i-- > 0;) graph_.erase(epilogue_.nodes[i]);
    graph_.erase(layer_.node);
  }

 private:
  Value* insert(const OpId& op, const std::string& name, std::vector<NamedArgument> args, TensorMeta meta) {
    Node* node = graph_.insert_before(last_, op, graph_.unique_name(name), std::move(args));
    for (const auto& [key, text] : layer_.node->metadata()) node->set_metadata(key, text);
    return graph_.add_output(node, node->name(), std::move(meta));
  }

  // In the order of the operator's schema.
  std::vector<NamedArgument> arguments(const Target& target) {
    const Grid& in = layer_.input.grid;
    const std::string weight = weight_name();
    std::vector<NamedArgument> args = {
        {"qx", layer_.input.input},
        {"x_scale", in.scale},
        {"x_zero_point", in.zero_point},
        {"qw", constant(weight + "_packed", prepack(layer_))},
        {"w_scale", constant(weight + "_scales", layer_.scales)},
        {"w_zero_point", constant(weight + "_zero_points", at::zeros(layer_.scales.sizes(), at::kLong))}};
    if (target.addend != nullptr) args.push_back({target.addend, addend()});
    args.push_back({"bias", layer_.bias.defined() ? Argument(constant(weight + "_bias", layer_.bias)) : Argument()});
    if (!layer_.is_linear()) {
      const Geometry geometry = geometry_of(layer_);
      args.push_back({"stride", geometry.stride});
      args.push_back({"padding", geometry.padding});
      args.push_back({"dilation", geometry.dilation});
      args.push_back({"groups", geometry.groups});
    }
    args.push_back({"output_scale", epilogue_.output ? epilogue_.output->scale : 1.0});
    args.push_back({"output_zero_point", epilogue_.output ? epilogue_.output->zero_point : int64_t{0}});
    args.push_back({"output_dtype", epilogue_.output ? at::kByte : at::kFloat});
    if (target.addend != nullptr) {
      const bool codes = epilogue_.adds_codes();
      args.push_back({target.scale, codes ? epilogue_.residual->grid.scale : 1.0});
      args.push_back({target.zero_point, codes ? epilogue_.residual->grid.zero_point : int64_t{0}});
      args.push_back({target.binary, std::string(codes ? "sum" : "add")});
      args.push_back({target.alpha, 1.0});
    }
    args.push_back({target.activation, epilogue_.activation});
    args.push_back({target.scalars, epilogue_.scalars});
    args.push_back({target.algorithm, epilogue_.algorithm});
    return args;
  }

  // oneDNN writes the sum over codes: a copy of them. It reads numbers as if they were contiguous, whatever they are.
  Value* addend() {
    if (!epilogue_.adds_codes()) {
      return insert(kContiguous, "contiguous", {{"self", epilogue_.addend}}, epilogue_.addend->tensor());
    }
    Value* codes = epilogue_.residual->input;
    const auto format = layer_.is_linear() ? at::MemoryFormat::Contiguous : at::MemoryFormat::ChannelsLast;
    return insert(kClone, "residual", {{"self", codes}, {"memory_format", format, true}}, codes->tensor());
  }

  Value* constant(const std::string& name, at::Tensor tensor) {
    return program_.add_buffer(program_.unique_state_name(name), std::move(tensor));
  }

  std::string weight_name() const {
    const Node* dequantize = layer_.node->input("weight")->producer();
    return program_.spec_of(dequantize->input("input"))->target;
  }

  Program& program_;
  Graph& graph_;
  const Layer& layer_;
  const Epilogue& epilogue_;
  Node* last_;  // behind which nothing else is replaced
};

bool computes_anew(const OpId& op) {
  return is_operator(op) || op == ops::kQuantizePerTensor || op == kMaxPool || op == kClamp || op == kClone;
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

}  // namespace

void check_operators() {
  for (const Target* target : kTargets) operator_of(target->op);
}

bool is_operator(const OpId& op) {
  return std::any_of(std::begin(kTargets), std::end(kTargets), [&](const Target* target) { return target->op == op; });
}

void replace_by_operator(Program& program, const Layer& layer, const Epilogue& epilogue) {
  Replacement(program, layer, epilogue).run();
}

void overwrite_residuals(Graph& graph) {
  for (const Target* target : kTargets) {
    if (target->addend == nullptr) continue;
    for (Node* node : graph.nodes_snapshot()) {
      if (node->op() != target->op) continue;
      Node* copy = node->input(target->addend)->producer();
      if (copy->op() == kClone && may_overwrite(copy->input("self"), copy)) copy->set_op(kContiguous);
    }
  }
}

}  // namespace torquant::onednn
