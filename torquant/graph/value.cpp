#include "torquant/graph/value.h"

#include <ATen/core/Tensor.h>

namespace torquant {

TensorMeta contiguous_meta(at::ScalarType dtype, std::vector<Dim> sizes) {
  TensorMeta meta{.dtype = dtype};
  meta.strides.resize(sizes.size(), int64_t{1});
  for (size_t i = sizes.size(); i-- > 1;) meta.strides[i - 1] = mul(meta.strides[i], sizes[i]);
  meta.sizes = std::move(sizes);
  return meta;
}

TensorMeta meta_of(const at::Tensor& tensor) {
  TensorMeta meta{.dtype = tensor.scalar_type()};
  for (const int64_t size : tensor.sizes()) meta.sizes.emplace_back(size);
  for (const int64_t stride : tensor.strides()) meta.strides.emplace_back(stride);
  meta.storage_offset = tensor.storage_offset();
  meta.requires_grad = tensor.requires_grad();
  meta.device = tensor.device();
  meta.layout = tensor.layout();
  return meta;
}

}  // namespace torquant
