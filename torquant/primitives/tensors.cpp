#include "torquant/primitives/tensors.h"

#include <ATen/ops/empty_like.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "torquant/core/error.h"

namespace torquant {
namespace {

struct Pair {
  DType dtype;
  c10::ScalarType type;
};
constexpr Pair kPairs[] = {
    {DType::kInt1, c10::ScalarType::Int1},
    {DType::kInt2, c10::ScalarType::Int2},
    {DType::kInt3, c10::ScalarType::Int3},
    {DType::kInt4, c10::ScalarType::Int4},
    {DType::kInt5, c10::ScalarType::Int5},
    {DType::kInt6, c10::ScalarType::Int6},
    {DType::kInt7, c10::ScalarType::Int7},
    {DType::kInt8, c10::ScalarType::Char},
    {DType::kInt16, c10::ScalarType::Short},
    {DType::kInt32, c10::ScalarType::Int},
    {DType::kInt64, c10::ScalarType::Long},
    {DType::kUInt1, c10::ScalarType::UInt1},
    {DType::kUInt2, c10::ScalarType::UInt2},
    {DType::kUInt3, c10::ScalarType::UInt3},
    {DType::kUInt4, c10::ScalarType::UInt4},
    {DType::kUInt5, c10::ScalarType::UInt5},
    {DType::kUInt6, c10::ScalarType::UInt6},
    {DType::kUInt7, c10::ScalarType::UInt7},
    {DType::kUInt8, c10::ScalarType::Byte},
    {DType::kUInt16, c10::ScalarType::UInt16},
    {DType::kUInt32, c10::ScalarType::UInt32},
    {DType::kUInt64, c10::ScalarType::UInt64},
    {DType::kFloat16, c10::ScalarType::Half},
    {DType::kBFloat16, c10::ScalarType::BFloat16},
    {DType::kFloat32, c10::ScalarType::Float},
    {DType::kFloat64, c10::ScalarType::Double},
    {DType::kFloat8E4M3FN, c10::ScalarType::Float8_e4m3fn},
    {DType::kFloat8E4M3FNUZ, c10::ScalarType::Float8_e4m3fnuz},
    {DType::kFloat8E5M2, c10::ScalarType::Float8_e5m2},
    {DType::kFloat8E5M2FNUZ, c10::ScalarType::Float8_e5m2fnuz},
    {DType::kFloat8E8M0FNU, c10::ScalarType::Float8_e8m0fnu},
    {DType::kBool, c10::ScalarType::Bool},
};

// The axes by falling stride: the order in which a dense tensor's elements lie in memory.
std::vector<int64_t> memory_order(const at::Tensor& tensor) {
  std::vector<int64_t> order(tensor.dim());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) { return tensor.stride(a) > tensor.stride(b); });
  return order;
}

std::vector<int64_t> permuted(at::IntArrayRef values, const std::vector<int64_t>& order) {
  std::vector<int64_t> result;
  for (const int64_t axis : order) result.push_back(values[axis]);
  return result;
}

at::Tensor dense(const at::Tensor& input) {
  if (input.is_non_overlapping_and_dense()) return input;
  return at::empty_like(input).copy_(input);
}

}  // namespace

DType dtype_of(c10::ScalarType type) {
  const auto* found = std::ranges::find(kPairs, type, &Pair::type);
  if (found == std::end(kPairs)) {
    throw Error({.where = "dtype",
                 .what = fmt::format("{} takes no part in quantization", c10::toString(type)),
                 .allowed = "integers, bool, float16, bfloat16, float32, float64, float8 dtypes"});
  }
  return found->dtype;
}

c10::ScalarType scalar_type_of(DType dtype) { return std::ranges::find(kPairs, dtype, &Pair::dtype)->type; }

c10::ScalarType storage_scalar_type_of(DType dtype) { return scalar_type_of(storage_dtype(dtype)); }

