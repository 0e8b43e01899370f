#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>

#include "torquant/graph/sym_expr.h"

namespace torquant {

// One size, stride or offset: known, or symbolic with the value it has at the example inputs of the export.
struct SymbolicDim {
  SymExpr expr;
  std::optional<int64_t> hint;
  bool operator==(const SymbolicDim& other) const { return expr == other.expr; }
};
using Dim = std::variant<int64_t, SymbolicDim>;

bool is_static(const Dim& dim);
std::string to_string(const Dim& dim);
// The value of `dim` at the example inputs; nothing for a symbol without a hint.
std::optional<int64_t> hint_of(const Dim& dim);
// The value under `bindings`; nothing when a symbol is unbound.
std::optional<int64_t> evaluate(const Dim& dim, const std::map<std::string, int64_t>& bindings);

// Arithmetic for shape rules; hints are computed along. Throws Error for what does not fit 64 bits.
Dim add(const Dim& a, const Dim& b);
Dim sub(const Dim& a, const Dim& b);
Dim mul(const Dim& a, const Dim& b);
// Divisors that are known, or at the example inputs, are not 0.
Dim floor_div(const Dim& a, const Dim& divisor);
Dim ceil_div(const Dim& a, const Dim& divisor);

// Whether two sizes are known to differ: as numbers, or at the example inputs.
bool contradict(const Dim& a, const Dim& b);

}  // namespace torquant
