#include "torquant/graph/symbolic.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>

#include "torquant/core/error.h"

namespace torquant {

// Leaves carry `atom` (the text of an Integer, the name of a Symbol, or a literal); calls carry arguments.
struct SymExpr::Tree {
  std::string head;
  std::string atom;
  std::string keywords;  // of a Symbol: ", positive=True, integer=True"
  std::vector<SymExpr> args;
  std::string srepr;
};

namespace {

constexpr std::string_view kSymbolKeywords = ", positive=True, integer=True";

std::string srepr_of(std::string_view head, std::string_view atom, std::string_view keywords,
                     const std::vector<SymExpr>& args) {
  if (head == "Symbol") return fmt::format("Symbol('{}'{})", atom, keywords);
  if (head.empty()) return std::string(atom);
  std::string inner(atom);
  for (const SymExpr& arg : args) {
    if (!inner.empty()) inner += ", ";
    inner += arg.srepr();
  }
  return fmt::format("{}({}{})", head, inner, keywords);
}

// Sizes come from files: what does not fit 64 bits is an Error.
[[noreturn]] void overflow(int64_t a, const char* sign, int64_t b) {
  throw Error({.where = "", .what = fmt::format("the size {} {} {} does not fit 64 bits", a, sign, b)});
}
int64_t checked_add(int64_t a, int64_t b) {
  int64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) overflow(a, "+", b);
  return result;
}
int64_t checked_mul(int64_t a, int64_t b) {
  int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) overflow(a, "*", b);
  return result;
}

// Towards minus infinity. `b` is not 0.
int64_t floor_division(int64_t a, int64_t b) {
  if (b == -1) return checked_mul(a, -1);
  const int64_t quotient = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? quotient - 1 : quotient;
}

}  // namespace

SymExpr SymExpr::symbol(std::string name) {
  Tree tree{"Symbol", std::move(name), std::string(kSymbolKeywords), {}, {}};
  tree.srepr = srepr_of(tree.head, tree.atom, tree.keywords, tree.args);
  return SymExpr(std::make_shared<const Tree>(std::move(tree)));
}

SymExpr SymExpr::integer(int64_t value) {
  Tree tree{"Integer", std::to_string(value), {}, {}, {}};
  tree.srepr = srepr_of(tree.head, tree.atom, tree.keywords, tree.args);
  return SymExpr(std::make_shared<const Tree>(std::move(tree)));
}

SymExpr SymExpr::call(std::string head, std::vector<SymExpr> args) {
  if (head == "Add" || head == "Mul") {
    const bool is_add = head == "Add";
    std::vector<SymExpr> terms;
    int64_t constant = is_add ? 0 : 1;
    for (const SymExpr& arg : args) {
      if (arg.tree_->head == head) {
        for (const SymExpr& inner : arg.tree_->args) terms.push_back(inner);
      } else {
        terms.push_back(arg);
      }
    }
    std::erase_if(terms, [&](const SymExpr& term) {
      const std::optional<int64_t> value = term.integer_value();
      if (value) constant = is_add ? checked_add(constant, *value) : checked_mul(constant, *value);
      return value.has_value();
    });
    if (!is_add && constant == 0) return integer(0);
    std::sort(terms.begin(), terms.end(), [](const SymExpr& a, const SymExpr& b) { return a.srepr() < b.srepr(); });
    if (terms.empty()) return integer(constant);
    if (constant != (is_add ? 0 : 1)) terms.insert(terms.begin(), integer(constant));
    if (terms.size() == 1) return terms[0];
    args = std::move(terms);
  }
  Tree tree{std::move(head), {}, {}, std::move(args), {}};
  tree.srepr = srepr_of(tree.head, tree.atom, tree.keywords, tree.args);
  return SymExpr(std::make_shared<const Tree>(std::move(tree)));
}

