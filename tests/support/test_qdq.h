#pragma once

#include <ATen/ops/randint.h>

#include <string>
#include <vector>

#include "tests/support/test_program.h"
#include "torquant/lower/grid.h"

// Quantize and dequantize nodes for the tests of this folder.
namespace torquant {

inline constexpr Grid kImage{.scale = 0.02, .zero_point = 121, .min = 0, .max = 255, .dtype = at::kByte};
inline constexpr Grid kHidden{.scale = 0.05, .zero_point = 100, .min = 0, .max = 255, .dtype = at::kByte};
inline constexpr Grid kHalf{.scale = 0.03, .zero_point = 60, .min = 0, .max = 127, .dtype = at::kByte};
inline constexpr Grid kSigned{.scale = 0.02, .zero_point = -7, .min = -128, .max = 127, .dtype = at::kChar};

inline std::vector<NamedArgument> on_grid(Value* input, const Grid& grid) {
  return {{"input", input},        {"scale", grid.scale},   {"zero_point", grid.zero_point},
          {"quant_min", grid.min}, {"quant_max", grid.max}, {"dtype", grid.dtype}};
}

inline Value* quantize(TestProgram& net, Value* x, const Grid& grid) {
  return net.op("quantized_decomposed.quantize_per_tensor.default", on_grid(x, grid));
}
inline Value* dequantize(TestProgram& net, Value* codes, const Grid& grid) {
  return net.op("quantized_decomposed.dequantize_per_tensor.default", on_grid(codes, grid));
}
inline Value* through(TestProgram& net, Value* x, const Grid& grid) {
  return dequantize(net, quantize(net, x, grid), grid);
}

// int8 codes with a scale for each of their rows, dequantized.
inline Value* int8_weight(TestProgram& net, const std::string& name, const std::vector<int64_t>& sizes) {
  Value* codes = net.buffer(name, at::randint(-127, 128, sizes).to(at::kChar));
  Value* scales = net.buffer(name + "_scale", at::rand({sizes[0]}) * 0.004 + 0.001);
  Value* zero_points = net.buffer(name + "_zero_point", at::randint(0, 1, {sizes[0]}));
  return net.op("quantized_decomposed.dequantize_per_channel.default", {{"input", codes},
                                                                        {"scales", scales},
                                                                        {"zero_points", zero_points},
                                                                        {"axis", int64_t{0}},
                                                                        {"quant_min", int64_t{-127}},
                                                                        {"quant_max", int64_t{127}},
                                                                        {"dtype", at::kChar}});
}

}  // namespace torquant
