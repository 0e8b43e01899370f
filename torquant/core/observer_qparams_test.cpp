#include "torquant/core/observer_qparams.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/error_text.h"
#include "torquant/core/error.h"

namespace torquant {
namespace {

struct Chosen {
  float scale;
  int64_t zero_point;
  bool operator==(const Chosen&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Chosen& c) {
  return out << "{" << std::hexfloat << c.scale << ", " << c.zero_point << "}";
}

Chosen choose(float min, float max, const ObserverQParamsRule& rule) {
  Chosen result{};
  observer_qparams({&min, 1}, {&max, 1}, rule, {&result.scale, 1}, {&result.zero_point, 1});
  return result;
}

ObserverQParamsRule rule(DType dtype, QScheme qscheme, std::optional<QuantRange> custom) {
  return {.dtype = dtype,
          .qscheme = qscheme,
          .range = observer_quant_range(dtype, custom, false),
          .custom_range = custom.has_value(),
          .eps = 0x1p-12f};
}

// The expected bits are what torchao 0.18's observers returned for these arguments (eps 2^-12).
TEST(ObserverQParams, AffineIsPyTorchs) {
  const auto int8 = rule(DType::kInt8, QScheme::kPerTensorAffine, {{-128, 127}});
  EXPECT_EQ(choose(-1.5f, 3.7f, int8), (Chosen{0x1.4e1ae6p-6f, -54}));
  EXPECT_EQ(choose(2.0f, 3.7f, int8), (Chosen{0x1.db751p-7f, -128}));
  EXPECT_EQ(choose(-5.0f, -3.7f, int8), (Chosen{0x1.414142p-6f, 127}));
  EXPECT_EQ(choose(0.0f, 0.0f, int8), (Chosen{0x1p-12f, -128}));
  EXPECT_EQ(choose(-1.5f, 3.7f, rule(DType::kUInt8, QScheme::kPerTensorAffine, {})), (Chosen{0x1.4e1ae6p-6f, 74}));
  EXPECT_EQ(choose(-0.3f, 0.7f, rule(DType::kInt16, QScheme::kPerTensorAffine, {})), (Chosen{0x1p-12f, -31539}));
}

TEST(ObserverQParams, SymmetricIsPyTorchs) {
  const auto chosen = [](DType dtype, std::optional<QuantRange> range, float min, float max) {
    return choose(min, max, rule(dtype, QScheme::kPerTensorSymmetric, range));
  };
  EXPECT_EQ(chosen(DType::kInt8, {{-127, 127}}, -1.5f, 3.7f), (Chosen{0x1.dd5442p-6f, 0}));
  EXPECT_EQ(chosen(DType::kInt8, {{-128, 127}}, -1.5f, 3.7f), (Chosen{0x1.db751p-6f, 0}));
  EXPECT_EQ(chosen(DType::kUInt8, {{0, 15}}, -1.5f, 1.0f), (Chosen{0x1.99999ap-3f, 7}));
  EXPECT_EQ(chosen(DType::kUInt8, {}, -1.5f, 1.0f), (Chosen{0x1.818182p-7f, 128}));
  EXPECT_EQ(chosen(DType::kUInt16, {}, -1.5f, 1.0f), (Chosen{0x1p-12f, 32768}));
  EXPECT_EQ(chosen(DType::kInt32, {}, -1.5f, 1.0f), (Chosen{0x1p-12f, 0}));
}

TEST(ObserverQParams, EachChannelHasItsOwn) {
  const std::vector<float> min = {-1.5f, 2.0f, -5.0f};
  const std::vector<float> max = {3.7f, 3.7f, -3.7f};
  const auto one = rule(DType::kInt8, QScheme::kPerChannelAffine, {{-128, 127}});
  std::vector<float> scale(3);
  std::vector<int64_t> zero_point(3);
  observer_qparams(min, max, one, scale, zero_point);
  for (size_t c = 0; c < 3; ++c) EXPECT_EQ((Chosen{scale[c], zero_point[c]}), choose(min[c], max[c], one));
}

TEST(ObserverQParams, FloatQParamsDoNotExtendTheRangeToZero) {
  const std::vector<float> min = {-1.5f, 2.0f};
  const std::vector<float> max = {3.7f, 2.0f};
  std::vector<float> scale(2);
  std::vector<float> zero_point(2);
  observer_float_qparams(min, max, rule(DType::kUInt8, QScheme::kPerChannelAffineFloatQParams, {}), scale, zero_point);
  EXPECT_EQ(scale, (std::vector<float>{0x1.4e1ae6p-6f, 1.0f}));
  EXPECT_EQ(zero_point, (std::vector<float>{73.55770111083984f, -2.0f}));
}

// PyTorch casts min/scale to int32 and gets INT_MIN; the exact zero point is -2^31 + 4 * 2^32/6.
TEST(ObserverQParams, ZeroPointOfInt32DoesNotOverflow) {
  auto int32 = rule(DType::kInt32, QScheme::kPerTensorAffine, {});
  int32.eps = 1e-30f;
  const Chosen chosen = choose(-4.0f, 2.0f, int32);
  EXPECT_NEAR(static_cast<double>(chosen.zero_point), -2147483648.0 + 4 * 4294967296.0 / 6, 256.0);  // 24-bit quotient
}

TEST(ObserverQParams, RangesOfCodes) {
  EXPECT_EQ(observer_quant_range(DType::kInt8, {}, false), (QuantRange{-128, 127}));
  EXPECT_EQ(observer_quant_range(DType::kInt8, {}, true), (QuantRange{-64, 63}));
  EXPECT_EQ(observer_quant_range(DType::kUInt8, {}, true), (QuantRange{0, 127}));
  EXPECT_EQ(observer_quant_range(DType::kInt32, {}, true), (QuantRange{-2147483648LL, 2147483647}));
  EXPECT_EQ(observer_quant_range(DType::kUInt4, {}, false), (QuantRange{0, 15}));
  EXPECT_EQ(observer_quant_range(DType::kInt8, {{-127, 127}}, true), (QuantRange{-64, 63}));  // Python's -127 // 2
  EXPECT_EQ(observer_quant_range(DType::kInt8, {{-8, 7}}, false), (QuantRange{-8, 7}));
}

TEST(ObserverQParams, RefusesRangesOfCodesOutsideTheDtype) {
  EXPECT_EQ(error_text([] { observer_quant_range(DType::kInt8, {{-129, 127}}, false); }),
            "observer: quantization range -129 to 127 of int8\n"
            "  allowed here: a range within -128 to 127 that contains 0");
  EXPECT_THROW(observer_quant_range(DType::kUInt8, {{0, 256}}, false), Error);
  EXPECT_THROW(observer_quant_range(DType::kInt8, {{1, 127}}, false), Error);
  EXPECT_THROW(observer_quant_range(DType::kInt8, {{-128, -1}}, false), Error);
  EXPECT_THROW(observer_quant_range(DType::kInt8, {{0, 0}}, false), Error);
  EXPECT_EQ(error_text([] { observer_quant_range(DType::kFloat16, {}, false); }),
            "observer: dtype float16 has no integer codes\n"
            "  allowed here: int1 to int8, uint1 to uint8, int16, uint16, int32");
}

TEST(ObserverQParams, RefusesWhatIsNoRange) {
  const auto int8 = rule(DType::kInt8, QScheme::kPerTensorAffine, {});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(error_text([&] { choose(nan, 1.0f, int8); }),
            "observer_qparams: channel 0 was observed from nan to 1, which is no range\n"
            "  allowed here: min <= max\n"
            "  to go on: observe at least one finite value of each channel");
  EXPECT_THROW(choose(1.0f, nan, int8), Error);
  EXPECT_THROW(choose(inf, -inf, int8), Error);  // the state of an observer that saw nothing
  EXPECT_THROW(choose(2.0f, 1.0f, int8), Error);
}

TEST(ObserverQParams, RefusesAnEpsThatIsNotPositive) {
  auto int8 = rule(DType::kInt8, QScheme::kPerTensorAffine, {});
  int8.eps = 0.0f;
  EXPECT_EQ(error_text([&] { choose(-1.0f, 1.0f, int8); }), "observer_qparams: eps 0\n  allowed here: above 0");
  int8.eps = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(choose(-1.0f, 1.0f, int8), Error);
}

}  // namespace
}  // namespace torquant
