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

// Python's integers do not end; ours do, and say so.
[[noreturn]] void overflow() { throw Error({.where = "", .what = "the result does not fit 64 bits"}); }

int64_t checked_add(int64_t a, int64_t b) {
  int64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) overflow();
  return result;
}
int64_t checked_sub(int64_t a, int64_t b) {
  int64_t result = 0;
  if (__builtin_sub_overflow(a, b, &result)) overflow();
  return result;
}
int64_t checked_mul(int64_t a, int64_t b) {
  int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) overflow();
  return result;
}

int64_t floor_division(int64_t a, int64_t b) {
  if (b == 0) throw Error({.where = "", .what = "integer division by zero"});
  if (b == -1) return checked_sub(0, a);
  const int64_t quotient = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? quotient - 1 : quotient;
}

int64_t int_pow(int64_t base, int64_t exponent) {
  if (base == 0 || base == 1) return exponent == 0 ? 1 : base;
  if (base == -1) return exponent % 2 == 0 ? 1 : -1;
  int64_t result = 1;
  for (int64_t i = 0; i < exponent; ++i) result = checked_mul(result, base);  // ends by 2^63
  return result;
}

double divide(double a, double b) {
  if (b == 0) throw Error({.where = "", .what = "division by zero"});
  return a / b;
}

int64_t shift_count(int64_t count) {
  if (count < 0 || count > 63)
    throw Error({.where = "", .what = fmt::format("a shift by {}", count), .allowed = "0 to 63"});
  return count;
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
      {"_operator.add", arithmetic(checked_add, std::plus<>())},
      {"_operator.sub", arithmetic(checked_sub, std::minus<>())},
      {"_operator.mul", arithmetic(checked_mul, std::multiplies<>())},
      {"_operator.truediv",
       [](const Args& args) -> c10::IValue { return divide(to_double(args.at(0)), to_double(args.at(1))); }},
      {"_operator.floordiv", arithmetic(floor_division, [](double a, double b) { return std::floor(divide(a, b)); })},
      {"_operator.mod", arithmetic([](int64_t a, int64_t b) { return b == -1 ? 0 : a - floor_division(a, b) * b; },
                                   [](double a, double b) { return a - std::floor(divide(a, b)) * b; })},
      {"_operator.pow",
       [](const Args& args) -> c10::IValue {
         if (is_int(args.at(0)) && is_int(args.at(1)) && to_int(args[1]) >= 0) {
           return int_pow(to_int(args[0]), to_int(args[1]));
         }
         return std::pow(to_double(args[0]), to_double(args[1]));
       }},
      {"_operator.neg",
       [](const Args& args) -> c10::IValue {
         if (is_int(args.at(0))) return checked_sub(0, to_int(args[0]));
         return -to_double(args[0]);
       }},
      {"_operator.pos", [](const Args& args) -> c10::IValue { return args.at(0); }},
      {"_operator.lshift",
       [](const Args& args) -> c10::IValue {
         return checked_mul(to_int(args.at(0)), int_pow(2, shift_count(to_int(args.at(1)))));
       }},
      {"_operator.rshift",
       [](const Args& args) -> c10::IValue { return to_int(args.at(0)) >> shift_count(to_int(args.at(1))); }},
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
