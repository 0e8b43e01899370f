#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace torquant {

// A symbolic integer of an exported program, as sympy's srepr writes it:
//   Add(Mul(Integer(2), Symbol('s17', positive=True, integer=True)), Integer(1))
//
// Any head is read and written back; evaluate() knows the heads that torch.export uses.
class SymExpr {
 public:
  static SymExpr symbol(std::string name);
  static SymExpr integer(int64_t value);
  // head(args...), with integers folded and the arguments of Add and Mul in one order.
  static SymExpr call(std::string head, std::vector<SymExpr> args);

  // Reads srepr, or what text() writes. Throws Error with the text and the position.
  static SymExpr parse(std::string_view srepr);

  std::string srepr() const;
  std::string text() const;  // for people: "2*s17 + 1"

  std::optional<std::string> symbol_name() const;  // when this is a symbol
  std::optional<int64_t> integer_value() const;    // when this is an integer
  std::vector<std::string> symbols() const;        // each once, in order of first use

  // The value under `bindings`; nothing when a symbol is unbound, a head is unknown or it does not fit 64 bits.
  std::optional<int64_t> evaluate(const std::map<std::string, int64_t>& bindings) const;

  // The value of the one unbound symbol that makes this expression equal `result`, where the expression is linear
  // in it; nothing otherwise. `2*s` = 6 gives s = 3.
  std::optional<std::pair<std::string, int64_t>> solve(int64_t result,
                                                       const std::map<std::string, int64_t>& bindings) const;

  bool operator==(const SymExpr& other) const { return srepr() == other.srepr(); }

 private:
  struct Tree;
  std::optional<int64_t> value_under(const std::map<std::string, int64_t>& bindings) const;
  explicit SymExpr(std::shared_ptr<const Tree> tree) : tree_(std::move(tree)) {}
  friend class SymExprParser;
  std::shared_ptr<const Tree> tree_;
};

// One size, stride or offset: known, or symbolic with the value of the example it was exported with.
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

// Dim arithmetic for shape rules; hints are computed along. Throws Error for what does not fit 64 bits.
Dim add(const Dim& a, const Dim& b);
Dim sub(const Dim& a, const Dim& b);
Dim mul(const Dim& a, const Dim& b);
Dim floor_div(const Dim& a, int64_t divisor);
Dim ceil_div(const Dim& a, int64_t divisor);

// Whether two sizes are known to differ: as numbers, or at the example inputs.
bool contradict(const Dim& a, const Dim& b);
// The value under `bindings`; nothing when a symbol is unbound.
std::optional<int64_t> evaluate(const Dim& dim, const std::map<std::string, int64_t>& bindings);

}  // namespace torquant
