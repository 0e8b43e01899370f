#include "torquant/graph/argument_fits.h"

#include <ATen/core/jit_type.h>

#include <algorithm>

#include "torquant/graph/value.h"

namespace torquant {
namespace {

bool is_scalar(const Argument& argument, std::initializer_list<ScalarKind> kinds) {
  const Value* value = value_of(argument);
  const auto* meta = value == nullptr ? nullptr : std::get_if<ScalarMeta>(&value->meta());
  return meta != nullptr && std::find(kinds.begin(), kinds.end(), meta->kind) != kinds.end();
}

template <typename... Kinds>
bool is_one_of(const Argument& argument) {
  return (std::holds_alternative<Kinds>(argument) || ...);
}

bool is_empty_list(const Argument& argument) {
  return std::visit(
      [](const auto& value) {
        if constexpr (requires { value.begin(); })
          return value.empty() && !std::is_same_v<decltype(value), const std::string&>;
        return false;
      },
      argument);
}

bool fits_list(const Argument& argument, const c10::Type& element) {
  if (is_empty_list(argument)) return true;
  if (const auto* values = std::get_if<std::vector<Value*>>(&argument)) {
    const bool optional = element.kind() == c10::TypeKind::OptionalType;
    const c10::Type& inner = optional ? *element.castRaw<c10::OptionalType>()->getElementType() : element;
    return inner.kind() == c10::TypeKind::TensorType &&
           std::all_of(values->begin(), values->end(),
                       [&](const Value* v) { return v == nullptr ? optional : v->is_tensor(); });
  }
  using Ints = std::vector<int64_t>;
  using Computed = std::vector<ScalarOrValue>;
  switch (element.kind()) {
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
      return is_one_of<Ints, Computed, int64_t>(argument) || is_scalar(argument, {ScalarKind::kInt});
    case c10::TypeKind::FloatType:
      return is_one_of<std::vector<double>, Ints, Computed, double, int64_t>(argument);
    case c10::TypeKind::NumberType:
      return is_one_of<std::vector<double>, Ints, Computed>(argument);
    case c10::TypeKind::BoolType:
      return is_one_of<std::vector<bool>, Computed, bool>(argument);
    case c10::TypeKind::StringType:
      return is_one_of<std::vector<std::string>>(argument);
    case c10::TypeKind::OptionalType:
      return element.castRaw<c10::OptionalType>()->getElementType()->kind() == c10::TypeKind::NumberType &&
             is_one_of<std::vector<double>>(argument);
    case c10::TypeKind::TensorType:
      return false;  // not a list of values
    default:
      return true;  // kinds that no graph of ours holds
  }
}

}  // namespace

bool fits(const Argument& argument, const c10::Type& type) {
  if (is_one_of<OpaqueArgument>(argument)) return true;
  switch (type.kind()) {
    case c10::TypeKind::OptionalType:
      return is_none(argument) || fits(argument, *type.castRaw<c10::OptionalType>()->getElementType());
    case c10::TypeKind::TensorType: {  // a Python scalar may stand for a tensor
      const Value* value = value_of(argument);
      return value != nullptr ? !std::holds_alternative<ObjectMeta>(value->meta())
                              : is_one_of<int64_t, double, bool>(argument);
    }
    case c10::TypeKind::IntType:  // dtypes, layouts and memory formats are ints to a schema
    case c10::TypeKind::SymIntType:
      return is_one_of<int64_t, bool, at::ScalarType, at::Layout, at::MemoryFormat>(argument) ||
             is_scalar(argument, {ScalarKind::kInt, ScalarKind::kBool});
    case c10::TypeKind::FloatType:
    case c10::TypeKind::SymFloatType:
    case c10::TypeKind::NumberType:
      return is_one_of<double, int64_t, bool>(argument) ||
             is_scalar(argument, {ScalarKind::kInt, ScalarKind::kFloat, ScalarKind::kBool});
    case c10::TypeKind::BoolType:
    case c10::TypeKind::SymBoolType:
      return is_one_of<bool, int64_t>(argument) || is_scalar(argument, {ScalarKind::kBool, ScalarKind::kInt});
    case c10::TypeKind::StringType:
      return is_one_of<std::string>(argument);
    case c10::TypeKind::DeviceObjType:
      return is_one_of<at::Device>(argument);
    case c10::TypeKind::ListType:
      return fits_list(argument, *type.castRaw<c10::ListType>()->getElementType());
    default:
      return true;
  }
}

}  // namespace torquant
