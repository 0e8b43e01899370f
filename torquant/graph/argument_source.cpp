#include "torquant/graph/argument_source.h"

#include <ATen/core/function_schema.h>

#include <algorithm>

#include "torquant/core/error.h"
#include "torquant/graph/wrapped_number.h"

namespace torquant {
namespace {

using c10::IValue;
using Kind = ArgumentSource::Kind;

// What the schema says of an argument, as far as the layout of the value depends on it.
struct Expected {
  bool tensor = false;
  bool floating = false;
  bool boolean = false;
  bool list = false;
  bool float_list = false;
  bool optional_elements = false;
  size_t list_size = 1;  // of int[2]: one integer stands for two

  explicit Expected(const c10::Argument* argument) {
    if (argument == nullptr) return;
    c10::TypePtr type = argument->type();
    if (const auto optional = type->cast<c10::OptionalType>()) type = optional->getElementType();
    tensor = type->kind() == c10::TypeKind::TensorType;
    floating = type->kind() == c10::TypeKind::FloatType;
    boolean = type->kind() == c10::TypeKind::BoolType;
    if (const auto list_type = type->cast<c10::ListType>()) {
      list = true;
      float_list = list_type->getElementType()->kind() == c10::TypeKind::FloatType;
      optional_elements = list_type->getElementType()->kind() == c10::TypeKind::OptionalType;
    }
    list_size = static_cast<size_t>(argument->N().value_or(1));
  }
};

// One overload a kind of argument.
class Layout {
 public:
  Layout(const c10::Argument* expected, SlotTable& slots) : expected_(expected), slots_(slots) {}

  ArgumentSource operator()(std::monostate) const { return {}; }
  ArgumentSource operator()(Value* value) const {
    if (value == nullptr) return {};
    return {
        .kind = Kind::kSlot, .scalar_to_tensor = expected_.tensor && !value->is_tensor(), .slots = {slots_.of(value)}};
  }

  ArgumentSource operator()(bool value) const {
    return expected_.tensor ? constant(wrapped_number(value)) : constant(value);
  }
  ArgumentSource operator()(int64_t value) const {
    if (expected_.float_list) return constant(std::vector<double>(expected_.list_size, static_cast<double>(value)));
    if (expected_.list) return constant(std::vector<int64_t>(expected_.list_size, value));
    if (expected_.boolean) return constant(value != 0);
    if (expected_.floating) return constant(static_cast<double>(value));
    return expected_.tensor ? constant(wrapped_number(value)) : constant(value);
  }
  ArgumentSource operator()(double value) const {
    return expected_.tensor ? constant(wrapped_number(value)) : constant(value);
  }

  // Dtypes, layouts and memory formats are integers to the dispatcher.
  ArgumentSource operator()(at::ScalarType value) const { return constant(static_cast<int64_t>(value)); }
  ArgumentSource operator()(at::Layout value) const { return constant(static_cast<int64_t>(value)); }
  ArgumentSource operator()(at::MemoryFormat value) const { return constant(static_cast<int64_t>(value)); }
  ArgumentSource operator()(const at::Device& value) const { return constant(value); }
  ArgumentSource operator()(const std::string& value) const { return constant(value); }

  ArgumentSource operator()(const std::vector<int64_t>& values) const {
    return expected_.float_list ? constant(std::vector<double>(values.begin(), values.end())) : constant(values);
  }
  ArgumentSource operator()(const std::vector<double>& values) const { return constant(values); }
  ArgumentSource operator()(const std::vector<std::string>& values) const { return constant(values); }
  ArgumentSource operator()(const std::vector<bool>& values) const {
    c10::List<bool> list;
    for (const bool value : values) list.push_back(value);
    return constant(list);
  }
  ArgumentSource operator()(const std::vector<Value*>& values) const {
    const bool missing = std::find(values.begin(), values.end(), nullptr) != values.end();
    ArgumentSource list{.kind = expected_.optional_elements || missing ? Kind::kOptionalTensorList : Kind::kTensorList};
    for (const Value* value : values) list.slots.push_back(slots_.of(value));
    return list;
  }
  ArgumentSource operator()(const std::vector<ScalarOrValue>& items) const {
    ArgumentSource list{.kind = Kind::kIntList};
    for (const ScalarOrValue& item : items) {
      const auto* value = std::get_if<Value*>(&item);
      const auto* integer = std::get_if<int64_t>(&item);
      if (value == nullptr && integer == nullptr) {
        throw Error({.where = "", .what = "a list of symbolic floats or bools", .allowed = "symbolic integers"});
      }
      list.slots.push_back(value == nullptr ? SlotTable::kNone : slots_.of(*value));
      list.integers.push_back(integer == nullptr ? 0 : *integer);
    }
    return list;
  }

  ArgumentSource operator()(const SubgraphArgument&) const { refuse(); }
  ArgumentSource operator()(const OperatorArgument&) const { refuse(); }
  ArgumentSource operator()(const OpaqueArgument&) const { refuse(); }

 private:
  static ArgumentSource constant(IValue value) { return {.constant = std::move(value)}; }
  [[noreturn]] static void refuse() {
    throw Error({.where = "", .what = "an argument of a kind that cannot be run (complex or nested list)"});
  }

  Expected expected_;
  SlotTable& slots_;
};

}  // namespace

ArgumentSource argument_source(const Argument& argument, const c10::Argument* expected, SlotTable& slots) {
  return std::visit(Layout(expected, slots), argument);
}

}  // namespace torquant
