#include "torquant/graph/shape_call.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "torquant/core/error.h"
#include "torquant/graph/operator_schema.h"

namespace torquant::shape {
namespace {

// Three kinds of operands promote apart: tensors with dimensions win over those without, these over Python scalars,
// unless a lower kind is of a higher category (bool < integer < float < complex). ATen/native/TypeProperties.cpp.
struct Promotion {
  at::ScalarType with_dims = at::ScalarType::Undefined;
  at::ScalarType without_dims = at::ScalarType::Undefined;
  at::ScalarType numbers = at::ScalarType::Undefined;

  static void join(at::ScalarType& into, at::ScalarType dtype) {
    into = into == at::ScalarType::Undefined ? dtype : c10::promoteTypes(into, dtype);
  }
  static int category(at::ScalarType dtype) {
    if (dtype == at::ScalarType::Undefined) return -1;
    if (c10::isComplexType(dtype)) return 3;
    if (c10::isFloatingType(dtype)) return 2;
    return dtype == at::kBool ? 0 : 1;
  }
  static at::ScalarType combine(at::ScalarType higher, at::ScalarType lower) {
    if (category(lower) <= category(higher)) return higher;
    if (category(higher) == 2 && category(lower) == 3) return c10::toComplexType(higher);
    return higher == at::ScalarType::Undefined ? lower : c10::promoteTypes(higher, lower);
  }
  at::ScalarType result() const { return combine(with_dims, combine(without_dims, numbers)); }
};

at::ScalarType number_type(ScalarKind kind) {
  switch (kind) {
    case ScalarKind::kInt:
      return at::kLong;
    case ScalarKind::kFloat:
      return at::kFloat;  // the default dtype
    case ScalarKind::kBool:
      return at::kBool;
  }
  return at::kFloat;
}

}  // namespace

void Call::fail(std::string what, std::string allowed) const {
  throw Error({.where = node_.describe(), .what = std::move(what), .allowed = std::move(allowed)});
}
void Call::check(bool holds, std::string_view what) const {
  if (!holds) fail(std::string(what));
}

Argument Call::argument(std::string_view name) const { return arg_or_default(node_, name); }

const TensorMeta* Call::optional_tensor(std::string_view name) const {
  const Value* value = node_.input(name);
  return value != nullptr && value->is_tensor() ? &value->tensor() : nullptr;
}

const TensorMeta& Call::tensor(std::string_view name) const {
  const TensorMeta* meta = optional_tensor(name);
  if (meta == nullptr) fail(fmt::format("argument \"{}\" is no tensor", name));
  return *meta;
}

std::vector<const TensorMeta*> Call::tensors(std::string_view name) const {
  const Argument* given = node_.find_arg(name);
  const auto* values = given == nullptr ? nullptr : std::get_if<std::vector<Value*>>(given);
  if (values == nullptr) fail(fmt::format("argument \"{}\" is no list of tensors", name));
  std::vector<const TensorMeta*> metas;
  for (const Value* value : *values) {
    if (value == nullptr || !value->is_tensor()) fail(fmt::format("argument \"{}\" is no list of tensors", name));
    metas.push_back(&value->tensor());
  }
  return metas;
}

bool Call::is_none(std::string_view name) const { return torquant::is_none(argument(name)); }
int64_t Call::integer(std::string_view name) const { return int_arg(node_, name); }
bool Call::boolean(std::string_view name) const { return bool_arg(node_, name); }
std::vector<int64_t> Call::integers(std::string_view name, size_t expected) const {
  std::vector<int64_t> values = ints_arg(node_, name, expected);
  if (expected != 0 && values.size() != expected) {
    fail(fmt::format("argument \"{}\" has {} values", name, values.size()), std::to_string(expected));
  }
  return values;
}

std::optional<at::ScalarType> Call::dtype(std::string_view name) const {
  const Argument value = argument(name);
  if (torquant::is_none(value)) return std::nullopt;
  if (const auto* dtype = std::get_if<at::ScalarType>(&value)) return *dtype;
  if (const auto* code = std::get_if<int64_t>(&value)) return static_cast<at::ScalarType>(*code);
  fail(fmt::format("argument \"{}\" is no dtype", name));
}

namespace {

std::optional<Dim> dim_of(const Value& value) {
  const auto* scalar = std::get_if<ScalarMeta>(&value.meta());
  const auto* dim = scalar == nullptr ? nullptr : std::get_if<Dim>(&scalar->value);
  return dim == nullptr ? std::nullopt : std::optional(*dim);
}

}  // namespace

std::optional<Dim> Call::dim(std::string_view name) const {
  if (const Value* value = node_.input(name)) return dim_of(*value);
  return integer(name);
}

std::optional<Dims> Call::dims(std::string_view name) const {
  const Argument value = argument(name);
  const auto* items = std::get_if<std::vector<ScalarOrValue>>(&value);
  Dims dims;
  if (items == nullptr) {
    for (const int64_t size : ints_arg(node_, name)) dims.emplace_back(size);
    return dims;
  }
  for (const ScalarOrValue& item : *items) {
    const auto* integer = std::get_if<int64_t>(&item);
    const auto* computed = std::get_if<Value*>(&item);
    const std::optional<Dim> dim = integer != nullptr    ? std::optional<Dim>(*integer)
                                   : computed != nullptr ? dim_of(**computed)
                                                         : std::nullopt;
    if (!dim) return std::nullopt;
    dims.push_back(*dim);
  }
  return dims;
}

size_t Call::axis(int64_t axis, size_t rank) const {
  const auto end = static_cast<int64_t>(std::max<size_t>(rank, 1));
  if (axis < -end || axis >= end) {
    fail(fmt::format("axis {} of a tensor of rank {}", axis, rank), fmt::format("{} to {}", -end, end - 1));
  }
  return static_cast<size_t>(axis < 0 ? axis + end : axis);
}

std::vector<bool> Call::axes(std::string_view name, size_t rank) const {
  const Argument value = argument(name);
  const std::vector<int64_t> given = torquant::is_none(value) ? std::vector<int64_t>{} : ints_arg(node_, name);
  std::vector<bool> flags(std::max<size_t>(rank, 1), given.empty());
  for (const int64_t one : given) flags[axis(one, rank)] = true;
  flags.resize(rank);
  return flags;
}

at::ScalarType Call::promoted(std::initializer_list<std::string_view> names) const {
  Promotion promotion;
  for (const std::string_view name : names) {
    const Argument value = argument(name);
    if (const Value* input = value_of(value)) {
      if (input->is_tensor()) {
        Promotion::join(input->tensor().rank() == 0 ? promotion.without_dims : promotion.with_dims,
                        input->tensor().dtype);
      } else if (const auto* scalar = std::get_if<ScalarMeta>(&input->meta())) {
        Promotion::join(promotion.numbers, number_type(scalar->kind));
      }
    } else if (std::holds_alternative<bool>(value)) {
      Promotion::join(promotion.numbers, at::kBool);
    } else if (std::holds_alternative<int64_t>(value)) {
      Promotion::join(promotion.numbers, at::kLong);
    } else if (std::holds_alternative<double>(value)) {
      Promotion::join(promotion.numbers, at::kFloat);
    } else if (!torquant::is_none(value)) {
      fail(fmt::format("argument \"{}\" is neither tensor nor number", name));
    }
  }
  return promotion.result();
}

Dims Call::broadcast(const Dims& a, const Dims& b) const {
  const Dims& longer = a.size() >= b.size() ? a : b;
  const Dims& shorter = a.size() >= b.size() ? b : a;
  Dims result = longer;
  for (size_t i = 0; i < shorter.size(); ++i) {
    Dim& into = result[longer.size() - shorter.size() + i];
    const Dim& other = shorter[i];
    if (other == Dim(1) || into == other) continue;
    if (into == Dim(1)) {
      into = other;
    } else if (contradict(into, other)) {
      fail(fmt::format("sizes {} and {} do not broadcast", text_of(a), text_of(b)));
    } else if (is_static(other)) {
      into = other;  // the symbol can have no other value
    }
  }
  return result;
}

Dims Call::broadcast(std::initializer_list<std::string_view> names) const {
  Dims result;
  for (const std::string_view name : names) {
    if (const TensorMeta* meta = optional_tensor(name)) result = broadcast(result, meta->sizes);
  }
  return result;
}

TensorMeta Call::result(at::ScalarType dtype, Dims sizes) const {
  TensorMeta meta = contiguous_meta(dtype, std::move(sizes));
  for (const Value* value : node_.inputs()) {
    if (!value->is_tensor()) continue;
    meta.device = value->tensor().device;
    break;
  }
  return meta;
}

std::string text_of(const Dims& dims) {
  std::vector<std::string> texts;
  for (const Dim& dim : dims) texts.push_back(to_string(dim));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

Dim product(const Dims& dims) {
  Dim result = int64_t{1};
  for (const Dim& dim : dims) result = mul(result, dim);
  return result;
}

at::ScalarType float_of(at::ScalarType dtype) {
  return c10::isIntegralType(dtype, /*includeBool=*/true) ? at::kFloat : dtype;
}

}  // namespace torquant::shape
