#pragma once

#include <bit>
#include <cstdint>

#include "torquant/core/dtype.h"

// The floating-point formats that C++ has no type for, as bit patterns: conversion to float is exact, conversion from
// float rounds to nearest, ties to even (docs/semantics.md, Q3).

namespace torquant {

inline float bfloat16_to_float(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

inline uint16_t bfloat16_from_float(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto rounded = static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
  return value != value ? uint16_t{0x7fc0} : rounded;  // PyTorch's NaN
}

inline float float16_to_float(uint16_t bits) {
  // Shifted into a float's fields the exponent is 112 too small; multiplying by 2^112 corrects it, denormals included.
  const uint32_t sign = uint32_t{bits & 0x8000u} << 16;
  const uint32_t fields = uint32_t{bits & 0x7fffu} << 13;
  const float scaled = std::bit_cast<float>(fields) * std::bit_cast<float>(0x77800000u);  // 2^112
  const uint32_t magnitude = (bits & 0x7c00u) == 0x7c00u ? (fields | 0x7f800000u) : std::bit_cast<uint32_t>(scaled);
  return std::bit_cast<float>(sign | magnitude);
}

inline uint16_t float16_from_float(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  // Below 2^-14 the result is denormal: adding 0.5 makes the float unit round at the 24th binary place.
  const float as_denormal = std::bit_cast<float>(magnitude) + 0.5f;
  const uint32_t denormal = std::bit_cast<uint32_t>(as_denormal) - 0x3f000000u;
  const uint32_t normal = (magnitude + 0xc8000fffu + ((magnitude >> 13) & 1u)) >> 13;  // exponent - 112, round
  uint32_t result = magnitude < 0x38800000u ? denormal : normal;
  if (magnitude >= 0x477ff000u) result = 0x7c00u;  // 65520 and above round to infinity
  if (magnitude > 0x7f800000u) result = 0x7e00u;   // NaN
  return static_cast<uint16_t>(sign | result);
}

// Eight-bit floats: float8_e4m3fn, float8_e4m3fnuz, float8_e5m2, float8_e5m2fnuz, float8_e8m0fnu. A value beyond the
// largest gives what PyTorch 2.13 casts it to: the largest (e4m3fn), infinity (e5m2) or NaN (the others).
float float8_to_float(uint8_t bits, DType format);
uint8_t float8_from_float(float value, DType format);
float float8_max(DType format);  // 448 for float8_e4m3fn

// `value` rounded to what `dtype` (float64, float32, bfloat16 or float16; others leave it) can hold: the result of an
// operation computed in `dtype`. Half-precision operations are computed in float and rounded once more, as in PyTorch.
inline float round_to(float value, DType dtype) {
  if (dtype == DType::kBFloat16) return bfloat16_to_float(bfloat16_from_float(value));
  if (dtype == DType::kFloat16) return float16_to_float(float16_from_float(value));
  return value;
}
inline double round_to(double value, DType dtype) {
  if (dtype == DType::kFloat32 || dtype == DType::kBFloat16 || dtype == DType::kFloat16) {
    return round_to(static_cast<float>(value), dtype);
  }
  return value;
}

// The smallest positive normal number of a float dtype of 16 or more bits: the default floor of scales (Q5).
double smallest_normal(DType dtype);

}  // namespace torquant
