#include "torquant/graph/dim.h"

#include <fmt/format.h>

#include "torquant/core/error.h"
#include "torquant/graph/integer_math.h"

namespace torquant {
namespace {

SymExpr expr_of(const Dim& dim) {
  if (const auto* value = std::get_if<int64_t>(&dim)) return SymExpr::integer(*value);
  return std::get<SymbolicDim>(dim).expr;
}

// One operation: its head in an expression, its sign in messages, and what it does to numbers.
struct Operation {
  const char* head;
  const char* sign;
  std::optional<int64_t> (*on_numbers)(int64_t a, int64_t b);

  int64_t apply(int64_t a, int64_t b) const {
    const std::optional<int64_t> result = on_numbers(a, b);
    if (!result) throw Error({.where = "", .what = fmt::format("the size {} {} {} does not fit 64 bits", a, sign, b)});
    return *result;
  }

  Dim operator()(const Dim& a, const Dim& b) const {
    if (is_static(a) && is_static(b)) return apply(std::get<int64_t>(a), std::get<int64_t>(b));
    SymExpr expr = SymExpr::call(head, {expr_of(a), expr_of(b)});
    if (const auto value = expr.integer_value()) return *value;
    const std::optional<int64_t> x = hint_of(a);
    const std::optional<int64_t> y = hint_of(b);
    return SymbolicDim{std::move(expr), x && y ? std::optional(apply(*x, *y)) : std::nullopt};
  }
};

constexpr Operation kAdd{"Add", "+", checked_add};
constexpr Operation kMul{"Mul", "*", checked_mul};
constexpr Operation kFloorDiv{"FloorDiv", "//", checked_floor_div};

}  // namespace

bool is_static(const Dim& dim) { return std::holds_alternative<int64_t>(dim); }

std::string to_string(const Dim& dim) {
  if (const auto* value = std::get_if<int64_t>(&dim)) return std::to_string(*value);
  return std::get<SymbolicDim>(dim).expr.text();
}

std::optional<int64_t> hint_of(const Dim& dim) {
  if (const auto* value = std::get_if<int64_t>(&dim)) return *value;
  return std::get<SymbolicDim>(dim).hint;
}

std::optional<int64_t> evaluate(const Dim& dim, const std::map<std::string, int64_t>& bindings) {
  if (const auto* value = std::get_if<int64_t>(&dim)) return *value;
  return std::get<SymbolicDim>(dim).expr.evaluate(bindings);
}

Dim add(const Dim& a, const Dim& b) { return kAdd(a, b); }
Dim mul(const Dim& a, const Dim& b) { return kMul(a, b); }
Dim sub(const Dim& a, const Dim& b) {
  if (a == b) return 0;
  return add(a, mul(-1, b));
}
Dim floor_div(const Dim& a, const Dim& divisor) {
  if (divisor == Dim(1)) return a;
  return kFloorDiv(a, divisor);
}
Dim ceil_div(const Dim& a, const Dim& divisor) { return floor_div(add(a, sub(divisor, 1)), divisor); }

bool contradict(const Dim& a, const Dim& b) {
  const std::optional<int64_t> x = hint_of(a);
  const std::optional<int64_t> y = hint_of(b);
  return x && y && *x != *y;
}

}  // namespace torquant
