#include "torquant/lower/rotations.h"

#include <optional>
#include <unordered_set>
#include <vector>

#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/read_pattern.h"
#include "torquant/pass/constant_values.h"

namespace torquant {
namespace {

const OpId kSlice{"aten.slice.Tensor"}, kNeg{"aten.neg.default"};

bool is_last(int64_t dim, const Value* x) { return dim == -1 || dim == static_cast<int64_t>(x->tensor().rank()) - 1; }

// x of x[..., begin : end], where `value` is that.
Value* sliced(const Value* value, int64_t begin, int64_t end) {
  const Node* slice = maker_of(value, kSlice);
  if (slice == nullptr) return nullptr;
  Value* x = slice->input("self");
  const Argument start = arg_or_default(*slice, "start"), stop = arg_or_default(*slice, "end");
  const int64_t from = is_none(start) ? 0 : int_arg(*slice, "start");
  const bool to_end = is_none(stop) || int_arg(*slice, "end") >= end;
  const bool fits = std::get_if<int64_t>(&value->tensor().sizes.back()) != nullptr &&
                    value->tensor().sizes.back() == Dim(end - begin) && int_arg(*slice, "step") == 1;
  return is_last(int_arg(*slice, "dim"), x) && from == begin && to_end && fits ? x : nullptr;
}

// x of cat([-x[..., size / 2 :], x[..., : size / 2]], -1).
Value* half_turned(const Value* value) {
  const Node* cat = maker_of(value, ops::kCat);
  const auto* halves = cat == nullptr ? nullptr : std::get_if<std::vector<Value*>>(cat->find_arg("tensors"));
  const auto* size = std::get_if<int64_t>(&value->tensor().sizes.back());
  if (halves == nullptr || halves->size() != 2 || size == nullptr || *size % 2 != 0) return nullptr;
  const Node* negated = maker_of(halves->front(), kNeg);
  if (negated == nullptr || !is_last(int_arg(*cat, "dim"), value)) return nullptr;
  Value* x = sliced(negated->input("self"), *size / 2, *size);
  return x != nullptr && x == sliced(halves->back(), 0, *size / 2) ? x : nullptr;
}

struct Factors {
  Value *numbers, *constant;
};

struct Rotation {
  Value *x, *cos, *sin;
};

std::optional<Rotation> read(const std::unordered_set<const Value*>& known, const Node& sum) {
  const auto factors = [&](const char* name) -> std::optional<Factors> {
    const Node* product = maker_of(sum.input(name), ops::kMul);
    if (product == nullptr) return std::nullopt;
    Value *self = product->input("self"), *other = product->input("other");
    if (self == nullptr || other == nullptr || known.contains(self) == known.contains(other)) return std::nullopt;
    return known.contains(self) ? Factors{other, self} : Factors{self, other};
  };
  const std::optional<Factors> a = factors("self"), b = factors("other");
  if (!a || !b) return std::nullopt;
  if (Value* x = half_turned(b->numbers); x != nullptr && x == a->numbers) return Rotation{x, a->constant, b->constant};
  if (Value* x = half_turned(a->numbers); x != nullptr && x == b->numbers) return Rotation{x, b->constant, a->constant};
  return std::nullopt;
}

}  // namespace

PassResult rewrite_rotations(Program& program) {
  PassResult result;
  Graph& graph = program.graph();
  const std::unordered_set<const Value*> known = known_values(program);
  for (Node* sum : graph.nodes_snapshot()) {
    if (sum->op() != ops::kAdd || constant_number(program, arg_or_default(*sum, "alpha")) != 1.0) continue;
    const std::optional<Rotation> found = read(known, *sum);
    if (!found) continue;
    Node* node = graph.insert_before(sum, kRotate, graph.unique_name(sum->name() + "_rotated"),
                                     {{"x", found->x}, {"cos", found->cos}, {"sin", found->sin}});
    for (const auto& [key, text] : sum->metadata()) node->set_metadata(key, text);
    graph.replace_all_uses(sum->output(), graph.add_output(node, node->name(), sum->output()->meta()));
    result.changed = true;
  }
  return result;
}

}  // namespace torquant
