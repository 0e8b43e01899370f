#include "torquant/lower/matmul_codes.h"

#include <ATen/ExpandUtils.h>
#include <ATen/ops/_int_mm.h>
#include <ATen/ops/bitwise_xor.h>
#include <ATen/ops/empty.h>
#include <c10/util/accumulate.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "torquant/core/error.h"
#include "torquant/lower/codes_arithmetic.h"
#include "torquant/primitives/operator_library.h"

namespace torquant {
namespace {

constexpr const char* kName = "matmul_codes";

// What turns one row of sums of products into sums of products of the codes minus their zero points.
struct Correction {
  int32_t row;             // z_b * sum of a[m, k] - K z_a z_b
  const int32_t* columns;  // z_a * sum of b[k, n]
  int32_t operator()(const int32_t* sums, int64_t n) const { return sums[n] - columns[n] - row; }
};

// As numbers, or as codes.
struct Scaled {
  using Element = float;
  [[gnu::always_inline]] float operator()(int32_t sum) const { return static_cast<float>(sum) * factor; }
  float factor;
};
struct Requantized {
  using Element = uint8_t;
  [[gnu::always_inline]] uint8_t operator()(int32_t sum) const { return out.rounded(static_cast<float>(sum) * factor); }
  float factor;
  Quantize out;
};

template <class Op>
[[gnu::always_inline]] inline void finish_row(Op op, Correction correction, const int32_t* sums, int64_t count,
                                              typename Op::Element* out) {
  for (int64_t n = 0; n < count; ++n) out[n] = op(correction(sums, n));
}
template <class Op>
void finish_portable(Op op, Correction correction, const int32_t* sums, int64_t count, typename Op::Element* out) {
  finish_row(op, correction, sums, count, out);
}
template <class Op>
TORQUANT_TARGET_V3 void finish_v3(Op op, Correction correction, const int32_t* sums, int64_t count,
                                  typename Op::Element* out) {
  finish_row(op, correction, sums, count, out);
}

// One matrix each: a uint8 [M, K], b int8 [K, N], out [M, N].
template <class Op>
void multiply(const at::Tensor& a, int32_t a_zero_point, const at::Tensor& b, int32_t b_zero_point, Op op,
              at::Tensor out) {
  const int64_t rows = a.size(0), inner = a.size(1), columns = b.size(1);
  const at::Tensor sums = at::_int_mm(a, b).contiguous();
  const at::Tensor of_columns = b.sum({0}, false, at::kInt).mul_(a_zero_point).contiguous();
  const at::Tensor of_rows = a.sum({1}, false, at::kInt).sub_(inner * a_zero_point).mul_(b_zero_point).contiguous();
  const auto finish = has_avx2() ? finish_v3<Op> : finish_portable<Op>;
  for (int64_t m = 0; m < rows; ++m) {
    finish(op, {of_rows.const_data_ptr<int32_t>()[m], of_columns.const_data_ptr<int32_t>()},
           sums.const_data_ptr<int32_t>() + m * columns, columns,
           out.mutable_data_ptr<typename Op::Element>() + m * columns);
  }
}

void check(const at::Tensor& a, const Grid& a_grid, const at::Tensor& b, const Grid& b_grid) {
  check_codes(kName, "a", a);
  check_codes(kName, "b", b);
  const auto sizes = [&] {
    return fmt::format("a has sizes [{}], b [{}]", fmt::join(a.sizes(), ", "), fmt::join(b.sizes(), ", "));
  };
  if (a.dim() < 2 || b.dim() < 2 || a.size(-1) != b.size(-2) ||
      !at::are_expandable(a.sizes().slice(0, a.dim() - 2), b.sizes().slice(0, b.dim() - 2))) {
    throw Error({.where = kName, .what = sizes(), .allowed = "[..., M, K] and [..., K, N]"});
  }
  if (a.size(-1) > kLargestInnerSize) {
    throw Error({.where = kName, .what = sizes(), .allowed = fmt::format("K up to {}", kLargestInnerSize)});
  }
  for (const Grid& grid : {a_grid, b_grid}) {
    if (grid.zero_point < 0 || grid.zero_point > 255) {
      throw Error({.where = kName, .what = fmt::format("a zero point is {}", grid.zero_point), .allowed = "0 to 255"});
    }
  }
}

}  // namespace

at::Tensor matmul_codes(const at::Tensor& a, const Grid& a_grid, const at::Tensor& b, const Grid& b_grid,
                        const std::optional<Grid>& out) {
  check(a, a_grid, b, b_grid);
  const int64_t rows = a.size(-2), columns = b.size(-1);
  const std::vector<int64_t> batch = at::infer_size(a.sizes().slice(0, a.dim() - 2), b.sizes().slice(0, b.dim() - 2));
  const int64_t matrices = c10::multiply_integers(batch);
  const auto of_batch = [&](const at::Tensor& x) {
    std::vector<int64_t> sizes = batch;
    sizes.insert(sizes.end(), x.sizes().end() - 2, x.sizes().end());
    return x.expand(sizes).reshape({matrices, x.size(-2), x.size(-1)});
  };
  std::vector<int64_t> sizes = batch;
  sizes.insert(sizes.end(), {rows, columns});
  at::Tensor result = at::empty(sizes, a.options().dtype(out ? at::kByte : at::kFloat));
  if (result.numel() == 0) return result;
  // _int_mm takes int8 on the right: 128 less is the other sign of the highest bit.
  const at::Tensor left = of_batch(a), right = of_batch(at::bitwise_xor(b, 128).view(at::kChar));
  const at::Tensor products = result.view({matrices, rows, columns});
  const auto a_zero_point = static_cast<int32_t>(a_grid.zero_point);
  const auto b_zero_point = static_cast<int32_t>(b_grid.zero_point - 128);
  const double scale = a_grid.scale * b_grid.scale;
  for (int64_t i = 0; i < matrices; ++i) {
    if (out) {
      const Requantized op{static_cast<float>(scale / out->scale), Quantize(*out)};
      multiply(left[i], a_zero_point, right[i], b_zero_point, op, products[i]);
    } else {
      multiply(left[i], a_zero_point, right[i], b_zero_point, Scaled{static_cast<float>(scale)}, products[i]);
    }
  }
  return result;
}

namespace {

at::Tensor matmul_op(const at::Tensor& a, double a_scale, int64_t a_zero_point, const at::Tensor& b, double b_scale,
                     int64_t b_zero_point) {
  return matmul_codes(a, uint8_grid(a_scale, a_zero_point), b, uint8_grid(b_scale, b_zero_point), std::nullopt);
}

at::Tensor matmul_requantized_op(const at::Tensor& a, double a_scale, int64_t a_zero_point, const at::Tensor& b,
                                 double b_scale, int64_t b_zero_point, double scale, int64_t zero_point, int64_t min,
                                 int64_t max) {
  return matmul_codes(a, uint8_grid(a_scale, a_zero_point), b, uint8_grid(b_scale, b_zero_point),
                      uint8_grid(scale, zero_point, min, max));
}

const OperatorLibrary kOperators = [] {
  OperatorLibrary library("torquant");
  const std::string operands = "Tensor a, float a_scale, int a_zero_point, Tensor b, float b_scale, int b_zero_point";
  library.define_composite("matmul_codes(" + operands + ") -> Tensor", matmul_op);
  library.define_composite("matmul_codes.requantized(" + operands +
                               ", float output_scale, int output_zero_point, int quant_min, int quant_max) -> Tensor",
                           matmul_requantized_op);
  return library;
}();

}  // namespace
}  // namespace torquant