// Recursive descent over Head(arg, ..., key=value). Depth is bounded: archives are untrusted.
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

  [[noreturn]] void fail(const char* what) const {
    throw Error({.where = "symbolic expression",
                 .what = fmt::format("{} at character {} of \"{}\"", what, position_, text_.substr(0, 200))});
  }

  void skip_spaces() {
    while (position_ < text_.size() && text_[position_] == ' ') ++position_;
  }
  bool take(char c) {
    skip_spaces();
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(fmt::format("expected '{}'", c).c_str());
  }

  // A name, or a number with its sign.
  std::string word() {
    skip_spaces();
    const size_t start = position_;
    const auto at = [&](std::string_view set) {
      return position_ < text_.size() && set.find(text_[position_]) != std::string_view::npos;
    };
    const auto alphanumeric = [&] {
      return position_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[position_])) != 0 || at("_."));
    };
    if (at("+-")) ++position_;
    const bool number = at("0123456789.");
    while (alphanumeric()) {
      const bool exponent = number && at("eE");
      ++position_;
      if (exponent && at("+-")) ++position_;
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

  static SymExpr make(SymExpr::Tree tree) {
    tree.srepr = srepr_of(tree.head, tree.atom, tree.keywords, tree.args);
    return SymExpr(std::make_shared<const SymExpr::Tree>(std::move(tree)));
  }

  SymExpr parse(int depth) {
    if (depth > kMaxDepth) fail("nested too deeply");
    if (take('(')) {
      SymExpr inner = sum(depth + 1);
      expect(')');
      return inner;
    }
    skip_spaces();
    if (position_ < text_.size() && text_[position_] == '\'') {
      return make({{}, "'" + quoted() + "'", {}, {}, {}});
    }
    std::string head = word();
    if (head.empty()) fail("expected an expression");
    if (!take('(')) {
      const bool is_name = std::isalpha(static_cast<unsigned char>(head[0])) != 0 && head != "True" && head != "False";
      return is_name ? SymExpr::symbol(head) : make({{}, std::move(head), {}, {}, {}});
    }
    // srepr writes Integer(2), but Rational(1, 2); people and text() write 2.
    const bool bare_integers = head == "Rational";
    SymExpr::Tree tree{std::move(head), {}, {}, {}, {}};
    if (tree.head == "Symbol") {
      tree.atom = quoted();
    } else if (tree.head == "Integer") {
      tree.atom = word();
      int64_t value = 0;
      const auto [end, error] = std::from_chars(tree.atom.data(), tree.atom.data() + tree.atom.size(), value);
      if (error != std::errc() || end != tree.atom.data() + tree.atom.size()) fail("expected a 64-bit integer");
    }
    while (!take(')')) {
      if (!tree.args.empty() || !tree.atom.empty() || !tree.keywords.empty()) expect(',');
      skip_spaces();
      const size_t start = position_;
      const std::string key = word();
      if (!key.empty() && take('=')) {
        const std::string value = word();
        tree.keywords += fmt::format(", {}={}", key, value);
        continue;
      }
      position_ = start;
      tree.args.push_back(bare_integers ? parse(depth + 1) : sum(depth + 1));
    }
    return make(std::move(tree));
  }

  // A bare number as Integer(...).
  SymExpr term(int depth) {
    SymExpr expr = parse(depth);
    if (!expr.tree_->head.empty()) return expr;
    const std::string& atom = expr.tree_->atom;
    int64_t value = 0;
    const auto [end, error] = std::from_chars(atom.data(), atom.data() + atom.size(), value);
    return error == std::errc() && end == atom.data() + atom.size() ? SymExpr::integer(value) : expr;
  }

  // What text() writes: sums of products.
  SymExpr sum(int depth) { return infix("Add", '+', depth); }
  SymExpr infix(const char* head, char sign, int depth) {
    const bool is_sum = sign == '+';
    std::vector<SymExpr> terms;
    do {
      terms.push_back(is_sum ? infix("Mul", '*', depth) : term(depth));
    } while (take(sign));
    if (terms.size() == 1) return terms[0];
    return make({head, {}, {}, std::move(terms), {}});
  }

  std::string_view text_;
  size_t position_ = 0;
};

SymExpr SymExpr::parse(std::string_view srepr) { return SymExprParser(srepr).parse_all(); }

std::string SymExpr::srepr() const { return tree_->srepr; }

std::string SymExpr::text() const {
  if (tree_->head == "Symbol" || tree_->head == "Integer" || tree_->head.empty()) return tree_->atom;
  const bool infix = tree_->head == "Add" || tree_->head == "Mul";
  std::string joined;
  for (const SymExpr& arg : tree_->args) {
    if (!joined.empty()) joined += tree_->head == "Add" ? " + " : infix ? "*" : ", ";
    const bool brackets = tree_->head == "Mul" && arg.tree_->head == "Add";
    joined += brackets ? "(" + arg.text() + ")" : arg.text();
  }
  return infix ? joined : tree_->head + "(" + joined + ")";
}

std::optional<std::string> SymExpr::symbol_name() const {
  return tree_->head == "Symbol" ? std::optional(tree_->atom) : std::nullopt;
}

std::optional<int64_t> SymExpr::integer_value() const {
  return tree_->head == "Integer" ? std::optional<int64_t>(std::stoll(tree_->atom)) : std::nullopt;
}

std::vector<std::string> SymExpr::symbols() const {
  if (const auto name = symbol_name()) return {*name};
  std::vector<std::string> names;
  for (const SymExpr& arg : tree_->args) {
    for (std::string& name : arg.symbols()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
    }
  }
  return names;
}

std::optional<int64_t> SymExpr::evaluate(const std::map<std::string, int64_t>& bindings) const {
  try {
    return value_under(bindings);
  } catch (const Error&) {  // it does not fit 64 bits
    return std::nullopt;
  }
}

