#include "torquant/primitives/float8.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "torquant/core/error.h"
#include "torquant/core/float8.h"
#include "torquant/primitives/tensors.h"

namespace torquant {
namespace {

constexpr auto kE4M3 = c10::ScalarType::Float8_e4m3fn;
constexpr auto kE5M2 = c10::ScalarType::Float8_e5m2;
constexpr auto kE4M3FNUZ = c10::ScalarType::Float8_e4m3fnuz;
constexpr auto kE5M2FNUZ = c10::ScalarType::Float8_e5m2fnuz;

void check_float8(const char* where, c10::ScalarType type) {
  if (type == kE4M3 || type == kE5M2 || type == kE4M3FNUZ || type == kE5M2FNUZ) return;
  throw Error({.where = where,
               .what = fmt::format("{} is no float8 dtype with a sign", c10::toString(type)),
               .allowed = "float8_e4m3fn, float8_e4m3fnuz, float8_e5m2, float8_e5m2fnuz"});
}

// The blocks that a scale of this shape asks for.
std::vector<int64_t> block_size_for(const char* where, const at::Tensor& input, const at::Tensor& scale) {
  check_dtype(where, "scale", scale, {at::kFloat});
  if (scale.numel() == 1) return input.sizes().vec();
  std::vector<int64_t> block_size;
  for (int64_t i = 0; i < input.dim() && scale.dim() == input.dim(); ++i) {
    if (scale.size(i) <= 0 || input.size(i) % scale.size(i) != 0) break;
    block_size.push_back(input.size(i) / scale.size(i));
  }
  if (static_cast<int64_t>(block_size.size()) != input.dim()) {
    throw Error({.where = where,
                 .what = fmt::format("scale of shape [{}] does not tile a tensor of shape [{}]",
                                     fmt::join(scale.sizes(), ", "), fmt::join(input.sizes(), ", ")),
                 .allowed = "one element, or the same rank with extents that divide the tensor's"});
  }
  return block_size;
}

}  // namespace

at::Tensor choose_scale_float8(const at::Tensor& input, at::IntArrayRef block_size, const Float8ScaleOptions& options) {
  constexpr const char* kName = "choose_scale_float8";
  check_floating(kName, "input", input);
  check_cpu(kName, "input", input);
  check_float8(kName, options.float8_dtype);
  const BlockLayout layout(kName, input.sizes(), block_size);
  const at::Tensor dense = input.detach().contiguous();
  const at::Tensor scale = at::empty(layout.blocks_per_axis(), at::kFloat);
  choose_scale_float8({.float8 = dtype_of(options.float8_dtype),
                       .power_of_two = options.power_of_two,
                       .min_absmax = options.hp_value_lb,
                       .max_absmax = options.hp_value_ub},
                      layout, const_array_of(dense), array_of(scale));
  return scale;
}

at::Tensor quantize_affine_float8(const at::Tensor& input, const at::Tensor& scale, c10::ScalarType float8_dtype) {
  constexpr const char* kName = "quantize_affine_float8";
  check_floating(kName, "input", input);
  check_float8(kName, float8_dtype);
  const ElementwiseView view(kName, input.detach(), block_size_for(kName, input, scale));
  const at::Tensor blocks = view.qparam(kName, "scale", scale);
  const at::Tensor codes = view.empty_output(float8_dtype);
  quantize_float8(view.layout(), view.input(), const_array_of(blocks), view.in_memory_order(codes));
  return codes;
}

at::Tensor dequantize_affine_float8(const at::Tensor& codes, const at::Tensor& scale, c10::ScalarType output_dtype) {
  constexpr const char* kName = "dequantize_affine_float8";
  check_defined(kName, "codes", codes);
  check_float8(kName, codes.scalar_type());
  const ElementwiseView view(kName, codes, block_size_for(kName, codes, scale));
  const at::Tensor blocks = view.qparam(kName, "scale", scale);
  const at::Tensor output = view.empty_output(output_dtype);
  check_floating(kName, "output_dtype", output);
  dequantize_float8(view.layout(), view.input(), const_array_of(blocks), view.in_memory_order(output));
  return output;
}

}  // namespace torquant
