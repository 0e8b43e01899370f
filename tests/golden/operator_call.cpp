#include "operator_call.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include "torquant/core/error.h"

namespace torquant::golden {
namespace {

// "codes" and "codes_as_uint8" of a case are the operator's `input`, viewed as the dtype that the parameters name.
at::Tensor tensor_argument(const Case& c, const std::string& name) {
  if (c.has_input(name)) return c.input(name);
  if (name == "input" && c.has_input("codes")) return c.input("codes");
  if (name == "input" && c.has_input("codes_as_uint8")) {
    return c.input("codes_as_uint8").view(c.scalar_type("dtype"));
  }
  throw Error({.where = c.id(), .what = "no input " + name});
}

}  // namespace

c10::IValue argument_value(const Case& c, const c10::Argument& argument) {
  const std::string& name = argument.name();
  const bool is_parameter = c.params().contains(name);
  if (is_parameter && c.params()[name].is_null()) return {};
  switch (argument.type()->kind()) {
    case c10::TypeKind::TensorType:
      return tensor_argument(c, name);
    case c10::TypeKind::FloatType:
      return is_parameter ? c10::IValue(c.number(name.c_str())) : *argument.default_value();
    case c10::TypeKind::IntType:
      if (!is_parameter) return *argument.default_value();
      // A dtype is an integer to the dispatcher.
      if (c.params()[name].is_string()) return static_cast<int64_t>(c.scalar_type(name.c_str()));
      return c.integer(name.c_str());
    case c10::TypeKind::BoolType:
      return is_parameter ? c10::IValue(c.boolean(name.c_str())) : *argument.default_value();
    case c10::TypeKind::OptionalType: {
      const auto inner = argument.type()->castRaw<c10::OptionalType>()->getElementType();
      if (inner->kind() == c10::TypeKind::TensorType) {
        if (!c.has_input(name)) return {};
        const at::Tensor tensor = c.input(name);
        return tensor.defined() ? c10::IValue(tensor) : c10::IValue();
      }
      if (!is_parameter) return {};
      return static_cast<int64_t>(c.scalar_type(name.c_str()));
    }
    default:
      throw Error({.where = c.id(), .what = "argument " + name + " of type " + argument.type()->str()});
  }
}

std::vector<at::Tensor> call_operator(const Case& c, const std::string& name) {
  const size_t dot = name.find('.');
  const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(
      name.substr(0, dot).c_str(), dot == std::string::npos ? "" : name.substr(dot + 1).c_str());
  std::vector<c10::IValue> stack;
  for (const c10::Argument& argument : op.schema().arguments()) stack.push_back(argument_value(c, argument));
  op.callBoxed(stack);
  std::vector<at::Tensor> results;
  for (const c10::IValue& value : stack) results.push_back(value.toTensor());
  return results;
}

}  // namespace torquant::golden
