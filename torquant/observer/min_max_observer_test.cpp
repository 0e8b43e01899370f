#include "torquant/observer/min_max_observer.h"

#include <gtest/gtest.h>

#include <limits>

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>

#include "tests/support/error_text.h"
#include "torquant/core/error.h"

namespace torquant {
namespace {

const float kNan = std::numeric_limits<float>::quiet_NaN();
const float kInf = std::numeric_limits<float>::infinity();

const ObserverSpec kSpec = {.eps = 0x1p-12f};
const ObserverOptions kPerTensor = {.quant_range = {{-128, 127}}};
const ObserverOptions kPerChannel = {.quant_range = {{-128, 127}}, .qscheme = QScheme::kPerChannelAffine, .ch_axis = 1};

bool same_state(const Observer& a, const Observer& b) {
  const auto [left, right] = std::pair(a.state(), b.state());
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first && at::equal(x.second, y.second); });
}

TEST(MinMaxObserver, KeepsTheRangeOfAllBatches) {
  MinMaxObserver observer(kSpec, kPerTensor);
  const at::Tensor x = at::tensor({1.0f, 3.0f});
  EXPECT_TRUE(observer.observe(x).is_same(x));
  observer.observe(at::tensor({-1.5f, 3.7f}));
  const TensorQParams qparams = observer.calculate_qparams();
  EXPECT_TRUE(at::equal(qparams.scale, at::full({1}, 0x1.4e1ae6p-6f)));  // torchao 0.18
  EXPECT_TRUE(at::equal(qparams.zero_point, at::full({1}, -54, at::kInt)));
}

TEST(MinMaxObserver, DoesNotFollowTheTape) {
  MinMaxObserver observer(kSpec, kPerTensor);
  at::Tensor x = at::tensor({1.0f, 3.0f});
  x.set_requires_grad(true);
  const at::Tensor y = x * 2;
  EXPECT_TRUE(observer.observe(y).requires_grad());
  EXPECT_FALSE(observer.min_val().requires_grad());
}

TEST(MinMaxObserver, SplittingOrMergingTheDataDoesNotMatter) {
  const at::Tensor x = at::randn({64, 8});
  for (const bool channels : {false, true}) {
    const auto make = [&]() -> ObserverPtr {
      if (channels) return std::make_shared<PerChannelMinMaxObserver>(kSpec, kPerChannel);
      return std::make_shared<MinMaxObserver>(kSpec, kPerTensor);
    };
    const ObserverPtr whole = make();
    whole->observe(x);
    for (const int64_t cut : {1, 17, 63}) {
      const ObserverPtr parts = make();
      parts->observe(x.slice(0, 0, cut));
      const ObserverPtr other = make();
      other->observe(x.slice(0, cut));
      parts->merge(*other);
      EXPECT_TRUE(same_state(*parts, *whole)) << cut;
      parts->observe(x.slice(0, cut));  // again: nothing new
      EXPECT_TRUE(same_state(*parts, *whole)) << cut;
    }
  }
}

TEST(MinMaxObserver, MergingWhatSawNothingChangesNothing) {
  MinMaxObserver observer(kSpec, kPerTensor);
  observer.observe(at::tensor({1.0f, 3.0f}));
  const auto before = observer.to_string();
  observer.merge(MinMaxObserver(kSpec, kPerTensor));
  EXPECT_EQ(observer.to_string(), before);
  PerChannelMinMaxObserver channels(kSpec, kPerChannel);
  channels.merge(PerChannelMinMaxObserver(kSpec, kPerChannel));
  EXPECT_FALSE(channels.observed());
}

TEST(MinMaxObserver, StateGoesOnWhereItStopped) {
  MinMaxObserver first(kSpec, kPerTensor);
  first.observe(at::tensor({-1.0f, kNan, 2.0f}));
  MinMaxObserver second(kSpec, kPerTensor);
  second.load_state(first.state());
  EXPECT_EQ(second.nonfinite_count(), 1);
  EXPECT_TRUE(same_state(first, second));
  first.observe(at::tensor({5.0f}));
  second.observe(at::tensor({5.0f}));
  EXPECT_TRUE(same_state(first, second));
}

TEST(MinMaxObserver, NonFiniteValuesAreCountedAndLeftOut) {
  MinMaxObserver dirty(kSpec, kPerTensor);
  dirty.observe(at::tensor({1.0f, kInf, -2.0f, kNan, -kInf}));
  dirty.observe(at::full({3}, kNan));
  MinMaxObserver clean(kSpec, kPerTensor);
  clean.observe(at::tensor({1.0f, -2.0f}));
  EXPECT_EQ(dirty.nonfinite_count(), 6);
  EXPECT_TRUE(at::equal(dirty.min_val(), clean.min_val()));
  EXPECT_TRUE(at::equal(dirty.max_val(), clean.max_val()));
}

TEST(MinMaxObserver, AnyFloatDtypeIsSeenAsFloat32) {
  for (const auto dtype : {at::kBFloat16, at::kHalf, at::kDouble}) {
    MinMaxObserver observer(kSpec, kPerTensor);
    observer.observe(at::tensor({-1.5f, 2.5f}).to(dtype));
    EXPECT_EQ(observer.min_val().item<float>(), -1.5f);
    EXPECT_EQ(observer.min_val().scalar_type(), at::kFloat);
    EXPECT_EQ(observer.max_val().item<float>(), 2.5f);
  }
}

