#include "torquant/pass/fix_symbol.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "torquant/core/error.h"

namespace torquant {
namespace {

using Numbers = std::map<std::string, int64_t>;

class Fixing {
 public:
  Fixing(Program& program, const std::string& symbol, int64_t value) : program_(program), fixed_{{symbol, value}} {
    for (const Value* input : program.user_inputs()) {
      if (input->is_tensor()) remember_hints(input->tensor().sizes);
    }
    hints_[symbol] = value;
  }

  void run() {
    for (const Argument& input : program_.graph().inputs()) fix(value_of(input));
    for (Node& node : program_.graph()) {
      for (Value* value : node.values()) fix(value);
      put_numbers(node);
    }
    put_numbers(program_.graph().output_node());
  }

 private:
  void remember_hints(const std::vector<Dim>& sizes) {
    for (const Dim& size : sizes) {
      const auto* symbolic = std::get_if<SymbolicDim>(&size);
      const std::optional<std::string> name = symbolic == nullptr ? std::nullopt : symbolic->expr.symbol_name();
      if (name && symbolic->hint) hints_[*name] = *symbolic->hint;
    }
  }

  void fix(Dim& dim) const {
    auto* symbolic = std::get_if<SymbolicDim>(&dim);
    if (symbolic == nullptr) return;
    symbolic->expr = symbolic->expr.substitute(fixed_);
    symbolic->hint = symbolic->expr.evaluate(hints_);
    if (const std::optional<int64_t> number = symbolic->expr.integer_value()) dim = *number;
  }

  void fix(Value* value) const {
    if (value == nullptr) return;
    if (value->is_tensor()) {
      TensorMeta& tensor = value->tensor();
      for (Dim& size : tensor.sizes) fix(size);
      for (Dim& stride : tensor.strides) fix(stride);
      fix(tensor.storage_offset);
    } else if (auto* scalar = std::get_if<ScalarMeta>(&value->meta())) {
      if (auto* dim = std::get_if<Dim>(&scalar->value)) fix(*dim);
    }
  }

  static std::optional<int64_t> number_of(const Value* value) {
    const auto* scalar = value == nullptr ? nullptr : std::get_if<ScalarMeta>(&value->meta());
    const auto* dim = scalar == nullptr ? nullptr : std::get_if<Dim>(&scalar->value);
    const auto* number = dim == nullptr ? nullptr : std::get_if<int64_t>(dim);
    return number == nullptr ? std::nullopt : std::optional(*number);
  }

  static Argument with_numbers(std::vector<ScalarOrValue> list) {
    std::vector<int64_t> integers;
    for (ScalarOrValue& entry : list) {
      Value* const* value = std::get_if<Value*>(&entry);
      if (const std::optional<int64_t> number = value == nullptr ? std::nullopt : number_of(*value)) entry = *number;
      if (const auto* integer = std::get_if<int64_t>(&entry)) integers.push_back(*integer);
    }
    return integers.size() == list.size() ? Argument(integers) : Argument(std::move(list));
  }

  static void put_numbers(Node& node) {
    for (const NamedArgument& argument : std::vector<NamedArgument>(node.args())) {
      if (const std::optional<int64_t> number = number_of(value_of(argument.value)))
        node.set_arg(argument.name, *number, argument.keyword);
      if (const auto* list = std::get_if<std::vector<ScalarOrValue>>(&argument.value))
        node.set_arg(argument.name, with_numbers(*list), argument.keyword);
    }
  }

  Program& program_;
  Numbers fixed_, hints_;
};

}  // namespace

void fix_symbol(Program& program, const std::string& symbol, int64_t value) {
  const auto range = program.ranges().find(symbol);
  if (range == program.ranges().end()) throw Error({.where = symbol, .what = "is no size of the program"});
  const SymbolRange allowed = range->second;
  if (value < allowed.min.value_or(value) || value > allowed.max.value_or(value)) {
    throw Error({.where = symbol,
                 .what = fmt::format("cannot be {}", value),
                 .allowed = fmt::format("{} to {}", allowed.min.value_or(0), allowed.max.value_or(INT64_MAX))});
  }
  Fixing(program, symbol, value).run();
  program.ranges().erase(symbol);
}

}  // namespace torquant
