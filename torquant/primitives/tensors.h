#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>
#include <vector>

#include "torquant/core/array.h"
#include "torquant/core/block_layout.h"

// Between at::Tensor and the plain arrays of core/.

namespace torquant {

DType dtype_of(c10::ScalarType type);  // Error for a type that no quantization formula takes (complex, quint8 …)
c10::ScalarType scalar_type_of(DType dtype);
// The type a tensor of such codes has: int8 for int1 to int7, uint8 for uint1 to uint7.
c10::ScalarType storage_scalar_type_of(DType dtype);

// The elements of a contiguous CPU tensor.
ConstArray const_array_of(const at::Tensor& tensor);
Array array_of(const at::Tensor& tensor);

// Checks at the door, each an Error that names `where`, the argument, and what is allowed.
void check_defined(const char* where, const char* argument, const at::Tensor& tensor);
void check_dtype(const char* where, const char* argument, const at::Tensor& tensor,
                 std::initializer_list<c10::ScalarType> allowed);
void check_floating(const char* where, const char* argument, const at::Tensor& tensor);  // fp32, fp16, bf16
void check_cpu(const char* where, const char* argument, const at::Tensor& tensor);

// An elementwise function's view of its tensors. Results have the strides of the input (the axis order of a
// channels_last image), as PyTorch's own elementwise operations give them; the formulas see dense arrays, with the
// axes in memory order, and the scales in the order of the blocks there.
class ElementwiseView {
 public:
  ElementwiseView(const char* where, const at::Tensor& input, at::IntArrayRef block_size);

  const BlockLayout& layout() const { return layout_; }
  ConstArray input() const { return const_array_of(input_); }
  // `values`: one a block of the caller's axes, in row-major order, of any shape. Error naming `argument` otherwise.
  at::Tensor qparam(const char* where, const char* argument, const at::Tensor& values) const;

  at::Tensor empty_output(c10::ScalarType type) const;      // the caller's axes, to be returned
  Array in_memory_order(const at::Tensor& output) const;    // its elements as the formulas see them
  at::Tensor as_input(const at::Tensor& like_input) const;  // another tensor of the input's shape, dense likewise

 private:
  ElementwiseView(const char* where, const at::Tensor& input, at::IntArrayRef block_size, std::vector<int64_t> order);

  at::Tensor original_;              // dense, the caller's axes
  std::vector<int64_t> order_;       // memory axis i is the caller's axis order_[i]
  at::Tensor input_;                 // contiguous, memory order
  BlockLayout layout_;               // memory order
  std::vector<int64_t> block_grid_;  // blocks along the caller's axes
};

}  // namespace torquant
