#include "torquant/lower/runtime_builder.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <fmt/format.h>

#include <algorithm>

#include "torquant/graph/neighbours.h"
#include "torquant/lower/runtime_moves.h"

namespace torquant::runtime_lowering {
namespace {

// Of an image.
int64_t elements_of(const format::Value& value) {
  int64_t count = 1;
  for (size_t i = 1; i < value.sizes.size(); ++i) count *= value.sizes[i];
  return count;
}

bool is_in_order(const at::Tensor& places, int64_t count) {
  return places.numel() == count && at::equal(places.flatten(), at::arange(count, at::kLong));
}

}  // namespace

std::optional<ValueIndex> ModelBuilder::find(const Value* value) {
  const auto found = value == nullptr ? values_.end() : values_.find(value);
  if (found != values_.end()) return found->second;
  const auto moved = value == nullptr ? moved_.end() : moved_.find(value);
  return moved == moved_.end() ? std::nullopt : std::optional(emit_moved(*value, moved->second));
}

bool ModelBuilder::is_float(const Value* value) const {
  const auto found = values_.find(value);
  const auto moved = moved_.find(value);
  if (found == values_.end() && moved == moved_.end()) return false;
  const ValueIndex index = found != values_.end() ? found->second : moved->second.from;
  return this->value(index).type == format::ValueType::kFloat32;
}

ValueIndex ModelBuilder::add_value(const Value& value, format::ValueType type, const TensorGrid& grid) {
  format::Value made{.name = value.name(), .type = type, .grid = grid};
  for (const Dim& size : value.tensor().sizes) made.sizes.push_back(hint_of(size).value_or(0));
  if (!made.sizes.empty()) made.sizes[0] = batch_of(value);
  made_.model.values.push_back(std::move(made));
  const auto index = static_cast<ValueIndex>(made_.model.values.size() - 1);
  values_[&value] = index;
  return index;
}

ValueIndex ModelBuilder::add_inner(ValueIndex like, const std::string& name) {
  format::Value made = value(like);
  made.name = name;
  made_.model.values.push_back(std::move(made));
  return static_cast<ValueIndex>(made_.model.values.size() - 1);
}

// The first size of all values is that of the first input: a number, or a symbol with a range.
int64_t ModelBuilder::batch_of(const Value& value) {
  const Dim& size = value.tensor().sizes[0];
  if (!batch_) set_batch(size);
  if (size == *batch_) return made_.model.least_batch;
  problem(fmt::format("%{}: its first size is not the batch", value.name()));
  return 0;
}

void ModelBuilder::set_batch(const Dim& size) {
  batch_ = size;
  const auto* number = std::get_if<int64_t>(&size);
  const auto range = number != nullptr ? program_.ranges().end() : program_.ranges().find(to_string(size));
  const bool ranges = range != program_.ranges().end();
  made_.model.least_batch =
      number != nullptr ? *number : std::max<int64_t>(1, ranges ? range->second.min.value_or(1) : 1);
  made_.model.most_batch =
      number != nullptr ? *number
                        : std::min<int64_t>(kMostBatch, ranges ? range->second.max.value_or(kMostBatch) : kMostBatch);
}

void ModelBuilder::add_node(const Node& node, format::Operation operation) {
  const std::string module = node.module_path();
  made_.model.nodes.push_back({.name = module.empty() ? "%" + node.name() : module, .operation = std::move(operation)});
}

at::Tensor ModelBuilder::places_in(ValueIndex index) const {
  std::vector<int64_t> sizes = value(index).sizes;
  sizes[0] = 1;
  return at::arange(elements_of(value(index)), at::kLong).reshape(sizes);
}

bool ModelBuilder::move(const Node& node) {
  const Value* first = first_input(node);
  const auto earlier = moved_.find(first);
  const auto start = values_.find(first);
  if (earlier == moved_.end() && start == values_.end()) return false;
  const ValueIndex from = earlier == moved_.end() ? start->second : earlier->second.from;
  const at::Tensor places = move_places(node, earlier == moved_.end() ? places_in(from) : earlier->second.places);
  if (!places.defined() || node.output()->tensor().sizes[0] != *batch_) return false;
  if (places.sizes().slice(1) == at::IntArrayRef(value(from).sizes).slice(1) && is_in_order(places, places.numel())) {
    values_[node.output()] = from;  // nothing moves
  } else {
    moved_[node.output()] = {from, places};
  }
  return true;
}

ModelBuilder::Moved ModelBuilder::in_two_steps(const Value& value, const Moved& moved) {
  if (as_rearrange(moved.places)) return moved;
  std::vector<const Node*> rest;
  const Value* between = &value;
  while (true) {
    rest.push_back(between->producer());
    between = first_input(*between->producer());
    const auto earlier = moved_.find(between);
    if (earlier == moved_.end()) return moved;
    const bool is_value = between->tensor().rank() <= format::kMostSizes;
    if (is_value && as_rearrange(earlier->second.places)) break;
  }
  const ValueIndex from = *find(between);
  at::Tensor places = places_in(from);
  for (size_t i = rest.size(); i-- > 0;) places = move_places(*rest[i], places);
  return {from, places};
}

ValueIndex ModelBuilder::emit_moved(const Value& value, const Moved& direct) {
  const Moved moved = in_two_steps(value, direct);
  const format::Value& from = this->value(moved.from);
  const bool is_codes = from.type == format::ValueType::kUint8;
  const bool is_flat = is_codes && moved.places.dim() == 2 && is_in_order(moved.places, elements_of(from));
  const ValueIndex output = add_value(value, from.type, grid_of(moved.from));
  std::optional<format::Rearrange> rearrange = as_rearrange(moved.places);
  if (is_flat) {
    add_node(*value.producer(), format::Flatten{moved.from, output});
  } else if (rearrange) {
    rearrange->input = moved.from, rearrange->output = output;
    add_node(*value.producer(), *rearrange);
  } else {
    problem(value.producer()->describe() + ": moves numbers in a way that has no pattern");
  }
  return output;
}

}  // namespace torquant::runtime_lowering
