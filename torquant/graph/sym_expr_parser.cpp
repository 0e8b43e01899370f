#include <fmt/format.h>

#include <cctype>

#include "torquant/core/error.h"
#include "torquant/graph/parse_number.h"
#include "torquant/graph/sym_expr.h"

namespace torquant {

// Recursive descent over two spellings of one tree, which may be mixed:
//   srepr    Head(arg, …, key=value), Integer(2), Symbol('s0', integer=True)
//   text()   sums of products, with names and integers bare: 1 + 2*s0
// Archives are untrusted: depth is bounded.
class SymExprParser {
 public:
  explicit SymExprParser(std::string_view text) : text_(text) {}

  SymExpr parse_all() {
    SymExpr expr = sum(0);
    skip_spaces();
    if (position_ != text_.size()) fail("unexpected text");
    return expr;
  }

 private:
  static constexpr int kMaxDepth = 200;
  using Tree = SymExpr::Tree;

  SymExpr sum(int depth) {
    std::vector<SymExpr> terms;
    do terms.push_back(product(depth));
    while (take('+'));
    return terms.size() == 1 ? terms[0] : SymExpr(Tree{.head = "Add", .args = std::move(terms)});
  }

  SymExpr product(int depth) {
    std::vector<SymExpr> factors;
    do factors.push_back(factor(depth));
    while (take('*'));
    return factors.size() == 1 ? factors[0] : SymExpr(Tree{.head = "Mul", .args = std::move(factors)});
  }

  // A bare integer is an Integer(...).
  SymExpr factor(int depth) {
    SymExpr expr = operand(depth);
    const std::optional<int64_t> bare =
        expr.tree_->head.empty() ? parse_number<int64_t>(expr.tree_->atom) : std::nullopt;
    return bare ? SymExpr::integer(*bare) : expr;
  }

  // Brackets, a literal, a symbol or a call.
  SymExpr operand(int depth) {
    if (depth > kMaxDepth) fail("nested too deeply");
    if (take('(')) {
      SymExpr inner = sum(depth + 1);
      expect(')');
      return inner;
    }
    if (at('\'')) return SymExpr(Tree{.head = {}, .atom = "'" + quoted() + "'"});
    std::string name = word();
    if (name.empty()) fail("expected an expression");
    if (take('(')) return call(std::move(name), depth);
    const bool is_symbol = std::isalpha(static_cast<unsigned char>(name[0])) != 0 && name != "True" && name != "False";
    return is_symbol ? SymExpr::symbol(std::move(name)) : SymExpr(Tree{.head = {}, .atom = std::move(name)});
  }

  // What follows `head(`.
  SymExpr call(std::string head, int depth) {
    Tree tree{.head = std::move(head)};
    if (tree.head == "Symbol") {
      tree.atom = quoted();
    } else if (tree.head == "Integer") {
      tree.atom = word();
      if (!parse_number<int64_t>(tree.atom)) fail("expected a 64-bit integer");
    }
    const bool keeps_bare_integers = tree.head == "Rational";  // srepr writes Rational(1, 2), but Integer(2)
    while (!take(')')) {
      if (!tree.args.empty() || !tree.atom.empty() || !tree.keywords.empty()) expect(',');
      skip_spaces();
      const size_t start = position_;
      const std::string key = word();
      if (!key.empty() && take('=')) {
        tree.keywords += fmt::format(", {}={}", key, word());
        continue;
      }
      position_ = start;
      tree.args.push_back(keeps_bare_integers ? operand(depth + 1) : sum(depth + 1));
    }
    return SymExpr(std::move(tree));
  }

  [[noreturn]] void fail(std::string_view what) const {
    throw Error({.where = "symbolic expression",
                 .what = fmt::format("{} at character {} of \"{}\"", what, position_, text_.substr(0, 200))});
  }

  void skip_spaces() {
    while (position_ < text_.size() && text_[position_] == ' ') ++position_;
  }
  bool at(char c) {
    skip_spaces();
    return position_ < text_.size() && text_[position_] == c;
  }
  bool take(char c) {
    if (!at(c)) return false;
    ++position_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(fmt::format("expected '{}'", c));
  }

  // A name, or a number with its sign and exponent.
  std::string word() {
    skip_spaces();
    const size_t start = position_;
    const auto here = [&](std::string_view set) {
      return position_ < text_.size() && set.find(text_[position_]) != std::string_view::npos;
    };
    const auto in_word = [&] {
      return position_ < text_.size() &&
             (std::isalnum(static_cast<unsigned char>(text_[position_])) != 0 || here("_."));
    };
    if (here("+-")) ++position_;
    const bool is_number = here("0123456789.");
    while (in_word()) {
      const bool is_exponent = is_number && here("eE");
      ++position_;
      if (is_exponent && here("+-")) ++position_;
    }
    return std::string(text_.substr(start, position_ - start));
  }

  std::string quoted() {
    expect('\'');
    const size_t end = text_.find('\'', position_);
    if (end == std::string_view::npos) fail("unterminated name");
    std::string name(text_.substr(position_, end - position_));
    position_ = end + 1;
    return name;
  }

  std::string_view text_;
  size_t position_ = 0;
};

SymExpr SymExpr::parse(std::string_view text) { return SymExprParser(text).parse_all(); }

}  // namespace torquant
