#include "torquant/io/pt2_codes.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"

namespace torquant::pt2 {
namespace {

// Numbers of torch/_export/serde/schema.py, version 8.20.
TEST(Pt2Codes, AreThoseOfTheSchema) {
  EXPECT_EQ(code_of(at::kByte), 1);
  EXPECT_EQ(code_of(at::kFloat), 7);
  EXPECT_EQ(code_of(at::kBFloat16), 13);
  EXPECT_EQ(code_of(at::kUInt16), 28);
  EXPECT_EQ(code_of(at::kFloat8_e4m3fn), 29);
  EXPECT_EQ(code_of(at::kSparse), 1);
  EXPECT_EQ(code_of(at::kStrided), 7);
  EXPECT_EQ(code_of(at::MemoryFormat::Contiguous), 1);
  EXPECT_EQ(code_of(at::MemoryFormat::Preserve), 4);
}

TEST(Pt2Codes, AreReadAsTheyAreWritten) {
  size_t known = 0;
  for (int64_t code = 0; code < 64; ++code) {
    try {
      EXPECT_EQ(code_of(dtype_from_code(code)), code);
      ++known;
    } catch (const Error&) {
    }
  }
  EXPECT_EQ(known, 21u);
  for (int64_t code = 1; code <= 7; ++code) EXPECT_EQ(code_of(layout_from_code(code)), code);
  for (int64_t code = 1; code <= 4; ++code) EXPECT_EQ(code_of(memory_format_from_code(code)), code);
}

TEST(Pt2Codes, OthersAreErrors) {
  EXPECT_EQ(error_text([] { dtype_from_code(99); }), "unknown dtype code 99");
  EXPECT_EQ(error_text([] { layout_from_code(0); }), "unknown layout code 0");
  EXPECT_EQ(error_text([] { memory_format_from_code(5); }), "unknown memory format code 5");
  EXPECT_EQ(error_text([] { code_of(at::kQInt8); }),
            "dtype QInt8 has no code in the .pt2 schema; store it in a byte dtype");
  EXPECT_EQ(error_text([] { code_of(at::kJagged); }), "layout Jagged has no code in the .pt2 schema");
}

}  // namespace
}  // namespace torquant::pt2
