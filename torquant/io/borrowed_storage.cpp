#include "torquant/io/borrowed_storage.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/ne.h>

#include <algorithm>

namespace torquant {

c10::Storage borrowed_storage(std::string_view bytes, std::shared_ptr<void> owner) {
  constexpr uintptr_t kAlignment = 64;
  if (reinterpret_cast<uintptr_t>(bytes.data()) % kAlignment != 0) {
    const at::Tensor copy = at::empty({static_cast<int64_t>(bytes.size())}, at::kByte);
    std::copy_n(bytes.data(), bytes.size(), static_cast<char*>(copy.mutable_data_ptr()));
    return copy.storage();
  }
  auto* keep_alive = new std::shared_ptr<void>(std::move(owner));
  const auto release = [](void* context) { delete static_cast<std::shared_ptr<void>*>(context); };
  c10::DataPtr data(const_cast<char*>(bytes.data()), keep_alive, release, at::kCPU);
  return {c10::Storage::use_byte_size_t(), bytes.size(), std::move(data), /*allocator=*/nullptr, /*resizable=*/false};
}

at::Tensor borrowed_tensor(std::string_view bytes, std::shared_ptr<void> owner, at::IntArrayRef sizes,
                           at::ScalarType dtype) {
  const bool is_bool = dtype == at::kBool;
  at::Tensor tensor = at::empty({0}, is_bool ? at::kByte : dtype);
  tensor.set_(borrowed_storage(bytes, std::move(owner)), 0, sizes);
  return is_bool ? at::ne(tensor, 0) : tensor;
}

}  // namespace torquant