std::optional<int64_t> SymExpr::value_under(const std::map<std::string, int64_t>& bindings) const {
  if (const auto name = symbol_name()) {
    const auto found = bindings.find(*name);
    return found == bindings.end() ? std::nullopt : std::optional(found->second);
  }
  if (const auto value = integer_value()) return value;
  std::vector<int64_t> values;
  for (const SymExpr& arg : tree_->args) {
    const std::optional<int64_t> value = arg.value_under(bindings);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  const std::string& head = tree_->head;
  const auto fold = [&](auto&& combine) {
    int64_t result = values.at(0);
    for (size_t i = 1; i < values.size(); ++i) result = combine(result, values[i]);
    return result;
  };
  if (values.empty()) return std::nullopt;
  if (head == "Add") return fold(checked_add);
  if (head == "Mul") return fold(checked_mul);
  if (head == "Max") return fold([](int64_t a, int64_t b) { return std::max(a, b); });
  if (head == "Min") return fold([](int64_t a, int64_t b) { return std::min(a, b); });
  if (values.size() != 2) return std::nullopt;
  const int64_t a = values[0];
  const int64_t b = values[1];
  if (head == "Pow") {
    if (b < 0 || b > 62) return std::nullopt;
    int64_t power = 1;
    for (int64_t i = 0; i < b; ++i) {
      if (__builtin_mul_overflow(power, a, &power)) return std::nullopt;
    }
    return power;
  }
  if (b == 0) return std::nullopt;
  if (head == "FloorDiv" || head == "CleanDiv") return floor_division(a, b);
  if (head == "Mod" || head == "PythonMod") return b == -1 ? 0 : a - floor_division(a, b) * b;
  if (head == "CeilToInt" || head == "CeilDiv") return checked_mul(floor_division(checked_mul(a, -1), b), -1);
  return std::nullopt;
}

std::optional<std::pair<std::string, int64_t>> SymExpr::solve(int64_t result,
                                                              const std::map<std::string, int64_t>& bindings) const {
  std::string unknown;
  for (const std::string& name : symbols()) {
    if (bindings.contains(name)) continue;
    if (!unknown.empty()) return std::nullopt;
    unknown = name;
  }
  if (unknown.empty()) return std::nullopt;
  // f(s) = a*s + b: two points give a and b, a third tells whether f is linear.
  std::map<std::string, int64_t> trial = bindings;
  const auto at = [&](int64_t s) {
    trial[unknown] = s;
    return evaluate(trial);
  };
  const auto f1 = at(1);
  const auto f2 = at(2);
  const auto f7 = at(7);
  if (!f1 || !f2 || !f7) return std::nullopt;
  const __int128 slope = __int128{*f2} - *f1;
  const __int128 offset = *f1 - slope;
  const __int128 rise = result - offset;
  if (slope == 0 || *f7 != 7 * slope + offset || rise % slope != 0) return std::nullopt;
  const __int128 value = rise / slope;
  if (value != static_cast<int64_t>(value)) return std::nullopt;
  return std::pair(unknown, static_cast<int64_t>(value));
}

bool is_static(const Dim& dim) { return std::holds_alternative<int64_t>(dim); }

std::string to_string(const Dim& dim) {
  if (const auto* value = std::get_if<int64_t>(&dim)) return std::to_string(*value);
  return std::get<SymbolicDim>(dim).expr.text();
}

std::optional<int64_t> hint_of(const Dim& dim) {
  if (const auto* value = std::get_if<int64_t>(&dim)) return *value;
  return std::get<SymbolicDim>(dim).hint;
}

namespace {

SymExpr expr_of(const Dim& dim) {
  if (const auto* value = std::get_if<int64_t>(&dim)) return SymExpr::integer(*value);
  return std::get<SymbolicDim>(dim).expr;
}

Dim combine(const char* head, const Dim& a, const Dim& b, const std::function<int64_t(int64_t, int64_t)>& apply) {
  if (is_static(a) && is_static(b)) return apply(std::get<int64_t>(a), std::get<int64_t>(b));
  SymExpr expr = SymExpr::call(head, {expr_of(a), expr_of(b)});
  if (const auto value = expr.integer_value()) return *value;
  const std::optional<int64_t> x = hint_of(a);
  const std::optional<int64_t> y = hint_of(b);
  return SymbolicDim{std::move(expr), x && y ? std::optional(apply(*x, *y)) : std::nullopt};
}

}  // namespace

Dim add(const Dim& a, const Dim& b) { return combine("Add", a, b, checked_add); }
Dim mul(const Dim& a, const Dim& b) { return combine("Mul", a, b, checked_mul); }
Dim sub(const Dim& a, const Dim& b) {
  if (a == b) return 0;
  return add(a, mul(Dim(-1), b));
}
Dim floor_div(const Dim& a, int64_t divisor) {
  if (divisor == 1) return a;
  return combine("FloorDiv", a, Dim(divisor), floor_division);
}
Dim ceil_div(const Dim& a, int64_t divisor) { return floor_div(add(a, Dim(divisor - 1)), divisor); }

bool contradict(const Dim& a, const Dim& b) {
  const std::optional<int64_t> x = hint_of(a);
  const std::optional<int64_t> y = hint_of(b);
  return x && y && *x != *y;
}

std::optional<int64_t> evaluate(const Dim& dim, const std::map<std::string, int64_t>& bindings) {
  if (const auto* value = std::get_if<int64_t>(&dim)) return *value;
  return std::get<SymbolicDim>(dim).expr.evaluate(bindings);
}

}  // namespace torquant
