#include "torquant/primitives/tensors.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Float8_e4m3fn.h>
#include <c10/util/Float8_e4m3fnuz.h>
#include <c10/util/Float8_e5m2.h>
#include <c10/util/Float8_e5m2fnuz.h>
#include <c10/util/Float8_e8m0fnu.h>
#include <c10/util/Half.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "tests/support/error_text.h"
#include "torquant/core/float_formats.h"

namespace torquant {
namespace {

TEST(DTypes, ReadBack) {
  for (int i = 0; i <= static_cast<int>(DType::kBool); ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(dtype_of(scalar_type_of(dtype)), dtype);
  }
  EXPECT_EQ(storage_scalar_type_of(DType::kInt3), at::kChar);
  EXPECT_EQ(storage_scalar_type_of(DType::kUInt7), at::kByte);
  EXPECT_THROW(dtype_of(at::kComplexFloat), Error);
  EXPECT_THROW(dtype_of(at::kQInt8), Error);
}

// Our formats against LibTorch's, over all codes and a step through all floats.
template <class Theirs>
void expect_same_format(DType format) {
  for (int code = 0; code < 256; ++code) {
    const auto bits = static_cast<uint8_t>(code);
    const float theirs = static_cast<float>(Theirs(bits, Theirs::from_bits()));
    const float ours = float8_to_float(bits, format);
    ASSERT_TRUE(std::bit_cast<uint32_t>(ours) == std::bit_cast<uint32_t>(theirs) ||
                (std::isnan(ours) && std::isnan(theirs)))
        << dtype_name(format) << " " << code;
  }
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 99991) {  // a prime step
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(bits));
    ASSERT_EQ(float8_from_float(value, format), Theirs(value).x) << dtype_name(format) << " " << value;
  }
}

TEST(FloatFormats, AreThoseOfLibTorch) {
  expect_same_format<c10::Float8_e4m3fn>(DType::kFloat8E4M3FN);
  expect_same_format<c10::Float8_e4m3fnuz>(DType::kFloat8E4M3FNUZ);
  expect_same_format<c10::Float8_e5m2>(DType::kFloat8E5M2);
  expect_same_format<c10::Float8_e5m2fnuz>(DType::kFloat8E5M2FNUZ);
  expect_same_format<c10::Float8_e8m0fnu>(DType::kFloat8E8M0FNU);
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 9973) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (std::isnan(value)) continue;
    ASSERT_EQ(float16_from_float(value), c10::Half(value).x) << value;
    ASSERT_EQ(bfloat16_from_float(value), c10::BFloat16(value).x) << value;
  }
  for (uint32_t code = 0; code < 0x10000; ++code) {
    const auto bits = static_cast<uint16_t>(code);
    const auto theirs = static_cast<float>(c10::Half(bits, c10::Half::from_bits()));
    ASSERT_TRUE(std::isnan(theirs) || float16_to_float(bits) == theirs) << code;
  }
}

std::vector<float> as_vector(const ConstArray& array) {
  std::vector<float> values(array.size);
  load(array, 0, array.size, values.data());
  return values;
}

TEST(ElementwiseView, ShowsMemoryOrderAndPermutesTheScales) {
  const at::Tensor image = at::arange(16, at::kFloat).reshape({1, 2, 2, 4}).to(at::MemoryFormat::ChannelsLast);
  const ElementwiseView view("test", image, {1, 1, 2, 4});
  EXPECT_EQ(as_vector(view.input())[1], 8);  // the second channel's first pixel
  const at::Tensor scale = view.qparam("test", "scale", at::arange(2, at::kFloat));
  EXPECT_EQ(as_vector(const_array_of(scale)), (std::vector<float>{0, 1}));
  EXPECT_EQ(view.layout().block_of(1), 1);
  const at::Tensor output = view.empty_output(at::kChar);
  EXPECT_EQ(output.strides(), image.strides());
  EXPECT_EQ(view.in_memory_order(output).size, 16);
}

TEST(ElementwiseView, MakesSlicesAndExpandedTensorsDense) {
  const at::Tensor slice = at::arange(8, at::kFloat).reshape({2, 4}).slice(1, 0, 4, 2);
  EXPECT_EQ(as_vector(ElementwiseView("test", slice, {2, 2}).input()), (std::vector<float>{0, 2, 4, 6}));
  const at::Tensor expanded = at::arange(2, at::kFloat).expand({3, 2});
  EXPECT_EQ(as_vector(ElementwiseView("test", expanded, {3, 2}).input()), (std::vector<float>{0, 1, 0, 1, 0, 1}));
}

TEST(Checks, NameTheArgumentAndWhatIsAllowed) {
  const at::Tensor ints = at::ones({2}, at::kInt);
  EXPECT_EQ(error_text([&] { check_floating("f", "input", ints); }),
            "f: input is Int\n  allowed here: float32, float16, bfloat16");
  EXPECT_EQ(error_text([&] { check_defined("f", "scale", {}); }), "f: scale is undefined");
  const at::Tensor meta = at::empty({2}, at::TensorOptions(at::kMeta));
  EXPECT_EQ(error_text([&] { check_cpu("f", "input", meta); }),
            "f: input is a strided tensor on meta\n"
            "  allowed here: a strided tensor on the CPU\n"
            "  to go on: move it with .cpu()");
  const ElementwiseView view("f", at::ones({4, 2}), {1, 2});
  EXPECT_EQ(error_text([&] { view.qparam("f", "scale", at::ones({3})); }),
            "f: scale has 3 elements, the input has 4 blocks of its block size\n  allowed here: 4 elements");
}

}  // namespace
}  // namespace torquant
