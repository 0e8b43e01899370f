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

std::optional<at::Tensor> ModelBuilder::constant(const Value* value) const {
  if (!known_.contains(value)) return std::nullopt;
  return evaluate_constant(program_, value);
}

std::optional<ValueIndex> ModelBuilder::find_floats(const Value* value, size_t rank) {
  const auto is_of_rank = [&](const Value* v) { return v->is_tensor() && v->tensor().rank() == rank; };
  if (value == nullptr) return std::nullopt;
  if (is_float(value)) return is_of_rank(value) ? find(value) : std::nullopt;
  const std::optional<at::Tensor> numbers = constant(value);
  if (!numbers || static_cast<size_t>(numbers->dim()) > rank) return std::nullopt;
  std::vector<int64_t> sizes(rank - static_cast<size_t>(numbers->dim()), 1);
  sizes.insert(sizes.end(), numbers->sizes().begin(), numbers->sizes().end());
  const ValueIndex index = add_plain(value->name(), sizes);
  set_constant(index, numbers->to(at::kFloat));
  return index;
}

void ModelBuilder::set_constant(ValueIndex index, const at::Tensor& floats) {
  const at::Tensor numbers = floats.contiguous();
  const auto* begin = numbers.const_data_ptr<float>();
  made_.model.values[index].constant = made_.numbers.emplace_back(begin, begin + numbers.numel());
}

ValueIndex ModelBuilder::floats_of(ValueIndex integers) {
  const auto found = floats_.find(integers);
  if (found != floats_.end()) return found->second;
  const ValueIndex floats = add_plain(value(integers).name + "_floats", value(integers).sizes);
  made_.model.nodes.push_back({value(floats).name, format::FromIntegers{integers, floats}});
  return floats_[integers] = floats;
}

ValueIndex ModelBuilder::add_plain(const std::string& name, std::vector<int64_t> sizes) {
  made_.model.values.push_back({.name = name, .type = format::ValueType::kFloat32, .sizes = std::move(sizes)});
  return static_cast<ValueIndex>(made_.model.values.size() - 1);
}

std::optional<ModelBuilder::Moved> ModelBuilder::places_of(const Value* value) const {
  if (const auto moved = moved_.find(value); moved != moved_.end()) return moved->second;
  const auto found = values_.find(value);
  if (found == values_.end()) return std::nullopt;
  return Moved{found->second, places_in(found->second)};
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
  const std::optional<Moved> start = places_of(first_input(node));
  if (!start) return false;
  const auto constant_of = [this](const Value* value) { return constant(value); };
  const at::Tensor places = move_places(node, start->places, constant_of);
  if (!places.defined() || node.output()->tensor().sizes[0] != *batch_) return false;
  set_moved(node.output(), {start->from, places});
  return true;
}

void ModelBuilder::set_moved(const Value* value, const Moved& moved) {
  const bool same_sizes = moved.places.sizes().slice(1) == at::IntArrayRef(this->value(moved.from).sizes).slice(1);
  if (same_sizes && is_in_order(moved.places, moved.places.numel())) {
    values_[value] = moved.from;  // nothing moves
  } else {
    moved_[value] = {is_integers(moved.from) ? floats_of(moved.from) : moved.from, moved.places};
  }
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
  const auto constant_of = [this](const Value* v) { return constant(v); };
  for (size_t i = rest.size(); i-- > 0;) places = move_places(*rest[i], places, constant_of);
  return {from, places};
}

ValueIndex ModelBuilder::emit_moved(const Value& value, const Moved& direct) {
  const Moved moved = in_two_steps(value, direct);
  const format::Value& from = this->value(moved.from);
  const ValueIndex output = add_value(value, from.type, grid_of(moved.from));
  emit_moved(*value.producer(), moved, output);
  return output;
}

void ModelBuilder::emit_moved(const Node& node, const Moved& moved, ValueIndex output) {
  const format::Value& from = value(moved.from);
  const bool is_codes = from.type == format::ValueType::kUint8;
  const bool is_flat = is_codes && moved.places.dim() == 2 && is_in_order(moved.places, elements_of(from));
  std::optional<format::Rearrange> rearrange = as_rearrange(moved.places);
  if (is_flat) {
    add_node(node, format::Flatten{moved.from, output});
  } else if (rearrange) {
    rearrange->input = moved.from, rearrange->output = output;
    add_node(node, *rearrange);
  } else {
    problem(node.describe() + ": moves numbers in a way that has no pattern");
  }
}

}  // namespace torquant::runtime_lowering
