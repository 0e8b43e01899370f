#pragma once

#include <cstdint>
#include <optional>

// Python's integer arithmetic on 64 bits: nothing where the result does not fit, or a divisor is 0.
namespace torquant {

// Holds every sum and product of two 64-bit integers. Not standard C++, though clang and gcc have it.
__extension__ using Int128 = __int128;

inline std::optional<int64_t> checked_add(int64_t a, int64_t b) {
  int64_t result = 0;
  return __builtin_add_overflow(a, b, &result) ? std::nullopt : std::optional(result);
}

inline std::optional<int64_t> checked_sub(int64_t a, int64_t b) {
  int64_t result = 0;
  return __builtin_sub_overflow(a, b, &result) ? std::nullopt : std::optional(result);
}

inline std::optional<int64_t> checked_mul(int64_t a, int64_t b) {
  int64_t result = 0;
  return __builtin_mul_overflow(a, b, &result) ? std::nullopt : std::optional(result);
}

// Towards minus infinity.
inline std::optional<int64_t> checked_floor_div(int64_t a, int64_t b) {
  if (b == 0) return std::nullopt;
  if (b == -1) return checked_sub(0, a);
  const int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

// What floor division leaves: of the sign of `b`.
inline std::optional<int64_t> checked_mod(int64_t a, int64_t b) {
  if (b == 0) return std::nullopt;
  if (b == -1) return 0;
  const int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

// Nothing for a negative exponent, too: that power is no integer.
inline std::optional<int64_t> checked_pow(int64_t base, int64_t exponent) {
  if (exponent < 0) return std::nullopt;
  if (base == 0 || base == 1) return exponent == 0 ? 1 : base;
  if (base == -1) return exponent % 2 == 0 ? 1 : -1;
  std::optional<int64_t> result = 1;
  for (int64_t i = 0; result && i < exponent; ++i) result = checked_mul(*result, base);  // ends by 2^63
  return result;
}

}  // namespace torquant
