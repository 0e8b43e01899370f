#include "torquant/graph/scalar_ops.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <unordered_map>

#include "torquant/core/error.h"
#include "torquant/graph/integer_math.h"

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

template <auto kChecked>
int64_t exact(int64_t a, int64_t b) {
  const std::optional<int64_t> result = kChecked(a, b);
  if (!result) overflow();
  return *result;
}

int64_t floor_division(int64_t a, int64_t b) {
  if (b == 0) throw Error({.where = "", .what = "integer division by zero"});
  return exact<checked_floor_div>(a, b);
}

int64_t modulo(int64_t a, int64_t b) {
  if (b == 0) throw Error({.where = "", .what = "integer division by zero"});
  return exact<checked_mod>(a, b);
}

double divide(double a, double b) {
  if (b == 0) throw Error({.where = "", .what = "division by zero"});
  return a / b;
}

// CPython's float_divmod (Objects/floatobject.c): 1.0 // 0.1 is 9.0, as 0.1 is a little more than a tenth.
double float_modulo(double a, double b) {
  if (b == 0) throw Error({.where = "", .what = "division by zero"});
  const double rest = std::fmod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

double float_floor_division(double a, double b) {
  const double quotient = divide(a - float_modulo(a, b), b);
  const double floor = std::floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

double power(double base, double exponent) {
  if (base == 0 && exponent < 0) throw Error({.where = "", .what = "0 to a negative power"});
  return std::pow(base, exponent);
}

int64_t shift_count(int64_t count) {
  if (count < 0 || count > 63)
    throw Error({.where = "", .what = fmt::format("a shift by {}", count), .allowed = "0 to 63"});
  return count;
}

// In two halves: 2^63 itself does not fit, but -1 << 63 does.
int64_t left_shift(int64_t value, int64_t count) {
  const int64_t half = shift_count(count) / 2;
  return exact<checked_mul>(exact<checked_mul>(value, int64_t{1} << half), int64_t{1} << (count - half));
}

int64_t integer_of(double value) {
  constexpr double kEnd = 9223372036854775808.0;  // 2^63
  if (!(value >= -kEnd && value < kEnd)) overflow();
  return static_cast<int64_t>(value);
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
    return integer_of(round(to_double(args[0])));
  };
}

const std::unordered_map<std::string, Function>& table() {
  static const auto* functions = new std::unordered_map<std::string, Function>{
      {"_operator.add", arithmetic(exact<checked_add>, std::plus<>())},
      {"_operator.sub", arithmetic(exact<checked_sub>, std::minus<>())},
      {"_operator.mul", arithmetic(exact<checked_mul>, std::multiplies<>())},
      {"_operator.truediv",
       [](const Args& args) -> c10::IValue { return divide(to_double(args.at(0)), to_double(args.at(1))); }},
      {"_operator.floordiv", arithmetic(floor_division, float_floor_division)},
      {"_operator.mod", arithmetic(modulo, float_modulo)},
      {"_operator.pow",
       [](const Args& args) -> c10::IValue {
         if (is_int(args.at(0)) && is_int(args.at(1)) && to_int(args[1]) >= 0) {
           return exact<checked_pow>(to_int(args[0]), to_int(args[1]));
         }
         return power(to_double(args[0]), to_double(args[1]));
       }},
      {"_operator.neg",
       [](const Args& args) -> c10::IValue {
         if (is_int(args.at(0))) return exact<checked_sub>(0, to_int(args[0]));
         return -to_double(args[0]);
       }},
      {"_operator.pos", [](const Args& args) -> c10::IValue { return args.at(0); }},
      {"_operator.lshift",
       [](const Args& args) -> c10::IValue { return left_shift(to_int(args.at(0)), to_int(args.at(1))); }},
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
