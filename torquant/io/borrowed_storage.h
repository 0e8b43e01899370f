#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string_view>

namespace torquant {

// A storage over `bytes`, which `owner` keeps alive; writing to its tensors writes to the bytes, which must allow it.
// Bytes that do not begin at a multiple of 64 are copied instead: that is what LibTorch's own allocator gives, and the
// last bits of some matrix products depend on the alignment.
c10::Storage borrowed_storage(std::string_view bytes, std::shared_ptr<void> owner);

// A contiguous tensor over such a storage; `bytes` has the size of its elements. Booleans are always copied: a byte
// other than 0 and 1 counts as true.
at::Tensor borrowed_tensor(std::string_view bytes, std::shared_ptr<void> owner, at::IntArrayRef sizes,
                           at::ScalarType dtype);

}  // namespace torquant
