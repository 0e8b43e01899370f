#include "torquant/observer/passive_observer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include "tests/support/error_text.h"
#include "torquant/core/error.h"

namespace torquant {
namespace {

const ObserverOptions kUInt8 = {.dtype = DType::kUInt8, .quant_range = {{0, 255}}};

TEST(FixedQParamsObserver, GivesWhatItWasGiven) {
  FixedQParamsObserver observer({.scale = 1.0 / 256, .zero_point = 128}, {}, kUInt8);
  const at::Tensor x = at::tensor({1, 2});
  EXPECT_TRUE(observer.observe(x).is_same(x));
  EXPECT_TRUE(observer.observed());
  EXPECT_TRUE(at::equal(observer.calculate_qparams().scale, at::full({1}, 0x1p-8f)));
  EXPECT_TRUE(at::equal(observer.calculate_qparams().zero_point, at::full({1}, 128, at::kInt)));
  EXPECT_EQ(observer.to_string(), "FixedQParamsObserver(scale=[0.00390625], zero_point=[128])");
}

TEST(FixedQParamsObserver, RefusesWhatIsNoGrid) {
  const auto make = [](double scale, int64_t zero_point, ObserverOptions options = kUInt8) {
    FixedQParamsObserver({.scale = scale, .zero_point = zero_point}, {}, options);
  };
  EXPECT_EQ(error_text([&] { make(0, 0); }), "FixedQParamsObserver: scale 0\n  allowed here: finite, above 0");
  EXPECT_THROW(make(-1, 0), Error);
  EXPECT_THROW(make(std::nan(""), 0), Error);
  EXPECT_THROW(make(std::numeric_limits<double>::infinity(), 0), Error);
  EXPECT_THROW(make(1e-60, 0), Error);  // 0 as a float
  EXPECT_EQ(error_text([&] { make(1, 256); }), "FixedQParamsObserver: zero_point 256\n  allowed here: 0 to 255");
  auto options = kUInt8;
  for (const QScheme qscheme : {QScheme::kPerChannelAffine, QScheme::kPerTokenAffine}) {
    options.qscheme = qscheme;
    EXPECT_THROW(make(1, 0, options), Error);
  }
  options = kUInt8;
  options.is_dynamic = true;
  EXPECT_THROW(make(1, 0, options), Error);
}

TEST(FixedQParamsObserver, StateCarriesTheGrid) {
  FixedQParamsObserver from({.scale = 0.5, .zero_point = 3}, {}, kUInt8);
  FixedQParamsObserver to({.scale = 1, .zero_point = 0}, {}, kUInt8);
  to.load_state(from.state());
  EXPECT_EQ(to.to_string(), from.to_string());
  Observer::State state = from.state();
  state["zero_point"] = at::full({1}, 256, at::kInt);
  EXPECT_EQ(error_text([&] { to.load_state(state); }),
            "FixedQParamsObserver: zero_point 256\n  allowed here: 0 to 255");
  state = from.state();
  state["scale"] = at::full({1}, 0.0f);
  EXPECT_THROW(to.load_state(state), Error);
}

TEST(PassiveObserver, SaysWhyItHasNoQParams) {
  PassiveObserver observer("PlaceholderObserver", "they are chosen when the program runs");
  const at::Tensor x = at::tensor({1.0f});
  EXPECT_TRUE(observer.observe(x).is_same(x));
  EXPECT_FALSE(observer.observed());
  EXPECT_TRUE(observer.state().empty());
  EXPECT_EQ(error_text([&] { observer.calculate_qparams(); }),
            "PlaceholderObserver: no scale and zero point: they are chosen when the program runs");
}

TEST(RecordingObserver, KeepsCopies) {
  RecordingObserver observer;
  const at::Tensor x = at::tensor({1.0f});
  observer.observe(x);
  x.fill_(2);
  observer.observe(x);
  ASSERT_EQ(observer.values().size(), 2u);
  EXPECT_EQ(observer.values()[0].item<float>(), 1.0f);
  EXPECT_EQ(observer.values()[1].item<float>(), 2.0f);
  EXPECT_THROW(observer.calculate_qparams(), Error);
}

}  // namespace
}  // namespace torquant