ConstArray const_array_of(const at::Tensor& tensor) {
  TORCH_INTERNAL_ASSERT_DEBUG_ONLY(tensor.is_contiguous() && tensor.is_cpu());
  return {dtype_of(tensor.scalar_type()), tensor.const_data_ptr(), tensor.numel()};
}

Array array_of(const at::Tensor& tensor) {
  TORCH_INTERNAL_ASSERT_DEBUG_ONLY(tensor.is_contiguous() && tensor.is_cpu());
  return {dtype_of(tensor.scalar_type()), tensor.mutable_data_ptr(), tensor.numel()};
}

void check_defined(const char* where, const char* argument, const at::Tensor& tensor) {
  if (!tensor.defined()) throw Error({.where = where, .what = fmt::format("{} is undefined", argument)});
}

void check_dtype(const char* where, const char* argument, const at::Tensor& tensor,
                 std::initializer_list<c10::ScalarType> allowed) {
  check_defined(where, argument, tensor);
  if (std::ranges::find(allowed, tensor.scalar_type()) != allowed.end()) return;
  std::vector<std::string_view> names;
  for (const c10::ScalarType type : allowed) names.push_back(dtype_name(dtype_of(type)));
  throw Error({.where = where,
               .what = fmt::format("{} is {}", argument, c10::toString(tensor.scalar_type())),
               .allowed = fmt::format("{}", fmt::join(names, ", "))});
}

void check_floating(const char* where, const char* argument, const at::Tensor& tensor) {
  check_dtype(where, argument, tensor, {at::kFloat, at::kHalf, at::kBFloat16});
}

void check_cpu(const char* where, const char* argument, const at::Tensor& tensor) {
  check_defined(where, argument, tensor);
  if (tensor.is_cpu() && tensor.layout() == at::kStrided) return;
  throw Error({.where = where,
               .what = fmt::format("{} is a {} tensor on {}", argument,
                                   tensor.layout() == at::kStrided ? "strided" : "sparse", tensor.device().str()),
               .allowed = "a strided tensor on the CPU",
               .hint = "move it with .cpu()"});
}

ElementwiseView::ElementwiseView(const char* where, const at::Tensor& input, at::IntArrayRef block_size)
    : ElementwiseView(where, (check_cpu(where, "input", input), dense(input)), block_size, memory_order(dense(input))) {
}

ElementwiseView::ElementwiseView(const char* where, const at::Tensor& input, at::IntArrayRef block_size,
                                 std::vector<int64_t> order)
    : original_(input),
      order_(std::move(order)),
      input_(input.permute(order_).contiguous()),
      layout_(where, input_.sizes(),
              block_size.size() == order_.size() ? permuted(block_size, order_) : block_size.vec()),
      block_grid_(input.dim()) {
  const std::vector<int64_t> grid = layout_.blocks_per_axis();
  for (size_t i = 0; i < order_.size(); ++i) block_grid_[order_[i]] = grid[i];
}

at::Tensor ElementwiseView::qparam(const char* where, const char* argument, const at::Tensor& values) const {
  check_cpu(where, argument, values);
  if (values.numel() != layout_.num_blocks()) {
    throw Error({.where = where,
                 .what = fmt::format("{} has {} elements, the input has {} blocks of its block size", argument,
                                     values.numel(), layout_.num_blocks()),
                 .allowed = fmt::format("{} elements", layout_.num_blocks())});
  }
  return values.detach().reshape(block_grid_).permute(order_).contiguous();
}

at::Tensor ElementwiseView::empty_output(c10::ScalarType type) const {
  return at::empty_like(original_, original_.options().dtype(type).requires_grad(false));
}

Array ElementwiseView::in_memory_order(const at::Tensor& output) const { return array_of(output.permute(order_)); }

at::Tensor ElementwiseView::as_input(const at::Tensor& like_input) const {
  return like_input.permute(order_).contiguous();
}

}  // namespace torquant
