#pragma once

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "torquant/core/error.h"
#include "torquant/core/rounding.h"
#include "torquant/lower/grid.h"

// A body that is compiled also for the instructions of x86-64-v3, which have vectors of eight and roundings.
#if defined(__x86_64__) && (defined(__clang__) || defined(__GNUC__))
#define TORQUANT_TARGET_V3 [[gnu::target("avx2,sse4.1")]]
#else
#define TORQUANT_TARGET_V3
#endif

// What the operators on codes have in common: numbers to codes and back. Private to lower/.
namespace torquant {

inline bool has_avx2() {
#if defined(__x86_64__)
  static const bool has = __builtin_cpu_supports("avx2");
  return has;
#else
  return false;
#endif
}

// A grid in the types of the arithmetic.
struct Dequantize {
  explicit Dequantize(const Grid& grid)
      : scale(static_cast<float>(grid.scale)), zero_point(static_cast<int32_t>(grid.zero_point)) {}
  [[gnu::always_inline]] float operator()(uint8_t code) const { return static_cast<float>(code - zero_point) * scale; }
  float scale;
  int32_t zero_point;
};

struct Quantize {
  explicit Quantize(const Grid& grid)
      : inverse_scale(static_cast<float>(1.0 / grid.scale)),
        zero_point(static_cast<float>(grid.zero_point)),
        min(static_cast<float>(grid.min)),
        max(static_cast<float>(grid.max)) {}
  [[gnu::always_inline]] uint8_t operator()(float number) const { return rounded(number * inverse_scale); }
  [[gnu::always_inline]] uint8_t rounded(float steps) const {
    const float code = round_half_even(steps) + zero_point;
    return static_cast<uint8_t>(static_cast<int32_t>(std::min(std::max(code, min), max)));
  }
  float inverse_scale, zero_point, min, max;
};

inline Grid uint8_grid(double scale, int64_t zero_point, int64_t min = 0, int64_t max = 255) {
  return {.scale = scale, .zero_point = zero_point, .min = min, .max = max, .dtype = at::kByte};
}

inline void check_codes(const char* op, const char* name, const at::Tensor& x) {
  if (x.scalar_type() == at::kByte) return;
  throw Error({.where = op, .what = fmt::format("{} is {}", name, c10::toString(x.scalar_type())), .allowed = "uint8"});
}

}  // namespace torquant
