#include "torquant/graph/input_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "torquant/core/error.h"

namespace torquant {
namespace {

using Bindings = std::map<std::string, int64_t>;

std::string range_text(const Program& program, const std::string& symbol) {
  const auto found = program.ranges().find(symbol);
  if (found == program.ranges().end()) return symbol;
  const auto& [min, max] = found->second;
  if (!min && !max) return symbol;
  if (!max) return fmt::format("{} ({} or more)", symbol, *min);
  return fmt::format("{} ({} to {})", symbol, min.value_or(0), *max);
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
    const std::string allowed = input.is_tensor() ? fmt::format("{}{}", c10::toString(input.tensor().dtype),
                                                                allowed_sizes(program_, input.tensor()))
                                                  : "an integer";
    throw Error({.where = "input " + input.name(), .what = what, .allowed = allowed});
  }

  void check_scalar(const Value& input, const ScalarMeta& meta, const c10::IValue& given) {
    if (meta.kind != ScalarKind::kInt) return;
    if (!given.isInt()) fail(input, "is no integer");
    if (const auto* dim = std::get_if<Dim>(&meta.value)) check_size(input, *dim, given.toInt(), 0);
  }

  void check_size(const Value& input, const Dim& expected, int64_t size, size_t axis) {
    if (const auto* fixed = std::get_if<int64_t>(&expected)) {
      if (size != *fixed) fail(input, fmt::format("has size {} on axis {}", size, axis));
      return;
    }
    const SymExpr& expr = std::get<SymbolicDim>(expected).expr;
    if (const auto value = expr.evaluate(bindings_)) {
      if (*value != size) {
        fail(input, fmt::format("has size {} on axis {}, other inputs make {} = {}", size, axis, expr.text(), *value));
      }
      return;
    }
    const auto solution = expr.solve(size, bindings_);
    if (!solution) {
      if (expr.symbols().size() == 1) fail(input, fmt::format("has size {} on axis {}", size, axis));
      return;  // several symbols at once: a later input may tell, the operators check the rest
    }
    const auto& [symbol, value] = *solution;
    if (const auto range = program_.ranges().find(symbol); range != program_.ranges().end()) {
      const bool low = range->second.min && value < *range->second.min;
      const bool high = range->second.max && value > *range->second.max;
      if (low || high) fail(input, fmt::format("has size {} on axis {}", size, axis));
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
  for (const Dim& size : meta.sizes) {
    const auto* symbolic = std::get_if<SymbolicDim>(&size);
    const auto symbol = symbolic == nullptr ? std::nullopt : symbolic->expr.symbol_name();
    sizes.push_back(symbol ? range_text(program, *symbol) : to_string(size));
  }
  return fmt::format("[{}]", fmt::join(sizes, ", "));
}

}  // namespace torquant
