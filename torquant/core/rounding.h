#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

// Rounding, once for everything (docs/semantics.md, Q1): to the nearest integer, ties to even.

namespace torquant {

// Adding and subtracting 2^23 (2^52) leaves the nearest integer, ties to even, in the floating-point unit's default
// mode; larger values are integers already. Keeps the sign of zero, infinities and NaN. Unlike std::nearbyint it is
// no library call on CPUs without SSE4.1 and vectorises there.
inline float round_half_even(float x) {
  constexpr float kTwo23 = 8388608.0f;
  const float magnitude = std::fabs(x);
  const float rounded = std::copysign((magnitude + kTwo23) - kTwo23, x);
  return magnitude < kTwo23 ? rounded : x;
}

inline double round_half_even(double x) {
  constexpr double kTwo52 = 4503599627370496.0;
  const double magnitude = std::fabs(x);
  const double rounded = std::copysign((magnitude + kTwo52) - kTwo52, x);
  return magnitude < kTwo52 ? rounded : x;
}

// min <= x <= max, NaN stays NaN (Q2): as at::clamp.
template <class T>
inline T clamp_keep_nan(T x, T min, T max) {
  x = x < min ? min : x;
  return x > max ? max : x;
}

}  // namespace torquant
