#include "torquant/core/float_formats.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "torquant/core/rounding.h"

namespace torquant {
namespace {

// value = (-1)^sign * 2^(exponent - bias) * 1.mantissa, denormals below exponent 1.
struct Format {
  int mantissa_bits;
  int bias;
  uint8_t max_code;       // the largest finite magnitude
  uint8_t overflow_code;  // of magnitudes that round beyond it, infinity too
  uint8_t nan_code;
  bool has_negative_zero;  // the "fnuz" formats use its code as their only NaN
};

Format format_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat8E4M3FN:
      return {3, 7, 0x7e, 0x7e, 0x7f, true};
    case DType::kFloat8E4M3FNUZ:
      return {3, 8, 0x7f, 0x80, 0x80, false};
    case DType::kFloat8E5M2:
      return {2, 15, 0x7b, 0x7c, 0x7f, true};
    case DType::kFloat8E5M2FNUZ:
      return {2, 16, 0x7f, 0x80, 0x80, false};
    default:  // other dtypes have functions of their own; e8m0 has no sign and no mantissa
      assert(false && "not a signed float8 format");
      return {};
  }
}

float magnitude_of(uint8_t code, const Format& f) {
  const int exponent = code >> f.mantissa_bits;
  const int mantissa = code & ((1 << f.mantissa_bits) - 1);
  if (exponent == 0) return std::ldexp(static_cast<float>(mantissa), 1 - f.bias - f.mantissa_bits);
  return std::ldexp(static_cast<float>(mantissa + (1 << f.mantissa_bits)), exponent - f.bias - f.mantissa_bits);
}

// A power of two, 2^(code - 127); 255 is NaN.
float e8m0_to_float(uint8_t code) {
  return code == 255 ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.0f, code - 127);
}

// The nearest power of two; 1.5 times one rounds up, and of the denormals (which have no implied one) only what is
// above a half does.
uint8_t e8m0_from_float(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t exponent = (bits >> 23) & 0xffu;
  if (exponent == 255) return 255;
  const bool half = (bits & 0x400000u) != 0;
  const bool below_half = (bits & 0x3fffffu) != 0;
  const bool normal = exponent > 0;
  return static_cast<uint8_t>(half && (normal || below_half) ? exponent + 1 : exponent);
}

}  // namespace

float float8_to_float(uint8_t bits, DType dtype) {
  if (dtype == DType::kFloat8E8M0FNU) return e8m0_to_float(bits);
  const Format f = format_of(dtype);
  const auto magnitude = static_cast<uint8_t>(bits & 0x7f);
  float value = magnitude_of(magnitude, f);
  if (f.has_negative_zero) {
    if (magnitude > f.max_code) {
      const bool infinite = magnitude == f.overflow_code && f.overflow_code != f.nan_code;
      value = infinite ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
    }
  } else if (bits == f.nan_code) {
    return std::numeric_limits<float>::quiet_NaN();
  }
  return (bits & 0x80) != 0 ? -value : value;
}

uint8_t float8_from_float(float value, DType dtype) {
  if (dtype == DType::kFloat8E8M0FNU) return e8m0_from_float(value);
  const Format f = format_of(dtype);
  const auto sign = static_cast<uint8_t>(std::signbit(value) ? 0x80 : 0);
  const auto special = [&](uint8_t code) { return f.has_negative_zero ? static_cast<uint8_t>(sign | code) : code; };
  if (std::isnan(value)) return special(f.nan_code);
  const float magnitude = std::fabs(value);
  if (magnitude == 0) return f.has_negative_zero ? sign : 0;
  if (std::isinf(magnitude)) return special(f.overflow_code);

  // The spacing of codes around `magnitude`; below the smallest normal number it stays.
  const int exponent = std::max(std::ilogb(magnitude), 1 - f.bias);
  const float steps = round_half_even(std::ldexp(magnitude, f.mantissa_bits - exponent));
  // `steps` counts 2^mantissa_bits (the implicit one) and more; a carry moves on to the next exponent by itself.
  const int code = ((exponent + f.bias - 1) << f.mantissa_bits) + static_cast<int>(steps);
  if (code > f.max_code) return special(f.overflow_code);
  if (code == 0) return f.has_negative_zero ? sign : 0;
  return static_cast<uint8_t>(sign | code);
}

float float8_max(DType dtype) {
  return dtype == DType::kFloat8E8M0FNU ? e8m0_to_float(254)
                                        : magnitude_of(format_of(dtype).max_code, format_of(dtype));
}

double smallest_normal(DType dtype) {
  switch (dtype) {
    case DType::kFloat16:
      return 0x1p-14;
    case DType::kFloat64:
      return std::numeric_limits<double>::min();
    default:
      return std::numeric_limits<float>::min();  // float32 and bfloat16 have the same exponents
  }
}

}  // namespace torquant
