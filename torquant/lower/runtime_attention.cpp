#include "torquant/lower/runtime_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>

#include <cmath>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/rotations.h"

namespace torquant::runtime_lowering {
namespace {

using format::FloatFunction;
using format::FloatMap;

bool is_conversion(const OpId& op) {
  static const std::unordered_set<OpId> kOps = {OpId{"aten.to.device"}, OpId{"aten.to.dtype"},
                                                OpId{"aten.to.dtype_layout"}, OpId{"aten._to_copy.default"}};
  return kOps.contains(op);
}

bool is_and(const OpId& op) {
  static const std::unordered_set<OpId> kOps = {OpId{"aten.__and__.Tensor"}, OpId{"aten.logical_and.default"},
                                                OpId{"aten.bitwise_and.Tensor"}};
  return kOps.contains(op);
}

// Heads and queries that are all the same are one.
at::Tensor without_repetitions(at::Tensor places) {
  for (const int64_t dim : {1, 2}) {
    const at::Tensor first = places.narrow(dim, 0, 1);
    if (at::equal(first.expand_as(places), places)) places = first;
  }
  return places;
}

// log(1) = 0 is added to what attention sees, log(0) = -infinity to what it does not.
at::Tensor added_by(const at::Tensor& visible) { return visible.to(at::kDouble).log().to(at::kFloat); }

// Where the numbers [1, heads, tokens, size] lie in rows of tokens.
at::Tensor in_heads(int64_t tokens, int64_t heads, int64_t size) {
  return at::arange(tokens * heads * size).reshape({1, tokens, heads, size}).transpose(1, 2);
}

bool is_causal(const at::Tensor& visible) {
  const int64_t rows = visible.size(-2), columns = visible.size(-1);
  return visible.numel() == rows * columns && rows == columns &&
         at::equal(visible.reshape({rows, columns}), at::ones({rows, columns}, at::kBool).tril());
}

}  // namespace

bool AttentionEmitter::emit(const Node& node) {
  if (is_conversion(node.op())) return emit_conversion(node);
  if (is_and(node.op())) return emit_and(node);
  if (node.op() == OpId{"aten.logical_not.default"}) return emit_not(node);
  if (node.op() == OpId{"aten.where.ScalarOther"}) return emit_hiding(node);
  if (node.op() == kRotate) return emit_rotation(node);
  return node.op() == ops::kScaledDotProductAttention && emit_attention(node);
}

// Between integers, truth and floats, where no number is lost. Those to the same type are movements.
bool AttentionEmitter::emit_conversion(const Node& node) {
  const Value* input = first_input(node);
  const at::ScalarType from = input->tensor().dtype, to = node.output()->tensor().dtype;
  std::optional<ModelBuilder::Moved> moved = builder_.places_of(input);
  if (!moved) return false;
  if (builder_.is_integers(moved->from)) moved->from = builder_.floats_of(moved->from);
  if (to == at::kFloat && (from == at::kLong || from == at::kBool)) {
    builder_.set_moved(node.output(), *moved);
    return true;
  }
  if (to != at::kBool || (from != at::kLong && from != at::kFloat)) return false;
  const ValueIndex truth = builder_.add_inner(moved->from, node.output()->name());
  builder_.add_node(node, FloatMap{moved->from, truth, FloatFunction::kNotEqual, 0, 0});
  builder_.set_moved(node.output(), {truth, moved->places});
  return true;
}

bool AttentionEmitter::emit_and(const Node& node) {
  if (node.output()->tensor().dtype != at::kBool) return false;  // bits of integers
  const Value *a = node.input("self"), *b = node.input("other");
  if (builder_.constant(a)) std::swap(a, b);
  const size_t rank = node.output()->tensor().rank();
  const std::optional<ModelBuilder::Moved> moved = builder_.places_of(a);
  const std::optional<at::Tensor> other = builder_.constant(b);
  const bool keeps_batch = moved && (moved->places.dim() == static_cast<int64_t>(rank) || builder_.is_of_one_image());
  if (keeps_batch && other && other->all().item<bool>()) {
    std::vector<int64_t> sizes;
    for (const Dim& size : node.output()->tensor().sizes) sizes.push_back(hint_of(size).value_or(0));
    sizes[0] = 1;
    builder_.set_moved(node.output(), {moved->from, moved->places.expand(sizes)});
    return true;
  }
  const std::optional<ValueIndex> x = builder_.find_floats(a, rank), y = builder_.find_floats(b, rank);
  if (!x || !y) return false;
  builder_.add_node(
      node, format::FloatBinary{*x, *y, builder_.add_floats(*node.output()), format::FloatArithmetic::kMultiply});
  return true;
}

bool AttentionEmitter::emit_not(const Node& node) {
  std::optional<ModelBuilder::Moved> moved = builder_.places_of(first_input(node));
  if (!moved || first_input(node)->tensor().dtype != at::kBool) return false;
  const ValueIndex other = builder_.add_inner(moved->from, node.output()->name());
  builder_.add_node(node, FloatMap{moved->from, other, FloatFunction::kSubtractFrom, 1, 0});
  builder_.set_moved(node.output(), {other, moved->places});
  return true;
}

// where(seen, 0, number): what is added to hide the rest.
bool AttentionEmitter::emit_hiding(const Node& node) {
  const std::optional<ModelBuilder::Moved> seen = builder_.places_of(node.input("condition"));
  const std::optional<at::Tensor> zero = builder_.constant(node.input("self"));
  const bool is_mask =
      zero && zero->dim() == 0 && zero->item<double>() == 0 && node.output()->tensor().dtype == at::kFloat;
  if (!seen || !is_mask) return false;
  const auto number = static_cast<float>(double_arg(node, "other"));
  if (!std::isfinite(number)) return false;
  const ValueIndex scaled = builder_.add_inner(seen->from, node.output()->name() + "_seen");
  builder_.add_node(node, FloatMap{seen->from, scaled, FloatFunction::kMultiply, -number, 0});
  const ValueIndex added = builder_.add_inner(seen->from, node.output()->name());
  builder_.add_node(node, FloatMap{scaled, added, FloatFunction::kAdd, number, 0});
  builder_.set_moved(node.output(), {added, seen->places});
  return true;
}

std::optional<AttentionEmitter::Heads> AttentionEmitter::rows_of(const Node& node, const Value* value,
                                                                 const char* name) {
  std::optional<ModelBuilder::Moved> moved = builder_.places_of(value);
  if (!moved || moved->places.dim() != 4 || !builder_.is_float(value)) return std::nullopt;
  const int64_t heads = moved->places.size(1), tokens = moved->places.size(2), size = moved->places.size(3);
  const std::vector<int64_t>& from = builder_.value(moved->from).sizes;
  const int64_t row = from.size() == 3 && from[1] == tokens ? from[2] : 0;
  const int64_t begin = moved->places[0][0][0][0].item<int64_t>();
  for (int64_t count = heads; count >= 1 && row > 0; --count) {  // each may stand for several
    if (heads % count != 0) continue;
    const at::Tensor head = at::arange(count).repeat_interleave(heads / count).mul(size).reshape({1, heads, 1, 1});
    const at::Tensor token = at::arange(tokens).mul(row).reshape({1, 1, tokens, 1});
    if (at::equal(moved->places, head + token + at::arange(begin, begin + size)))
      return Heads{{moved->from, static_cast<uint32_t>(begin)}, count};
  }
  const ValueIndex rows =
      builder_.add_plain(node.output()->name() + name, {builder_.value(moved->from).sizes[0], tokens, heads * size});
  moved->places = moved->places.transpose(1, 2).reshape({1, tokens, heads * size});
  builder_.emit_moved(node, *moved, rows);
  return Heads{{rows, 0}, heads};
}

std::optional<int64_t> AttentionEmitter::mask_of(const Node& node, const Value* mask, bool& causal) {
  if (mask == nullptr) return -1;
  if (const auto found = masks_.find(mask); found != masks_.end()) return found->second;
  const bool is_truth = mask->tensor().dtype == at::kBool;
  if (const std::optional<at::Tensor> numbers = builder_.constant(mask)) {
    if (is_truth && !causal && is_causal(*numbers)) {
      causal = true;
      return -1;
    }
    const std::optional<ValueIndex> added = builder_.find_floats(mask, 4);
    if (!added) return std::nullopt;
    if (is_truth) builder_.set_constant(*added, added_by(*numbers));
    return masks_[mask] = *added;
  }
  const std::optional<ModelBuilder::Moved> moved = builder_.places_of(mask);
  if (!moved || moved->places.dim() > 4) return std::nullopt;
  if (moved->places.dim() < 4 && !builder_.is_of_one_image()) return std::nullopt;  // its first size is no batch
  at::Tensor places = moved->places;
  while (places.dim() < 4) places = places.unsqueeze(1);
  places = without_repetitions(places);
  std::vector<int64_t> sizes = places.sizes().vec();
  sizes[0] = builder_.value(moved->from).sizes[0];
  const ValueIndex compact = builder_.add_plain(mask->name(), sizes);
  builder_.emit_moved(node, {moved->from, places}, compact);
  if (!is_truth) return masks_[mask] = compact;
  const ValueIndex added = builder_.add_inner(compact, mask->name() + "_log");
  builder_.add_node(node, FloatMap{compact, added, FloatFunction::kLog, 0, 0});
  return masks_[mask] = added;
}

bool AttentionEmitter::emit_rotation(const Node& node) {
  const std::optional<Heads> heads = rows_of(node, node.input("x"), "_heads");
  if (!heads) return false;
  const auto size_of = [&](size_t dim) { return hint_of(node.output()->tensor().sizes[dim]).value_or(0); };
  const int64_t count = size_of(1), tokens = size_of(2), size = size_of(3);
  if (heads->count != count) return false;
  format::Rotate rotate{.input = heads->rows,
                        .cos = 0,
                        .sin = 0,
                        .output = 0,
                        .heads = static_cast<uint32_t>(count),
                        .head_size = static_cast<uint32_t>(size)};
  for (const bool is_cos : {true, false}) {
    const Value* angles = node.input(is_cos ? "cos" : "sin");
    const at::Tensor numbers = builder_.constant(angles)->to(at::kFloat);
    if (numbers.numel() != tokens * size || numbers.size(-1) != size) return false;  // others for each head
    const auto known = angles_.find(angles);
    if (known == angles_.end()) {
      const ValueIndex index = builder_.add_plain(angles->name(), {1, tokens, size});
      builder_.set_constant(index, numbers);
      angles_[angles] = index;
    }
    (is_cos ? rotate.cos : rotate.sin) = angles_.at(angles);
  }
  rotate.output = builder_.add_plain(node.output()->name() + "_rows",
                                     {builder_.value(heads->rows.of).sizes[0], tokens, count * size});
  builder_.add_node(node, rotate);
  builder_.set_moved(node.output(), {rotate.output, in_heads(tokens, count, size)});
  return true;
}

bool AttentionEmitter::emit_attention(const Node& node) {
  const std::optional<Heads> query = rows_of(node, node.input("query"), "_query"),
                             key = rows_of(node, node.input("key"), "_key"),
                             value = rows_of(node, node.input("value"), "_value");
  format::Attention attention{};
  attention.causal = bool_arg(node, "is_causal");
  attention.in_float = in_float_;
  const std::optional<int64_t> mask = mask_of(node, node.input("attn_mask"), attention.causal);
  if (!query || !key || !value || !mask || double_arg(node, "dropout_p") != 0) return false;
  const auto size_of = [](const Value* of, size_t dim) { return hint_of(of->tensor().sizes[dim]).value_or(0); };
  const int64_t heads = size_of(node.output(), 1), tokens = size_of(node.output(), 2), size = size_of(node.output(), 3);
  if (size_of(node.input("query"), 3) != size || key->count != value->count || query->count != heads) return false;
  const Argument scale = arg_or_default(node, "scale");
  attention.query = query->rows, attention.key = key->rows, attention.value = value->rows;
  attention.mask = *mask;
  attention.heads = static_cast<uint32_t>(heads);
  attention.key_heads = static_cast<uint32_t>(key->count);
  attention.head_size = static_cast<uint32_t>(size);
  attention.scale =
      static_cast<float>(is_none(scale) ? 1 / std::sqrt(static_cast<double>(size)) : double_arg(node, "scale"));
  attention.output = builder_.add_plain(node.output()->name() + "_rows",
                                        {builder_.value(query->rows.of).sizes[0], tokens, heads * size});
  builder_.add_node(node, attention);
  builder_.set_moved(node.output(), {attention.output, in_heads(tokens, heads, size)});
  return true;
}

}  // namespace torquant::runtime_lowering
