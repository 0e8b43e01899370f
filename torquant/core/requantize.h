#pragma once

#include <cstdint>

// From the accumulator of an integer layer to the codes of its output (docs/semantics.md, K1 to K3). The one place
// where the numbers of that step are made; the kernels apply them.

namespace torquant {

// real = scale * (code - zero_point)
struct TensorGrid {
  double scale = 1;
  int32_t zero_point = 0;
};

// K2, of one output channel.
struct Requantization {
  float multiplier;  // of the accumulator
  float offset;      // bias and zero points, in steps of the output
};

// `weight_scale` of the channel, `bias` of it in reals. `residual` is the grid of what is added to the output, if any.
Requantization requantization(const TensorGrid& input, double weight_scale, double bias, const TensorGrid& output,
                              const TensorGrid* residual = nullptr);

// K4, of the sum of two tensors: `multiplier` is that of the first, residual_multiplier() that of the second.
Requantization sum_requantization(const TensorGrid& a, const TensorGrid& b, const TensorGrid& output);

// K6, of the product of two codes less their zero points.
Requantization product_requantization(const TensorGrid& a, const TensorGrid& b, const TensorGrid& output);

// K5, of the sum of `count` codes less their zero points.
Requantization mean_requantization(const TensorGrid& input, int64_t count, const TensorGrid& output);

// K2: of the codes of a residual.
float residual_multiplier(const TensorGrid& residual, const TensorGrid& output);

// K3: code = clamp(rne(acc * multiplier + offset), lo, hi), the sum rounded once (a fused multiply-add).
uint8_t requantize(int32_t accumulator, const Requantization& how, uint8_t lo, uint8_t hi);

// K3 with a residual: the residual's product and the offset are added first, rounded once.
uint8_t requantize(int32_t accumulator, const Requantization& how, uint8_t residual, float residual_multiplier,
                   uint8_t lo, uint8_t hi);

// Whether no accumulator of `depth` products of uint8 and int8 (and a residual) leaves the integers of 32 bits on its
// way, so that all kernels give the same codes. What it refuses is no layer that quantization makes: outputs of 2^31
// steps.
bool requantization_fits(const Requantization& how, int64_t depth, float residual_multiplier);

}  // namespace torquant
