#include "torquant/graph/operator_schema.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <fmt/format.h>

#include <mutex>
#include <unordered_map>

#include "torquant/core/error.h"

namespace torquant {
namespace {

const c10::Argument* find_schema_arg(const OpId& op, std::string_view name) {
  const c10::OperatorHandle* handle = find_operator(op);
  if (handle == nullptr) return nullptr;
  for (const c10::Argument& arg : handle->schema().arguments()) {
    if (arg.name() == name) return &arg;
  }
  return nullptr;
}

Argument from_ivalue(const c10::IValue& value, const Node& node, std::string_view name) {
  if (value.isNone()) return std::monostate{};
  if (value.isBool()) return value.toBool();
  if (value.isInt()) return value.toInt();
  if (value.isDouble()) return value.toDouble();
  if (value.isString()) return value.toStringRef();
  if (value.isIntList()) return value.toIntVector();
  if (value.isDoubleList()) return value.toDoubleVector();
  if (value.isList() && value.toListRef().empty()) return std::vector<int64_t>{};
  throw Error({.where = node.describe(),
               .what = fmt::format("the default of argument \"{}\" is of a kind that graphs do not hold ({})", name,
                                   value.tagKind())});
}

[[noreturn]] void wrong_type(const Node& node, std::string_view name, const char* wanted) {
  throw Error({.where = node.describe(), .what = fmt::format("argument \"{}\" is not {}", name, wanted)});
}

}  // namespace

const c10::OperatorHandle* find_operator(const OpId& op) {
  if (!op.is_dispatcher_op()) return nullptr;
  static std::mutex mutex;
  static auto* cache = new std::unordered_map<OpId, c10::OperatorHandle>();
  const std::lock_guard lock(mutex);
  if (const auto found = cache->find(op); found != cache->end()) return &found->second;
  // A miss is not remembered: a library with the operator may be loaded later.
  const auto handle = c10::Dispatcher::singleton().findSchema({op.qualified_name(), op.overload()});
  return handle ? &cache->emplace(op, *handle).first->second : nullptr;
}

Argument arg_or_default(const Node& node, std::string_view name) {
  if (const Argument* given = node.find_arg(name)) return *given;
  const c10::Argument* schema = find_schema_arg(node.op(), name);
  if (schema == nullptr || !schema->default_value()) {
    throw Error({.where = node.describe(),
                 .what = fmt::format("argument \"{}\" is {}", name,
                                     schema == nullptr ? "not one of this operator" : "required and missing")});
  }
  return from_ivalue(*schema->default_value(), node, name);
}

int64_t int_arg(const Node& node, std::string_view name) {
  const Argument argument = arg_or_default(node, name);
  if (const auto* value = std::get_if<int64_t>(&argument)) return *value;
  wrong_type(node, name, "an integer");
}

double double_arg(const Node& node, std::string_view name) {
  const Argument argument = arg_or_default(node, name);
  if (const auto* value = std::get_if<double>(&argument)) return *value;
  if (const auto* value = std::get_if<int64_t>(&argument)) return static_cast<double>(*value);
  wrong_type(node, name, "a number");
}

bool bool_arg(const Node& node, std::string_view name) {
  const Argument argument = arg_or_default(node, name);
  if (const auto* value = std::get_if<bool>(&argument)) return *value;
  wrong_type(node, name, "true or false");
}

std::vector<int64_t> ints_arg(const Node& node, std::string_view name, size_t expected) {
  const Argument argument = arg_or_default(node, name);
  if (const auto* values = std::get_if<std::vector<int64_t>>(&argument)) {
    if (values->size() == 1 && expected > 1) return std::vector<int64_t>(expected, values->front());
    return *values;
  }
  if (const auto* value = std::get_if<int64_t>(&argument)) {
    return std::vector<int64_t>(std::max<size_t>(expected, 1), *value);
  }
  wrong_type(node, name, "a list of integers");
}

std::string schema_arg_name(const OpId& op, size_t index) {
  const c10::OperatorHandle* handle = find_operator(op);
  if (handle == nullptr || index >= handle->schema().arguments().size()) return "";
  return handle->schema().arguments()[index].name();
}

bool is_keyword_only(const OpId& op, std::string_view name) {
  const c10::Argument* arg = find_schema_arg(op, name);
  return arg != nullptr && arg->kwarg_only();
}

}  // namespace torquant
