#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "torquant/lower/runtime.h"
#include "torquant/pass/constant_values.h"

namespace torquant::runtime_lowering {

using format::ValueIndex;

// The model as it grows: which of its values the graph's became. What only moves is noted, and made when a node that
// computes asks for it.
class ModelBuilder {
 public:
  ModelBuilder(const Program& program, RuntimeModel& made, std::vector<std::string>& problems)
      : program_(program), made_(made), problems_(problems), known_(known_values(program)) {}

  // The model's value of the graph's; nothing where no node that was emitted gives it.
  std::optional<ValueIndex> find(const Value* value);
  // The same, of floats, or a constant of the graph with ones in front of its sizes up to `rank`.
  std::optional<ValueIndex> find_floats(const Value* value, size_t rank);
  // The numbers of a value that depends on no input; nothing of another one.
  std::optional<at::Tensor> constant(const Value* value) const;
  bool is_known(const Value* value) const { return values_.contains(value) || moved_.contains(value); }
  bool is_float(const Value* value) const;

  const format::Value& value(ValueIndex index) const { return made_.model.values[index]; }
  const TensorGrid& grid_of(ValueIndex index) const { return value(index).grid; }

  ValueIndex add_codes(const Value& value, const TensorGrid& grid) {
    return add_value(value, format::ValueType::kUint8, grid);
  }
  ValueIndex add_floats(const Value& value) { return add_value(value, format::ValueType::kFloat32, {}); }
  // One more value with the sizes and the type of `like`, which the graph does not have.
  ValueIndex add_inner(ValueIndex like, const std::string& name);
  ValueIndex add_integers(const Value& value) { return add_value(value, format::ValueType::kInt64, {}); }
  // Integers as floats.
  ValueIndex floats_of(ValueIndex integers);
  // A value of the model's own.
  ValueIndex add_plain(const std::string& name, std::vector<int64_t> sizes);
  RuntimeModel& made() { return made_; }
  void set_constant(ValueIndex index, const at::Tensor& floats);
  void rename_last(const std::string& name) { made_.model.values.back().name = name; }

  void add_node(const Node& node, format::Operation operation);

  // Notes where the numbers come from that `node` only moves; false where it does more, or nothing is known of its
  // input.
  bool move(const Node& node);

  // Where the numbers of an image of `value` lie in an image of a value of the model, in PyTorch's order.
  struct Moved {
    ValueIndex from;
    at::Tensor places;
  };
  std::optional<Moved> places_of(const Value* value) const;
  // That `value` has them; none of it is made before a node that computes asks for it.
  void set_moved(const Value* value, const Moved& moved);
  void emit_moved(const Node& node, const Moved& moved, ValueIndex output);
  // Whether all values are of a single image, so that their first size may be taken for another.
  bool is_of_one_image() const { return made_.model.most_batch == 1; }
  bool is_integers(ValueIndex index) const { return value(index).type == format::ValueType::kInt64; }

  void problem(std::string text) { problems_.push_back(std::move(text)); }

 private:
  ValueIndex add_value(const Value& value, format::ValueType type, const TensorGrid& grid);
  at::Tensor places_in(ValueIndex index) const;  // those of the value itself
  // Where all movements together have no pattern, but the first ones do: those that follow, from the numbers between.
  Moved in_two_steps(const Value& value, const Moved& moved);
  ValueIndex emit_moved(const Value& value, const Moved& direct);
  int64_t batch_of(const Value& value);
  void set_batch(const Dim& size);

  static constexpr int64_t kMostBatch = 65536;  // where a program names no limit

  const Program& program_;
  RuntimeModel& made_;
  std::vector<std::string>& problems_;
  std::unordered_set<const Value*> known_;
  std::optional<Dim> batch_;
  std::unordered_map<const Value*, ValueIndex> values_;
  std::unordered_map<const Value*, Moved> moved_;
  std::unordered_map<ValueIndex, ValueIndex> floats_;  // of integers
};

}  // namespace torquant::runtime_lowering
