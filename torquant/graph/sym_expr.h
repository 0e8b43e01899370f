#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torquant {

// A symbolic integer of an exported program, as sympy's srepr writes it:
//   Add(Mul(Integer(2), Symbol('s17', positive=True, integer=True)), Integer(1))
//
// Any head is read and written back; evaluate() knows the heads that torch.export uses. A value: copies share the tree.
class SymExpr {
 public:
  static SymExpr symbol(std::string name);
  static SymExpr integer(int64_t value);
  // head(args...), with integers folded and the arguments of Add and Mul in one order.
  // Throws Error for a constant that does not fit 64 bits.
  static SymExpr call(std::string head, std::vector<SymExpr> args);

  // Reads srepr, or what text() writes. Throws Error with the text and the position.
  static SymExpr parse(std::string_view text);

  const std::string& srepr() const;
  std::string text() const;  // for people: "1 + 2*s17"

  std::optional<std::string> symbol_name() const;  // when this is a symbol
  std::optional<int64_t> integer_value() const;    // when this is an integer
  std::vector<std::string> symbols() const;        // each once, in order of first use

  // The value under `bindings`; nothing when a symbol is unbound, a head is unknown or it does not fit 64 bits.
  std::optional<int64_t> evaluate(const std::map<std::string, int64_t>& bindings) const;

  // The same with numbers in place of symbols, and a number where none is left.
  SymExpr substitute(const std::map<std::string, int64_t>& bindings) const;

  // The value of the one unbound symbol that makes this expression equal `result`, where the expression is linear
  // in it; nothing otherwise. `2*s` = 6 gives s = 3.
  std::optional<std::pair<std::string, int64_t>> solve(int64_t result,
                                                       const std::map<std::string, int64_t>& bindings) const;

  bool operator==(const SymExpr& other) const { return srepr() == other.srepr(); }

 private:
  friend class SymExprParser;

  // head(atom or args, keywords): Symbol('s17', positive=True), Integer(2), Add(…). A literal has no head: 1.5, 'x'.
  struct Tree {
    std::string head;
    std::string atom = {};      // the name of a Symbol, the digits of an Integer, the text of a literal
    std::string keywords = {};  // ", positive=True, integer=True"
    std::vector<SymExpr> args = {};
    std::string srepr = {};  // of all that; the constructor writes it
  };
  explicit SymExpr(Tree tree);

  std::shared_ptr<const Tree> tree_;
};

}  // namespace torquant