TEST(MinMaxObserver, RefusesWhatItCannotObserve) {
  MinMaxObserver observer(kSpec, kPerTensor);
  EXPECT_EQ(error_text([&] { observer.observe(at::tensor({1, 2})); }),
            "MinMaxObserver: observed a Int tensor of layout strided\n"
            "  allowed here: dense tensors of Float, BFloat16, Half or Double");
  EXPECT_THROW(observer.observe(at::Tensor()), Error);
  EXPECT_THROW(observer.observe(at::tensor({1.0f}).to(at::kFloat8_e4m3fn)), Error);
  EXPECT_THROW(observer.observe(at::tensor({1.0f}).to_sparse()), Error);
}

TEST(MinMaxObserver, HasNoQParamsBeforeItSawAFiniteValue) {
  MinMaxObserver observer(kSpec, kPerTensor);
  observer.observe(at::empty({0, 4}));
  observer.observe(at::full({2}, kNan));
  EXPECT_FALSE(observer.observed());
  EXPECT_EQ(
      error_text([&] { observer.calculate_qparams(); }),
      "MinMaxObserver: no scale and zero point: it observed no finite value; calibrate with at least one batch that "
      "reaches it");
}

TEST(MovingAverageMinMaxObserver, FollowsTheBatches) {
  MovingAverageMinMaxObserver observer(0.5, kSpec, kPerTensor);
  observer.observe(at::tensor({-1.0f, 1.0f}));
  observer.observe(at::full({2}, kNan));
  observer.observe(at::tensor({-3.0f, kInf, 9.0f}));
  EXPECT_EQ(observer.min_val().item<float>(), -2.0f);
  EXPECT_EQ(observer.max_val().item<float>(), 5.0f);
}

TEST(MovingAverageMinMaxObserver, CannotMerge) {
  MovingAverageMinMaxObserver observer(0.5, kSpec, kPerTensor);
  EXPECT_EQ(error_text([&] { observer.merge(observer); }),
            "MovingAverageMinMaxObserver: cannot merge: a moving average depends on the order of the batches\n"
            "  to go on: use a min-max observer, or observe all batches in one place");
  EXPECT_THROW(MinMaxObserver(kSpec, kPerTensor).merge(observer), Error);
}

TEST(PerChannelMinMaxObserver, EachChannelHasItsRange) {
  const at::Tensor x = at::tensor({1.0f, -2.0f, 3.0f, 4.0f, 5.0f, -6.0f}).reshape({2, 3});
  for (const int64_t axis : {1, -1}) {
    auto options = kPerChannel;
    options.ch_axis = axis;
    PerChannelMinMaxObserver observer(kSpec, options);
    observer.observe(x);
    EXPECT_TRUE(at::equal(observer.min_val(), at::tensor({1.0f, -2.0f, -6.0f})));
    EXPECT_TRUE(at::equal(observer.max_val(), at::tensor({4.0f, 5.0f, 3.0f})));
  }
}

TEST(PerChannelMinMaxObserver, AChannelWithoutFiniteValuesIsNamed) {
  PerChannelMinMaxObserver observer(kSpec, kPerChannel);
  observer.observe(at::tensor({1.0f, kNan, 2.0f, kInf}).reshape({2, 2}));
  EXPECT_EQ(observer.nonfinite_count(), 2);
  EXPECT_EQ(error_text([&] { observer.calculate_qparams(); }),
            "observer_qparams: channel 1 was observed from inf to -inf, which is no range\n"
            "  allowed here: min <= max\n"
            "  to go on: observe at least one finite value of each channel");
}

TEST(PerChannelMinMaxObserver, RefusesAxesAndChannelsThatDoNotFit) {
  PerChannelMinMaxObserver observer(kSpec, kPerChannel);
  EXPECT_EQ(error_text([&] { observer.observe(at::tensor({1.0f, 2.0f})); }),
            "PerChannelMinMaxObserver: ch_axis 1 of a tensor of rank 1\n  allowed here: -1 to 0");
  observer.observe(at::randn({2, 3}));
  EXPECT_EQ(error_text([&] { observer.observe(at::randn({2, 4})); }),
            "PerChannelMinMaxObserver: observed 4 channels along axis 1\n  allowed here: 3, as in the first batch");
  PerChannelMinMaxObserver other(kSpec, kPerChannel);
  other.observe(at::randn({2, 4}));
  EXPECT_THROW(observer.merge(other), Error);
  EXPECT_THROW(observer.observe(at::tensor(1.0f)), Error);
}

TEST(PerChannelMinMaxObserver, IsStatic) {
  auto options = kPerChannel;
  options.is_dynamic = true;
  EXPECT_EQ(error_text([&] { PerChannelMinMaxObserver(kSpec, options); }),
            "PerChannelMinMaxObserver: is_dynamic\n  allowed here: static quantization");
}

TEST(MovingAveragePerChannelMinMaxObserver, FollowsEachChannel) {
  MovingAveragePerChannelMinMaxObserver observer(0.5, kSpec, kPerChannel);
  observer.observe(at::tensor({-1.0f, kNan, 1.0f, kNan}).reshape({2, 2}));
  observer.observe(at::tensor({-3.0f, 2.0f, 9.0f, 4.0f}).reshape({2, 2}));
  EXPECT_TRUE(at::equal(observer.min_val(), at::tensor({-2.0f, 2.0f})));  // the second channel starts with batch 2
  EXPECT_TRUE(at::equal(observer.max_val(), at::tensor({5.0f, 4.0f})));
  EXPECT_THROW(observer.merge(observer), Error);
}

}  // namespace
}  // namespace torquant
