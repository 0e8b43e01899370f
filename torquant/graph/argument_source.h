#pragma once

#include <ATen/core/ivalue.h>

#include <unordered_map>
#include <vector>

#include "torquant/graph/node.h"

namespace c10 {
struct Argument;
}  // namespace c10

namespace torquant {

// Numbers the values of a graph, in the order in which they are asked for. A run keeps each value in its slot.
class SlotTable {
 public:
  static constexpr int kNone = -1;

  // kNone for a null value.
  int of(const Value* value) {
    return value == nullptr ? kNone : slots_.try_emplace(value, static_cast<int>(slots_.size())).first->second;
  }
  size_t size() const { return slots_.size(); }

 private:
  std::unordered_map<const Value*, int> slots_;
};

// Where a run finds one argument of a step: a constant as the dispatcher takes it, or slots.
struct ArgumentSource {
  enum class Kind : uint8_t { kConstant, kSlot, kTensorList, kOptionalTensorList, kIntList };
  Kind kind = Kind::kConstant;
  bool scalar_to_tensor = false;  // kSlot: the schema wants a tensor, the program may give a scalar
  bool last_use = false;          // kSlot: the value can be moved out
  c10::IValue constant = {};
  std::vector<int> slots = {};         // SlotTable::kNone: a missing tensor, or a constant integer
  std::vector<int64_t> integers = {};  // kIntList: the constant where the slot is none
};

// Lays out `argument` as the schema's argument `expected` wants it: 3 as a tensor, [1, 2] as float[], 2 as int[2].
// A null `expected` changes nothing. Throws Error for what cannot be run.
ArgumentSource argument_source(const Argument& argument, const c10::Argument* expected, SlotTable& slots);

}  // namespace torquant
