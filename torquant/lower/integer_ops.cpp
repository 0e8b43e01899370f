#include "torquant/lower/integer_ops.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "torquant/core/error.h"
#include "torquant/core/rounding.h"
#include "torquant/primitives/operator_library.h"

// One body, compiled also for the instructions of x86-64-v3, which have vectors of eight and roundings.
#if defined(__x86_64__) && (defined(__clang__) || defined(__GNUC__))
#define TORQUANT_TARGET_V3 [[gnu::target("avx2,sse4.1")]]
#else
#define TORQUANT_TARGET_V3
#endif

namespace torquant {
namespace {

constexpr int64_t kGrain = 32768;  // codes that one thread takes at once

bool has_avx2() {
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
  float operator()(uint8_t code) const { return static_cast<float>(code - zero_point) * scale; }
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

[[gnu::always_inline]] inline void add_span(const uint8_t* a, Dequantize a_grid, const uint8_t* b, Dequantize b_grid,
                                            Quantize out_grid, uint8_t* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = out_grid(a_grid(a[i]) + b_grid(b[i]));
}

void add_portable(const uint8_t* a, Dequantize a_grid, const uint8_t* b, Dequantize b_grid, Quantize out_grid,
                  uint8_t* out, int64_t count) {
  add_span(a, a_grid, b, b_grid, out_grid, out, count);
}

TORQUANT_TARGET_V3 void add_v3(const uint8_t* a, Dequantize a_grid, const uint8_t* b, Dequantize b_grid,
                               Quantize out_grid, uint8_t* out, int64_t count) {
  add_span(a, a_grid, b, b_grid, out_grid, out, count);
}

void check_codes(const char* op, const char* name, const at::Tensor& x) {
  if (x.scalar_type() == at::kByte) return;
  throw Error({.where = op, .what = fmt::format("{} is {}", name, c10::toString(x.scalar_type())), .allowed = "uint8"});
}

// Codes, channels last.
struct Image {
  const uint8_t* data;
  int64_t height, width, channels;
};

// Of each channel.
void sum_window(const Image& image, int64_t top, int64_t bottom, int64_t left, int64_t right, int32_t* sums) {
  std::fill_n(sums, image.channels, 0);
  for (int64_t y = top; y < bottom; ++y) {
    for (int64_t x = left; x < right; ++x) {
      const uint8_t* codes = image.data + (y * image.width + x) * image.channels;
      for (int64_t c = 0; c < image.channels; ++c) sums[c] += codes[c];
    }
  }
}

int64_t output_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding) {
  return (size + 2 * padding - kernel) / stride + 1;
}

}  // namespace

at::Tensor add_codes(const at::Tensor& a, const Grid& a_grid, const at::Tensor& b, const Grid& b_grid,
                     const Grid& out) {
  check_codes("add_codes", "a", a);
  check_codes("add_codes", "b", b);
  if (a.sizes() != b.sizes()) {
    throw Error({.where = "add_codes", .what = "a and b have different sizes", .allowed = "the same sizes"});
  }
  const at::Tensor dense = a.is_non_overlapping_and_dense() ? a : a.contiguous();
  at::Tensor result = at::empty_like(dense);
  const at::Tensor other = b.strides() == dense.strides() ? b : at::empty_like(dense).copy_(b);
  const uint8_t* left = dense.const_data_ptr<uint8_t>();
  const uint8_t* right = other.const_data_ptr<uint8_t>();
  auto* codes = result.mutable_data_ptr<uint8_t>();
  const auto add = has_avx2() ? add_v3 : add_portable;
  at::parallel_for(0, dense.numel(), kGrain, [&](int64_t begin, int64_t end) {
    add(left + begin, Dequantize(a_grid), right + begin, Dequantize(b_grid), Quantize(out), codes + begin, end - begin);
  });
  return result;
}

at::Tensor avg_pool2d_codes(const at::Tensor& x, const Grid& grid, const Windows& windows, const Grid& out) {
  check_codes("avg_pool2d_codes", "x", x);
  if (x.dim() != 4) {
    throw Error({.where = "avg_pool2d_codes", .what = fmt::format("x has rank {}", x.dim()), .allowed = "rank 4"});
  }
  const at::Tensor codes = x.contiguous(at::MemoryFormat::ChannelsLast);
  const int64_t channels = x.size(1), height = x.size(2), width = x.size(3);
  const auto fits = [](const std::vector<int64_t>& sizes, int64_t least) {
    return sizes.empty() || (sizes.size() == 2 && std::min(sizes[0], sizes[1]) >= least);
  };
  if (!fits(windows.kernel, 1) || !fits(windows.stride, 1) || !fits(windows.padding, 0)) {
    throw Error({.where = "avg_pool2d_codes",
                 .what = fmt::format("kernel [{}], stride [{}], padding [{}]", fmt::join(windows.kernel, ", "),
                                     fmt::join(windows.stride, ", "), fmt::join(windows.padding, ", ")),
                 .allowed = "two numbers each, or none; at least 1, of padding 0"});
  }
  const bool whole = windows.kernel.empty();
  const int64_t kernel_h = whole ? height : windows.kernel[0], kernel_w = whole ? width : windows.kernel[1];
  const std::vector<int64_t> stride = windows.stride.empty() ? std::vector{kernel_h, kernel_w} : windows.stride;
  const std::vector<int64_t> padding = windows.padding.empty() ? std::vector<int64_t>{0, 0} : windows.padding;
  if (kernel_h > height + 2 * padding[0] || kernel_w > width + 2 * padding[1]) {
    throw Error({.where = "avg_pool2d_codes",
                 .what = fmt::format("a window of {} x {} in an image of {} x {}", kernel_h, kernel_w, height, width),
                 .allowed = "windows within the image and its padding"});
  }
  const int64_t out_h = output_size(height, kernel_h, stride[0], padding[0]);
  const int64_t out_w = output_size(width, kernel_w, stride[1], padding[1]);
  at::Tensor result = at::empty({x.size(0), channels, out_h, out_w}, x.options(), at::MemoryFormat::ChannelsLast);
  const auto* source = codes.const_data_ptr<uint8_t>();
  auto* target = result.mutable_data_ptr<uint8_t>();
  const auto factor = static_cast<float>(grid.scale / (static_cast<double>(kernel_h * kernel_w) * out.scale));
  const Quantize quantize(out);
  at::parallel_for(0, x.size(0) * out_h * out_w, 1, [&](int64_t begin, int64_t end) {
    std::vector<int32_t> sums(channels);
    for (int64_t i = begin; i < end; ++i) {
      const Image image{source + i / (out_h * out_w) * height * width * channels, height, width, channels};
      const int64_t top = i / out_w % out_h * stride[0] - padding[0];
      const int64_t left = i % out_w * stride[1] - padding[1];
      const int64_t y0 = std::max<int64_t>(top, 0), y1 = std::min(top + kernel_h, height);
      const int64_t x0 = std::max<int64_t>(left, 0), x1 = std::min(left + kernel_w, width);
      sum_window(image, y0, y1, x0, x1, sums.data());
      const auto zeros = static_cast<int32_t>((y1 - y0) * (x1 - x0) * grid.zero_point);
      for (int64_t c = 0; c < channels; ++c) {
        target[i * channels + c] = quantize.rounded(static_cast<float>(sums[c] - zeros) * factor);
      }
    }
  });
  return result;
}

namespace {

Grid codes_grid(double scale, int64_t zero_point, int64_t min = 0, int64_t max = 255) {
  return {.scale = scale, .zero_point = zero_point, .min = min, .max = max, .dtype = at::kByte};
}

at::Tensor add_op(const at::Tensor& a, double a_scale, int64_t a_zero_point, const at::Tensor& b, double b_scale,
                  int64_t b_zero_point, double scale, int64_t zero_point, int64_t min, int64_t max) {
  return add_codes(a, codes_grid(a_scale, a_zero_point), b, codes_grid(b_scale, b_zero_point),
                   codes_grid(scale, zero_point, min, max));
}

at::Tensor avg_pool2d_op(const at::Tensor& x, double x_scale, int64_t x_zero_point, at::IntArrayRef kernel,
                         at::IntArrayRef stride, at::IntArrayRef padding, double scale, int64_t zero_point, int64_t min,
                         int64_t max) {
  return avg_pool2d_codes(x, codes_grid(x_scale, x_zero_point), {kernel.vec(), stride.vec(), padding.vec()},
                          codes_grid(scale, zero_point, min, max));
}

const OperatorLibrary kOperators = [] {
  OperatorLibrary library("torquant");
  library.define_composite(
      "add_codes(Tensor a, float a_scale, int a_zero_point, Tensor b, float b_scale, int b_zero_point, "
      "float output_scale, int output_zero_point, int quant_min, int quant_max) -> Tensor",
      add_op);
  library.define_composite(
      "avg_pool2d_codes(Tensor x, float x_scale, int x_zero_point, int[] kernel_size, int[] stride, int[] padding, "
      "float output_scale, int output_zero_point, int quant_min, int quant_max) -> Tensor",
      avg_pool2d_op);
  return library;
}();

}  // namespace
}  // namespace torquant
