#include "torquant/graph/sym_expr.h"

#include <fmt/format.h>

#include <algorithm>

#include "torquant/core/error.h"
#include "torquant/graph/integer_math.h"
#include "torquant/graph/parse_number.h"

namespace torquant {
namespace {

constexpr std::string_view kSymbolKeywords = ", positive=True, integer=True";  // what torch.export gives its symbols

// The value of a call whose arguments are known; nothing for an unknown head, or where it does not fit.
std::optional<int64_t> value_of_call(std::string_view head, const std::vector<int64_t>& values) {
  if (values.empty()) return std::nullopt;
  const auto fold = [&](auto&& combine) {
    std::optional<int64_t> result = values[0];
    for (size_t i = 1; result && i < values.size(); ++i) result = combine(*result, values[i]);
    return result;
  };
  if (head == "Add") return fold(checked_add);
  if (head == "Mul") return fold(checked_mul);
  if (head == "Max") return std::max_element(values.begin(), values.end())[0];
  if (head == "Min") return std::min_element(values.begin(), values.end())[0];
  if (values.size() != 2) return std::nullopt;
  const int64_t a = values[0];
  const int64_t b = values[1];
  if (head == "Pow") return checked_pow(a, b);
  if (head == "FloorDiv" || head == "CleanDiv") return checked_floor_div(a, b);
  if (head == "Mod" || head == "PythonMod") return checked_mod(a, b);
  if (head == "CeilDiv") {  // -(-a // b)
    const auto negated = checked_sub(0, a);
    const auto quotient = negated ? checked_floor_div(*negated, b) : std::nullopt;
    return quotient ? checked_sub(0, *quotient) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

SymExpr::SymExpr(Tree tree) {
  if (tree.head == "Symbol") {
    tree.srepr = fmt::format("Symbol('{}'{})", tree.atom, tree.keywords);
  } else if (tree.head.empty()) {
    tree.srepr = tree.atom;
  } else {
    std::string inner = tree.atom;
    for (const SymExpr& arg : tree.args) {
      if (!inner.empty()) inner += ", ";
      inner += arg.srepr();
    }
    tree.srepr = fmt::format("{}({}{})", tree.head, inner, tree.keywords);
  }
  tree_ = std::make_shared<const Tree>(std::move(tree));
}

SymExpr SymExpr::symbol(std::string name) {
  return SymExpr(Tree{.head = "Symbol", .atom = std::move(name), .keywords = std::string(kSymbolKeywords)});
}

SymExpr SymExpr::integer(int64_t value) { return SymExpr(Tree{.head = "Integer", .atom = std::to_string(value)}); }

SymExpr SymExpr::call(std::string head, std::vector<SymExpr> args) {
  if (head != "Add" && head != "Mul") return SymExpr(Tree{.head = std::move(head), .args = std::move(args)});
  const bool is_add = head == "Add";
  const int64_t neutral = is_add ? 0 : 1;
  int64_t constant = neutral;
  std::vector<SymExpr> terms;
  const auto take = [&](const SymExpr& term) {
    const std::optional<int64_t> value = term.integer_value();
    if (!value) {
      terms.push_back(term);
    } else if (const auto folded = is_add ? checked_add(constant, *value) : checked_mul(constant, *value)) {
      constant = *folded;
    } else {
      throw Error(
          {.where = "",
           .what = fmt::format("the size {} {} {} does not fit 64 bits", constant, is_add ? '+' : '*', *value)});
    }
  };
  for (const SymExpr& arg : args) {
    if (arg.tree_->head == head) {
      std::for_each(arg.tree_->args.begin(), arg.tree_->args.end(), take);
    } else {
      take(arg);
    }
  }
  if (terms.empty() || (!is_add && constant == 0)) return integer(constant);
  std::sort(terms.begin(), terms.end(), [](const SymExpr& a, const SymExpr& b) { return a.srepr() < b.srepr(); });
  if (constant != neutral) terms.insert(terms.begin(), integer(constant));
  return terms.size() == 1 ? terms[0] : SymExpr(Tree{.head = std::move(head), .args = std::move(terms)});
}

const std::string& SymExpr::srepr() const { return tree_->srepr; }

std::string SymExpr::text() const {
  if (tree_->head == "Symbol" || tree_->head == "Integer" || tree_->head.empty()) return tree_->atom;
  const bool is_sum = tree_->head == "Add";
  const bool is_product = tree_->head == "Mul";
  std::string joined;
  for (const SymExpr& arg : tree_->args) {
    if (!joined.empty()) joined += is_sum ? " + " : is_product ? "*" : ", ";
    const bool brackets = is_product && arg.tree_->head == "Add";
    joined += brackets ? "(" + arg.text() + ")" : arg.text();
  }
  return is_sum || is_product ? joined : tree_->head + "(" + joined + ")";
}

std::optional<std::string> SymExpr::symbol_name() const {
  return tree_->head == "Symbol" ? std::optional(tree_->atom) : std::nullopt;
}

std::optional<int64_t> SymExpr::integer_value() const {
  return tree_->head == "Integer" ? parse_number<int64_t>(tree_->atom) : std::nullopt;
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
  if (const auto name = symbol_name()) {
    const auto found = bindings.find(*name);
    return found == bindings.end() ? std::nullopt : std::optional(found->second);
  }
  if (const auto value = integer_value()) return value;
  std::vector<int64_t> values;
  for (const SymExpr& arg : tree_->args) {
    const std::optional<int64_t> value = arg.evaluate(bindings);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return value_of_call(tree_->head, values);
}

SymExpr SymExpr::substitute(const std::map<std::string, int64_t>& bindings) const {
  if (const std::optional<int64_t> value = evaluate(bindings)) return integer(*value);
  if (tree_->args.empty()) return *this;
  std::vector<SymExpr> args;
  for (const SymExpr& arg : tree_->args) args.push_back(arg.substitute(bindings));
  if (!tree_->atom.empty() || !tree_->keywords.empty())
    return SymExpr(
        Tree{.head = tree_->head, .atom = tree_->atom, .keywords = tree_->keywords, .args = std::move(args)});
  return call(tree_->head, std::move(args));
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
  // f(s) = slope*s + offset: two points give both, a third tells whether f is linear.
  std::map<std::string, int64_t> trial = bindings;
  const auto at = [&](int64_t s) {
    trial[unknown] = s;
    return evaluate(trial);
  };
  const auto f1 = at(1);
  const auto f2 = at(2);
  const auto f7 = at(7);
  if (!f1 || !f2 || !f7) return std::nullopt;
  const Int128 slope = Int128{*f2} - *f1;
  const Int128 offset = *f1 - slope;
  const Int128 rise = result - offset;
  if (slope == 0 || *f7 != 7 * slope + offset || rise % slope != 0) return std::nullopt;
  const Int128 value = rise / slope;
  if (value != static_cast<int64_t>(value)) return std::nullopt;
  return std::pair(unknown, static_cast<int64_t>(value));
}

}  // namespace torquant
