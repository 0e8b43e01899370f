#include "torquant/graph/input_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "torquant/core/error.h"

namespace torquant {
namespace {

using Bindings = std::map<std::string, int64_t>;

// "batch (2 to 64)"
std::string allowed_size(const Program& program, const Dim& size) {
  const auto* symbolic = std::get_if<SymbolicDim>(&size);
  const auto symbol = symbolic == nullptr ? std::nullopt : symbolic->expr.symbol_name();
  const auto found = symbol ? program.ranges().find(*symbol) : program.ranges().end();
  if (found == program.ranges().end()) return to_string(size);
  const auto& [min, max] = found->second;
  if (!min && !max) return *symbol;
  if (!max) return fmt::format("{} ({} or more)", *symbol, *min);
  return fmt::format("{} ({} to {})", *symbol, min.value_or(0), *max);
}

class InputChecker {
 public:
  explicit InputChecker(const Program& program) : program_(program) {}

  void check(const Value& input, const c10::IValue& given) {
    if (const auto* scalar = std::get_if<ScalarMeta>(&input.meta())) {
      check_scalar(input, *scalar, given);
      return;
    }
    if (!input.is_tensor()) return;
    if (!given.isTensor() || !given.toTensor().defined()) fail(input, "is no tensor");
    const at::Tensor& tensor = given.toTensor();
    const TensorMeta& meta = input.tensor();
    if (tensor.scalar_type() != meta.dtype) {
      fail(input, fmt::format("has dtype {}", c10::toString(tensor.scalar_type())));
    }
    if (static_cast<size_t>(tensor.dim()) != meta.rank()) {
      fail(input, fmt::format("has sizes [{}], rank {}", fmt::join(tensor.sizes(), ", "), tensor.dim()));
    }
    for (size_t axis = 0; axis < meta.rank(); ++axis) {
      check_size(input, meta.sizes[axis], tensor.size(static_cast<int64_t>(axis)), axis);
    }
  }

  const Bindings& bindings() const { return bindings_; }

 private:
  [[noreturn]] void fail(const Value& input, const std::string& what) const {
    throw Error({.where = "input " + input.name(), .what = what, .allowed = allowed(input.meta())});
  }

  std::string allowed(const ValueMeta& meta) const {
    if (const auto* tensor = std::get_if<TensorMeta>(&meta)) {
      return fmt::format("{}{}", c10::toString(tensor->dtype), allowed_sizes(program_, *tensor));
    }
    const auto& scalar = std::get<ScalarMeta>(meta);
    switch (scalar.kind) {
      case ScalarKind::kInt: {
        const auto* dim = std::get_if<Dim>(&scalar.value);
        return dim == nullptr ? "an integer" : "an integer: " + allowed_size(program_, *dim);
      }
      case ScalarKind::kFloat:
        return "a number";
      case ScalarKind::kBool:
        return "true or false";
    }
    return "";
  }

  void check_scalar(const Value& input, const ScalarMeta& meta, const c10::IValue& given) {
    switch (meta.kind) {
      case ScalarKind::kInt:
        if (!given.isInt()) fail(input, "is no integer");
        if (const auto* dim = std::get_if<Dim>(&meta.value)) {
          check_size(input, *dim, given.toInt(), std::nullopt);
        }
        break;
      case ScalarKind::kFloat:
        if (!given.isDouble() && !given.isInt()) fail(input, "is no number");
        break;
      case ScalarKind::kBool:
        if (!given.isBool()) fail(input, "is no bool");
        break;
    }
  }

  // The size of an axis, or without one the integer that is the input.
  void check_size(const Value& input, const Dim& expected, int64_t size, std::optional<size_t> axis) {
    const auto what = [&] {
      return axis ? fmt::format("has size {} on axis {}", size, *axis) : fmt::format("is {}", size);
    };
    if (const auto* fixed = std::get_if<int64_t>(&expected)) {
      if (size != *fixed) fail(input, what());
      return;
    }
    const SymExpr& expr = std::get<SymbolicDim>(expected).expr;
    if (const auto value = expr.evaluate(bindings_)) {
      if (*value != size) {
        fail(input, fmt::format("{}, other inputs make {} = {}", what(), expr.text(), *value));
      }
      return;
    }
    const auto solution = expr.solve(size, bindings_);
    if (!solution) {
      if (expr.symbols().size() == 1) fail(input, what());
      return;  // several symbols at once: a later input may tell, the operators check the rest
    }
    const auto& [symbol, value] = *solution;
    if (const auto range = program_.ranges().find(symbol); range != program_.ranges().end()) {
      const bool low = range->second.min && value < *range->second.min;
      const bool high = range->second.max && value > *range->second.max;
      if (low || high) fail(input, what());
    }
    bindings_[symbol] = value;
  }

  const Program& program_;
  Bindings bindings_;
};

}  // namespace

std::map<std::string, int64_t> check_inputs(const Program& program, std::span<const c10::IValue> inputs) {
  const std::vector<Value*> expected = program.user_inputs();
  if (inputs.size() != expected.size()) {
    std::vector<std::string> names;
    for (const Value* value : expected) names.push_back(value->name());
    throw Error({.where = "inputs",
                 .what = fmt::format("{} given", inputs.size()),
                 .allowed = fmt::format("{}: {}", expected.size(), fmt::join(names, ", "))});
  }
  InputChecker checker(program);
  for (size_t i = 0; i < inputs.size(); ++i) checker.check(*expected[i], inputs[i]);
  return checker.bindings();
}

std::string allowed_sizes(const Program& program, const TensorMeta& meta) {
  std::vector<std::string> sizes;
  for (const Dim& size : meta.sizes) sizes.push_back(allowed_size(program, size));
  return fmt::format("[{}]", fmt::join(sizes, ", "));
}

}  // namespace torquant
