#include "torquant/observer/affine_observer.h"

#include <gtest/gtest.h>

#include <limits>

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>

#include "tests/support/error_text.h"
#include "torquant/core/error.h"

namespace torquant {
namespace {

const ObserverOptions kInt8 = {.quant_range = {{-128, 127}}};
const float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(AffineQuantizedMinMaxObserver, KeepsARangeForEachBlock) {
  AffineQuantizedMinMaxObserver observer({.mapping_type = MappingType::kSymmetric, .granularity = PerGroup{2}}, kInt8);
  observer.observe(at::tensor({1.0f, -2.0f, 0.5f, 0.0f}).reshape({1, 4}));
  observer.observe(at::tensor({-3.0f, 0.0f, 0.0f, 0.25f}).reshape({1, 4}));
  const TensorQParams qparams = observer.calculate_qparams();
  EXPECT_TRUE(at::equal(qparams.scale, at::tensor({3.0f / 127.5f, 0.5f / 127.5f}).reshape({1, 2})));
  EXPECT_TRUE(at::equal(qparams.zero_point, at::full({1, 2}, 0, at::kInt)));
  EXPECT_EQ(observer.block_size(), (std::vector<int64_t>{1, 2}));
}

// torchao reduces the whole tensor where every block is one element (docs/semantics.md, O13).
TEST(AffineQuantizedMinMaxObserver, ABlockCanBeOneElement) {
  AffineQuantizedMinMaxObserver observer({.granularity = PerBlock{{1, 1}}}, kInt8);
  observer.observe(at::randn({2, 3}));
  EXPECT_EQ(observer.calculate_qparams().scale.sizes(), (at::IntArrayRef{2, 3}));
}

TEST(AffineQuantizedMinMaxObserver, SplittingOrMergingTheDataDoesNotMatter) {
  const at::Tensor x = at::randn({12, 8});
  const AffineSpec per_channel = {.granularity = PerAxis{1}};
  AffineQuantizedMinMaxObserver whole(per_channel, kInt8);
  whole.observe(x);
  AffineQuantizedMinMaxObserver one(per_channel, kInt8);
  AffineQuantizedMinMaxObserver other(per_channel, kInt8);
  one.observe(x.slice(0, 0, 5));
  other.observe(x.slice(0, 5));
  one.merge(other);
  EXPECT_TRUE(at::equal(one.calculate_qparams().scale, whole.calculate_qparams().scale));
  EXPECT_TRUE(at::equal(one.calculate_qparams().zero_point, whole.calculate_qparams().zero_point));
}

TEST(AffineQuantizedMinMaxObserver, ComputesInTheDtypeOfTheData) {
  AffineQuantizedMinMaxObserver observer({.scale_dtype = at::kFloat}, kInt8);
  observer.observe(at::tensor({-1.0f, 1.5f}).to(at::kBFloat16));
  EXPECT_EQ(observer.state().at("min_val").scalar_type(), at::kBFloat16);
  const float scale = observer.calculate_qparams().scale.item<float>();
  EXPECT_EQ(at::full({}, scale, at::kFloat).to(at::kBFloat16).to(at::kFloat).item<float>(), scale);
}

TEST(AffineQuantizedMinMaxObserver, NonFiniteValuesAreCountedAndLeftOut) {
  AffineQuantizedMinMaxObserver observer({.granularity = PerAxis{0}}, kInt8);
  observer.observe(at::tensor({1.0f, kNan, kNan, kNan}).reshape({2, 2}));
  EXPECT_EQ(observer.nonfinite_count(), 3);
  EXPECT_EQ(error_text([&] { observer.calculate_qparams(); }),
            "AffineQuantizedMinMaxObserver: no scale and zero point: block 1 holds no finite value");
  observer.observe(at::tensor({0.0f, 0.0f, -1.0f, 2.0f}).reshape({2, 2}));
  EXPECT_FLOAT_EQ(observer.calculate_qparams().scale[0].item<float>(), 1.0f / 255);
  EXPECT_FLOAT_EQ(observer.calculate_qparams().scale[1].item<float>(), 3.0f / 255);
}

TEST(AffineQuantizedMinMaxObserver, RefusesWhatDoesNotFit) {
  AffineQuantizedMinMaxObserver observer({.granularity = PerToken{}}, kInt8);
  EXPECT_EQ(error_text([&] { observer.calculate_qparams(); }),
            "AffineQuantizedMinMaxObserver: no scale and zero point: it observed nothing; calibrate with at least one "
            "batch that reaches it");
  observer.observe(at::empty({0, 4}));
  EXPECT_FALSE(observer.observed());
  observer.observe(at::randn({3, 4}));
  EXPECT_EQ(error_text([&] { observer.observe(at::randn({2, 4})); }),
            "AffineQuantizedMinMaxObserver: PerToken() gives blocks of shape [2]\n"
            "  allowed here: [3], as in the first batch");
  EXPECT_THROW(AffineQuantizedMinMaxObserver({.granularity = PerGroup{3}}, kInt8).observe(at::randn({2, 4})), Error);
  EXPECT_THROW(AffineQuantizedMinMaxObserver({}, {.dtype = DType::kUInt8, .quant_range = {{-1, 255}}}), Error);
  EXPECT_EQ(error_text([] { AffineQuantizedMinMaxObserver({.eps = -1.0}, kInt8); }),
            "AffineQuantizedMinMaxObserver: eps -1\n  allowed here: above 0");
}

TEST(AffineQuantizedMinMaxObserver, StateGoesOnWhereItStopped) {
  AffineQuantizedMinMaxObserver first({.granularity = PerAxis{1}}, kInt8);
  EXPECT_TRUE(first.state().empty());
  first.observe(at::randn({4, 3}));
  AffineQuantizedMinMaxObserver second({.granularity = PerAxis{1}}, kInt8);
  second.load_state(first.state());
  EXPECT_EQ(first.to_string(), second.to_string());
}

TEST(AffineQuantizedMovingAverageMinMaxObserver, FollowsTheBatches) {
  AffineQuantizedMovingAverageMinMaxObserver observer(0.5, {}, kInt8);
  observer.observe(at::tensor({-1.0f, 1.0f}));
  observer.observe(at::full({2}, kNan));
  observer.observe(at::tensor({-3.0f, 9.0f}));
  EXPECT_FLOAT_EQ(observer.calculate_qparams().scale.item<float>(), 7.0f / 255);
  EXPECT_THROW(observer.merge(observer), Error);
  EXPECT_THROW(AffineQuantizedMovingAverageMinMaxObserver(0, {}, kInt8), Error);
}

TEST(AffineQuantizedMSEObserver, FindsTheBestOfItsSteps) {
  at::Tensor x = at::randn({1, 1000});
  x[0][0] = 30.0f;  // costs less if clipped than if the grid is as wide
  AffineQuantizedMSEObserver observer({.affine = {.mapping_type = MappingType::kSymmetric}, .steps = 50},
                                      {.quant_range = {{-8, 7}}});
  observer.observe(x);
  const auto error_of = [&](float scale) {
    return (at::clamp((x / scale).round(), -8, 7) * scale - x).pow(2).mean().item<float>();
  };
  float least = error_of(30.0f / 7.5f);
  for (int step = 1; step < 50; ++step) least = std::min(least, error_of(30.0f / 50 * step / 7.5f));
  EXPECT_LT(least, error_of(30.0f / 7.5f) * 0.9f);
  EXPECT_NEAR(error_of(observer.calculate_qparams().scale.item<float>()), least, 1e-5);
}

TEST(AffineQuantizedMSEObserver, KeepsTheFirstOrTheNewestBatch) {
  const auto scale_after_two = [](bool run_once) {
    AffineQuantizedMSEObserver observer({.affine = {.mapping_type = MappingType::kSymmetric}, .run_once = run_once},
                                        kInt8);
    observer.observe(at::tensor({-1.0f, 1.0f}));
    observer.observe(at::tensor({-2.0f, 2.0f}));
    return observer.calculate_qparams().scale.item<float>();
  };
  EXPECT_FLOAT_EQ(scale_after_two(false), 2 * scale_after_two(true));
  EXPECT_THROW(AffineQuantizedMSEObserver({.steps = 0}, kInt8), Error);
}

TEST(AffineQuantizedFixedQParamObserver, GivesWhatItWasGiven) {
  AffineQuantizedFixedQParamObserver observer({}, kInt8);
  EXPECT_EQ(observer.calculate_qparams().scale.item<float>(), 1.0f);
  observer.set_qparams(at::tensor({0.5f, 0.25f}));
  EXPECT_TRUE(at::equal(observer.calculate_qparams().scale, at::tensor({0.5f, 0.25f})));
  EXPECT_TRUE(at::equal(observer.calculate_qparams().zero_point, at::full({2}, 0, at::kInt)));
  AffineQuantizedFixedQParamObserver other({}, kInt8);
  other.load_state(observer.state());
  EXPECT_EQ(other.to_string(), observer.to_string());
  EXPECT_EQ(error_text([&] { observer.set_qparams(at::tensor({0.5f, 0.0f})); }),
            "AffineQuantizedFixedQParamObserver: a scale is not above 0\n  allowed here: finite scales above 0");
  EXPECT_THROW(observer.set_qparams(at::tensor({kNan})), Error);
}

}  // namespace
}  // namespace torquant
