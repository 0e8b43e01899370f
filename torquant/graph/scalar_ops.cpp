#include "torquant/graph/scalar_ops.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_map>

#include "torquant/core/error.h"

namespace torquant {
namespace {

using Args = std::vector<c10::IValue>;
using Function = std::function<c10::IValue(const Args&)>;

bool is_int(const c10::IValue& value) { return value.isInt() || value.isBool(); }
int64_t to_int(const c10::IValue& value) {
  return value.isBool() ? static_cast<int64_t>(value.toBool()) : value.toInt();
}
double to_double(const c10::IValue& value) {
  return value.isDouble() ? value.toDouble() : static_cast<double>(to_int(value));
}
bool truth(const c10::IValue& value) {
  return value.isBool() ? value.toBool() : value.isInt() ? value.toInt() != 0 : value.toDouble() != 0;
}

int64_t floor_division(int64_t a, int64_t b) {
  if (b == 0) throw Error({.where = "", .what = "integer division by zero"});
  const int64_t quotient = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? quotient - 1 : quotient;
}

int64_t int_pow(int64_t base, int64_t exponent) {
  int64_t result = 1;
  for (int64_t i = 0; i < exponent; ++i) result *= base;
  return result;
}

// One function for two ints, one for everything else.
template <typename OnInts, typename OnDoubles>
Function arithmetic(OnInts on_ints, OnDoubles on_doubles) {
  return [=](const Args& args) -> c10::IValue {
    if (is_int(args.at(0)) && is_int(args.at(1))) return on_ints(to_int(args[0]), to_int(args[1]));
    return on_doubles(to_double(args[0]), to_double(args[1]));
  };
}

template <typename Compare>
Function comparison(Compare compare) {
  return [=](const Args& args) -> c10::IValue {
    if (is_int(args.at(0)) && is_int(args.at(1))) return compare(to_int(args[0]), to_int(args[1]));
    return compare(to_double(args[0]), to_double(args[1]));
  };
}

Function on_double(double (*function)(double)) {
  return [=](const Args& args) -> c10::IValue { return function(to_double(args.at(0))); };
}
Function to_integer(double (*round)(double)) {
  return [=](const Args& args) -> c10::IValue {
    if (is_int(args.at(0))) return to_int(args[0]);
    return static_cast<int64_t>(round(to_double(args[0])));
  };
}

const std::unordered_map<std::string, Function>& table() {
  static const auto* functions = new std::unordered_map<std::string, Function>{
      {"_operator.add", arithmetic(std::plus<>(), std::plus<>())},
      {"_operator.sub", arithmetic(std::minus<>(), std::minus<>())},
      {"_operator.mul", arithmetic(std::multiplies<>(), std::multiplies<>())},
      {"_operator.truediv",
       [](const Args& args) -> c10::IValue { return to_double(args.at(0)) / to_double(args.at(1)); }},
      {"_operator.floordiv", arithmetic(floor_division, [](double a, double b) { return std::floor(a / b); })},
      {"_operator.mod", arithmetic([](int64_t a, int64_t b) { return a - floor_division(a, b) * b; },
                                   [](double a, double b) { return a - std::floor(a / b) * b; })},
      {"_operator.pow",
       [](const Args& args) -> c10::IValue {
         if (is_int(args.at(0)) && is_int(args.at(1)) && to_int(args[1]) >= 0) {
           return int_pow(to_int(args[0]), to_int(args[1]));
         }
         return std::pow(to_double(args[0]), to_double(args[1]));
       }},
      {"_operator.neg",
       [](const Args& args) -> c10::IValue {
         if (is_int(args.at(0))) return -to_int(args[0]);
         return -to_double(args[0]);
       }},
      {"_operator.pos", [](const Args& args) -> c10::IValue { return args.at(0); }},
      {"_operator.lshift", [](const Args& args) -> c10::IValue { return to_int(args.at(0)) << to_int(args.at(1)); }},
      {"_operator.rshift", [](const Args& args) -> c10::IValue { return to_int(args.at(0)) >> to_int(args.at(1)); }},
      {"_operator.and_",
       [](const Args& args) -> c10::IValue {
         if (args.at(0).isBool() && args.at(1).isBool()) return args[0].toBool() && args[1].toBool();
         return to_int(args[0]) & to_int(args[1]);
       }},
      {"_operator.or_",
       [](const Args& args) -> c10::IValue {
         if (args.at(0).isBool() && args.at(1).isBool()) return args[0].toBool() || args[1].toBool();
         return to_int(args[0]) | to_int(args[1]);
       }},
      {"_operator.eq", comparison(std::equal_to<>())},
      {"_operator.ne", comparison(std::not_equal_to<>())},
      {"_operator.le", comparison(std::less_equal<>())},
      {"_operator.ge", comparison(std::greater_equal<>())},
      {"_operator.lt", comparison(std::less<>())},
      {"_operator.gt", comparison(std::greater<>())},
      {"torch.sym_not", [](const Args& args) -> c10::IValue { return !truth(args.at(0)); }},
      {"torch.sym_int", to_integer(std::trunc)},
      {"math.trunc", to_integer(std::trunc)},
      {"math.floor", to_integer(std::floor)},
      {"math.ceil", to_integer(std::ceil)},
      {"torch.sym_float", [](const Args& args) -> c10::IValue { return to_double(args.at(0)); }},
      {"torch.sym_max", arithmetic([](int64_t a, int64_t b) { return std::max(a, b); },
                                   [](double a, double b) { return std::max(a, b); })},
      {"torch.sym_min", arithmetic([](int64_t a, int64_t b) { return std::min(a, b); },
                                   [](double a, double b) { return std::min(a, b); })},
      {"torch.sym_ite", [](const Args& args) -> c10::IValue { return truth(args.at(0)) ? args.at(1) : args.at(2); }},
      {"torch._sym_sqrt", on_double(std::sqrt)},
      {"torch.sym_sqrt", on_double(std::sqrt)},
  };
  return *functions;
}

}  // namespace

bool is_scalar_op(const OpId& op) { return table().contains(op.name()); }

c10::IValue run_scalar_op(const OpId& op, const std::vector<c10::IValue>& args) {
  try {
    return table().at(op.name())(args);
  } catch (const std::out_of_range&) {
    throw Error({.where = op.name(), .what = fmt::format("called with {} arguments", args.size())});
  }
}

}  // namespace torquant
