#include "torquant/pass/reference_patterns.h"

#include <c10/core/ScalarType.h>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/pass/reference_match.h"
#include "torquant/pass/reference_representation.h"

namespace torquant::reference {
namespace {

const OpId kMaxPool2d{"aten.max_pool2d_with_indices.default"};

bool written_in_place(const Node& node) { return node.find_metadata(kWrittenInPlaceKey) != nullptr; }

}  // namespace

bool rewrite_add(Program& program, Node* node) {
  const auto out = match_quantize(node);
  if (!out || !out->is_static()) return false;
  Node* last = sole_producer(out->input);
  Node* add = last;
  const bool relu = last != nullptr && last->op() == ops::kRelu && !written_in_place(*last);
  if (relu) add = sole_producer(last->input("self"));
  if (add == nullptr || add->op() != ops::kAdd || add->find_arg("alpha") != nullptr || written_in_place(*add)) {
    return false;
  }
  const auto x = match_operand(*add, "self");
  const auto y = match_operand(*add, "other");
  if (!x || !y || !x->is_static() || !y->is_static()) return false;
  const auto same_range = [&](const PerTensor& in) { return in.min == out->min && in.max == out->max; };
  if (!same_range(*x) || !same_range(*y)) return false;
  NodeBuilder build(program.graph(), node, *add);
  // An operand's codes in steps of the output's scale.
  const auto rescaled = [&](const PerTensor& in) {
    Value* wide = build.to(in.input, at::kInt);
    Value* ratio = build.binary("div", in.scale, out->scale, NodeBuilder::scalar_meta());
    Value* centre = build.binary("sub", wide, in.zero_point, wide->tensor());
    if (relu) return build.out_dtype("mul.Tensor", at::kInt, {centre, ratio}, wide->tensor());
    Value* product = build.binary("mul", ratio, centre, NodeBuilder::with_dtype(wide, at::kFloat));
    return build.to(build.round(product), at::kInt);
  };
  Value* x_steps = rescaled(*x);
  Value* y_steps = rescaled(*y);
  Value* sum = build.binary("add", x_steps, y_steps, NodeBuilder::with_dtype(add->output(), at::kInt));
  const Argument least = relu ? out->zero_point : Argument(out->min);
  program.graph().replace_all_uses(node->output(), to_codes(build, sum, *out, least));
  return true;
}

bool rewrite_max_pool(Program& program, Node* node) {
  const auto out = match_quantize(node);
  if (!out || !out->is_static()) return false;
  Node* pool = sole_producer(out->input);
  if (pool == nullptr || pool->op() != kMaxPool2d || pool->values().size() != 2 ||
      !pool->values()[1]->users().empty()) {
    return false;
  }
  const auto x = match_operand(*pool, "self");
  if (!x || !x->is_static()) return false;
  NodeBuilder build(program.graph(), node, *pool);
  Value* wide = build.to(build.clamp(x->input, x->min, x->max), at::kInt);
  Value* centre = build.binary("sub", wide, x->zero_point, wide->tensor());
  std::vector<NamedArgument> args = pool->args();
  args[0].value = centre;
  Value* largest = build.call("max_pool2d_with_indices.default", std::move(args),
                              NodeBuilder::with_dtype(pool->values()[0], at::kInt));
  TensorMeta indices = NodeBuilder::with_dtype(pool->values()[1], at::kLong);
  program.graph().add_output(largest->producer(), program.graph().unique_name(largest->name()), std::move(indices));
  const TensorMeta real = NodeBuilder::with_dtype(largest, at::kFloat);
  Value* ratio = build.binary("div", x->scale, out->scale, NodeBuilder::scalar_meta());
  Value* scaled = build.binary("mul", largest, ratio, real);
  program.graph().replace_all_uses(node->output(), to_codes(build, scaled, *out, out->min));
  return true;
}

}  // namespace torquant::reference
