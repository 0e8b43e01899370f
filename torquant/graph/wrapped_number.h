#pragma once

#include <ATen/ScalarOps.h>
#include <ATen/core/Tensor.h>

namespace torquant {

// A Python number where an operator wants a tensor. PyTorch marks such tensors so that their dtype yields to that of
// real ones: an int8 tensor times 2 is int8.
inline at::Tensor wrapped_number(const at::Scalar& number) {
  at::Tensor tensor = c10::scalar_to_tensor(number);
  tensor.unsafeGetTensorImpl()->set_wrapped_number(true);
  return tensor;
}

}  // namespace torquant
