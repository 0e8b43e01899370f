#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 says so of at::TensorIterator's own loops
#endif

#include "torquant/lower/integer_ops.h"

#include <ATen/ExpandUtils.h>
#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>

#include "torquant/core/error.h"
#include "torquant/lower/codes_arithmetic.h"
#include "torquant/primitives/operator_library.h"

namespace torquant {
namespace {

constexpr int64_t kGrain = 32768;  // codes that one thread takes at once

// Steps in bytes from one code to the next; 0 for an operand that is the same all along.
struct Steps {
  int64_t out, a, b;
};

template <class Op>
[[gnu::always_inline]] inline void run_steps(Op op, uint8_t* out, const uint8_t* a, const uint8_t* b, Steps steps,
                                             int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i * steps.out] = op(a[i * steps.a], b[i * steps.b]);
}

// The steps that occur in dense tensors are constants, so that the compiler makes vectors of them.
template <class Op>
[[gnu::always_inline]] inline void run_span(Op op, uint8_t* out, const uint8_t* a, const uint8_t* b, Steps steps,
                                            int64_t count) {
  if (steps.out == 1 && steps.a == 1 && steps.b == 1) return run_steps(op, out, a, b, {1, 1, 1}, count);
  if (steps.out == 1 && steps.a == 1 && steps.b == 0) return run_steps(op, out, a, b, {1, 1, 0}, count);
  if (steps.out == 1 && steps.a == 0 && steps.b == 1) return run_steps(op, out, a, b, {1, 0, 1}, count);
  run_steps(op, out, a, b, steps, count);
}

template <class Op>
void run_portable(Op op, uint8_t* out, const uint8_t* a, const uint8_t* b, Steps steps, int64_t count) {
  run_span(op, out, a, b, steps, count);
}

template <class Op>
TORQUANT_TARGET_V3 void run_v3(Op op, uint8_t* out, const uint8_t* a, const uint8_t* b, Steps steps, int64_t count) {
  run_span(op, out, a, b, steps, count);
}

struct Sum {
  [[gnu::always_inline]] uint8_t operator()(uint8_t x, uint8_t y) const { return out(a(x) + b(y)); }
  Dequantize a, b;
  Quantize out;
};

struct Product {
  [[gnu::always_inline]] uint8_t operator()(uint8_t x, uint8_t y) const { return out(a(x) * b(y)); }
  Dequantize a, b;
  Quantize out;
};

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

template <class Op>
at::Tensor elementwise(const char* name, const at::Tensor& a, const at::Tensor& b, const Op& op) {
  check_codes(name, "a", a);
  check_codes(name, "b", b);
  if (!at::are_expandable(a.sizes(), b.sizes())) {
    throw Error(
        {.where = name,
         .what = fmt::format("a has sizes [{}], b [{}]", fmt::join(a.sizes(), ", "), fmt::join(b.sizes(), ", ")),
         .allowed = "sizes that PyTorch broadcasts"});
  }
  const at::Tensor none;  // the result: laid out as a and b are
  at::TensorIterator spans = at::TensorIteratorConfig().add_output(none).add_const_input(a).add_const_input(b).build();
  const auto run = has_avx2() ? run_v3<Op> : run_portable<Op>;
  spans.for_each(
      [&](char** data, const int64_t* strides, int64_t count) {
        run(op, reinterpret_cast<uint8_t*>(data[0]), reinterpret_cast<const uint8_t*>(data[1]),
            reinterpret_cast<const uint8_t*>(data[2]), {strides[0], strides[1], strides[2]}, count);
      },
      kGrain);
  return spans.output();
}

}  // namespace

at::Tensor add_codes(const at::Tensor& a, const Grid& a_grid, const at::Tensor& b, const Grid& b_grid,
                     const Grid& out) {
  return elementwise("add_codes", a, b, Sum{Dequantize(a_grid), Dequantize(b_grid), Quantize(out)});
}

at::Tensor mul_codes(const at::Tensor& a, const Grid& a_grid, const at::Tensor& b, const Grid& b_grid,
                     const Grid& out) {
  return elementwise("mul_codes", a, b, Product{Dequantize(a_grid), Dequantize(b_grid), Quantize(out)});
}

at::Tensor map_codes(const at::Tensor& x, const at::Tensor& table) {
  check_codes("map_codes", "x", x);
  check_codes("map_codes", "table", table);
  if (table.dim() != 1 || table.numel() != 256) {
    throw Error({.where = "map_codes",
                 .what = fmt::format("table has sizes [{}]", fmt::join(table.sizes(), ", ")),
                 .allowed = "[256]"});
  }
  const at::Tensor entries = table.contiguous();
  const auto* entry = entries.const_data_ptr<uint8_t>();
  const at::Tensor none;  // the result: laid out as x is
  at::TensorIterator spans = at::TensorIteratorConfig().add_output(none).add_const_input(x).build();
  spans.for_each(
      [&](char** data, const int64_t* strides, int64_t count) {
        auto* out = reinterpret_cast<uint8_t*>(data[0]);
        const auto* in = reinterpret_cast<const uint8_t*>(data[1]);
        if (strides[0] == 1 && strides[1] == 1) {
          for (int64_t i = 0; i < count; ++i) out[i] = entry[in[i]];
        } else {
          for (int64_t i = 0; i < count; ++i) out[i * strides[0]] = entry[in[i * strides[1]]];
        }
      },
      kGrain);
  return spans.output();
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

template <auto elementwise_codes>
at::Tensor binary_op(const at::Tensor& a, double a_scale, int64_t a_zero_point, const at::Tensor& b, double b_scale,
                     int64_t b_zero_point, double scale, int64_t zero_point, int64_t min, int64_t max) {
  return elementwise_codes(a, uint8_grid(a_scale, a_zero_point), b, uint8_grid(b_scale, b_zero_point),
                           uint8_grid(scale, zero_point, min, max));
}

at::Tensor avg_pool2d_op(const at::Tensor& x, double x_scale, int64_t x_zero_point, at::IntArrayRef kernel,
                         at::IntArrayRef stride, at::IntArrayRef padding, double scale, int64_t zero_point, int64_t min,
                         int64_t max) {
  return avg_pool2d_codes(x, uint8_grid(x_scale, x_zero_point), {kernel.vec(), stride.vec(), padding.vec()},
                          uint8_grid(scale, zero_point, min, max));
}

const OperatorLibrary kOperators = [] {
  OperatorLibrary library("torquant");
  const std::string of_two =
      "_codes(Tensor a, float a_scale, int a_zero_point, Tensor b, float b_scale, int b_zero_point, "
      "float output_scale, int output_zero_point, int quant_min, int quant_max) -> Tensor";
  library.define_composite("add" + of_two, binary_op<add_codes>);
  library.define_composite("mul" + of_two, binary_op<mul_codes>);
  library.define_composite("map_codes(Tensor x, Tensor table) -> Tensor", map_codes);
  library.define_composite(
      "avg_pool2d_codes(Tensor x, float x_scale, int x_zero_point, int[] kernel_size, int[] stride, int[] padding, "
      "float output_scale, int output_zero_point, int quant_min, int quant_max) -> Tensor",
      avg_pool2d_op);
  return library;
}();

}  // namespace
}  // namespace torquant
