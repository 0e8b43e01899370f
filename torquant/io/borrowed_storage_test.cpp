#include "torquant/io/borrowed_storage.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace torquant {
namespace {

struct Bytes {
  alignas(64) std::array<char, 128> data = {};
  std::string_view from(size_t begin, size_t size) const { return {data.data() + begin, size}; }
};

TEST(BorrowedStorage, PointsToBytesThatItsOwnerKeepsAlive) {
  auto bytes = std::make_shared<Bytes>();
  const std::weak_ptr<Bytes> watched = bytes;
  const at::Tensor numbers = at::arange(6, at::kFloat);
  std::memcpy(bytes->data.data(), numbers.const_data_ptr(), 24);
  at::Tensor tensor = borrowed_tensor(bytes->from(0, 24), bytes, {2, 3}, at::kFloat);
  EXPECT_EQ(tensor.const_data_ptr(), bytes->data.data());
  bytes.reset();
  EXPECT_TRUE(tensor.equal(numbers.reshape({2, 3})));
  EXPECT_FALSE(watched.expired());
  tensor.reset();
  EXPECT_TRUE(watched.expired());
}

TEST(BorrowedStorage, CopiesBytesOffTheAlignment) {
  auto bytes = std::make_shared<Bytes>();
  const at::Tensor numbers = at::arange(6, at::kFloat);
  std::memcpy(bytes->data.data() + 4, numbers.const_data_ptr(), 24);
  const at::Tensor tensor = borrowed_tensor(bytes->from(4, 24), bytes, {6}, at::kFloat);
  EXPECT_EQ(bytes.use_count(), 1);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % 64, 0u);
  EXPECT_TRUE(tensor.equal(numbers));
}

TEST(BorrowedStorage, MakesBooleansOfBytes) {
  auto bytes = std::make_shared<Bytes>();
  bytes->data[1] = 1;
  bytes->data[2] = 2;
  const at::Tensor tensor = borrowed_tensor(bytes->from(0, 3), bytes, {3}, at::kBool);
  EXPECT_TRUE(tensor.equal(at::tensor({0, 1, 1}).to(at::kBool)));
  EXPECT_EQ(static_cast<const char*>(tensor.const_data_ptr())[2], 1);
}

TEST(BorrowedStorage, MayBeEmpty) {
  EXPECT_EQ(borrowed_tensor({}, nullptr, {0, 3}, at::kDouble).sizes(), at::IntArrayRef({0, 3}));
  const Bytes bytes;
  EXPECT_EQ(borrowed_tensor(bytes.from(3, 0), nullptr, {2, 0}, at::kDouble).sizes(), at::IntArrayRef({2, 0}));
}

}  // namespace
}  // namespace torquant
