#include "torquant/core/dtype.h"

#include <gtest/gtest.h>

namespace torquant {
namespace {

TEST(DType, RangesAreThoseOfTheStoredBits) {
  EXPECT_EQ(quant_range(DType::kInt1), (QuantRange{-1, 0}));
  EXPECT_EQ(quant_range(DType::kInt4), (QuantRange{-8, 7}));
  EXPECT_EQ(quant_range(DType::kInt8), (QuantRange{-128, 127}));
  EXPECT_EQ(quant_range(DType::kUInt3), (QuantRange{0, 7}));
  EXPECT_EQ(quant_range(DType::kUInt16), (QuantRange{0, 65535}));
  EXPECT_EQ(quant_range(DType::kInt32), (QuantRange{-2147483648LL, 2147483647LL}));
}

TEST(DType, NamesReadBack) {
  for (int i = 0; i <= static_cast<int>(DType::kBool); ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_name(dtype_name(dtype)), dtype);
  }
  EXPECT_EQ(dtype_from_name("int9"), std::nullopt);
}

TEST(DType, SubByteIntegersAreStoredInBytes) {
  EXPECT_EQ(storage_dtype(DType::kInt4), DType::kInt8);
  EXPECT_EQ(storage_dtype(DType::kUInt7), DType::kUInt8);
  EXPECT_EQ(storage_dtype(DType::kInt16), DType::kInt16);
}

}  // namespace
}  // namespace torquant
