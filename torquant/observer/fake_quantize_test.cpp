#include "torquant/observer/fake_quantize.h"

#include <gtest/gtest.h>

#include <limits>

#include <torch/csrc/autograd/autograd.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/fused_moving_avg_obs_fake_quant.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tensor.h>

#include "tests/support/error_text.h"
#include "torquant/core/error.h"

namespace torquant {
namespace {

const ObserverOptions kInt8 = {.quant_range = {{-128, 127}}};
const ObserverOptions kPerChannel = {
    .quant_range = {{-128, 127}}, .qscheme = QScheme::kPerChannelSymmetric, .ch_axis = 1};

std::shared_ptr<FakeQuantize> make(ObserverType type, FakeQuantizeType kind, const ObserverOptions& options) {
  return std::dynamic_pointer_cast<FakeQuantize>(
      make_observer({.type = std::move(type), .eps = 0x1p-12f, .fake_quantize = kind}, options));
}

// Range [-1, 127/128]: scale 1/128, zero point 0.
TEST(FakeQuantize, RoundsToTheGridAndPassesGradientsInside) {
  const auto fake_quantize = make(MinMaxSpec{}, FakeQuantizeType::kPlain, kInt8);
  fake_quantize->observe(at::tensor({-1.0f, 127.0f / 128}));
  fake_quantize->disable_observer();
  const at::Tensor x = at::tensor({0.01f, -3.0f, 3.0f}).set_requires_grad(true);
  const at::Tensor y = fake_quantize->observe(x);
  EXPECT_TRUE(at::equal(y, at::tensor({1.0f / 128, -1.0f, 127.0f / 128})));
  const auto gradient = torch::autograd::grad({y.sum()}, {x});
  EXPECT_TRUE(at::equal(gradient[0], at::tensor({1.0f, 0.0f, 0.0f})));
}

TEST(FakeQuantize, KeepsTheDtypeOfItsInput) {
  const at::Tensor x = at::randn({6, 4});
  for (const auto dtype : {at::kBFloat16, at::kHalf, at::kDouble}) {
    const auto per_tensor = make(MinMaxSpec{}, FakeQuantizeType::kPlain, kInt8);
    const at::Tensor y = per_tensor->observe(x.to(dtype));
    EXPECT_EQ(y.scalar_type(), dtype);
    per_tensor->disable_observer();
    EXPECT_TRUE(at::equal(y, per_tensor->observe(x.to(dtype).to(at::kFloat)).to(dtype)));
    EXPECT_EQ(make(PerChannelMinMaxSpec{}, FakeQuantizeType::kPlain, kPerChannel)->observe(x.to(dtype)).scalar_type(),
              dtype);
  }
}

TEST(FakeQuantize, ItsSwitchesWork) {
  const auto fake_quantize = make(MinMaxSpec{}, FakeQuantizeType::kPlain, kInt8);
  fake_quantize->disable_fake_quant();
  const at::Tensor x = at::tensor({-1.0f, 1.0f});
  EXPECT_TRUE(fake_quantize->observe(x).is_same(x));
  const float scale = fake_quantize->scale().item<float>();
  fake_quantize->disable_observer();
  fake_quantize->observe(x * 10);
  EXPECT_EQ(fake_quantize->scale().item<float>(), scale);
  fake_quantize->enable_observer();
  fake_quantize->enable_fake_quant();
  EXPECT_FALSE(fake_quantize->observe(x * 10).is_same(x));
  EXPECT_FLOAT_EQ(fake_quantize->scale().item<float>(), scale * 10);
}

TEST(FakeQuantize, WeightsAreTrainedOnTheGridThatConvertUses) {
  const at::Tensor x = at::randn({6, 4});
  const auto fake_quantize = make(PerChannelMinMaxSpec{}, FakeQuantizeType::kPlain, kPerChannel);
  fake_quantize->observe(x);
  EXPECT_TRUE(at::equal(fake_quantize->scale(), fake_quantize->calculate_qparams().scale));
}

TEST(FakeQuantize, TakesAFixedGrid) {
  const auto fake_quantize = make(FixedQParamsSpec{.scale = 1.0 / 256}, FakeQuantizeType::kPlain,
                                  {.dtype = DType::kUInt8, .quant_range = {{0, 255}}});
  fake_quantize->disable_observer();
  EXPECT_EQ(fake_quantize->observe(at::tensor({0.5f})).item<float>(), 0.5f);
}

TEST(FakeQuantize, HasNoGridBeforeItSawAFiniteValue) {
  const auto fake_quantize = make(MinMaxSpec{}, FakeQuantizeType::kPlain, kInt8);
  EXPECT_EQ(fake_quantize->observe(at::empty({0})).numel(), 0);
  const at::Tensor nan = at::full({2}, std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(error_text([&] { fake_quantize->observe(nan); }),
            "FakeQuantize: no scale and zero point: it observed no finite value; enable the observer for at least one "
            "batch");
  EXPECT_EQ(fake_quantize->nonfinite_count(), 2);
}

TEST(FakeQuantize, StateGoesOnWhereItStopped) {
  for (const auto kind : {FakeQuantizeType::kPlain, FakeQuantizeType::kFused, FakeQuantizeType::kLearnable}) {
    const auto first = make(MovingAverageMinMaxSpec{}, kind, kInt8);
    first->observe(at::randn({10}));
    const auto second = make(MovingAverageMinMaxSpec{}, kind, kInt8);
    second->load_state(first->state());
    const at::Tensor x = at::randn({10});
    EXPECT_TRUE(at::equal(first->observe(x), second->observe(x)));
    EXPECT_TRUE(at::equal(first->scale(), second->scale()));
    EXPECT_TRUE(second->state().contains("activation_post_process.min_val"));
  }
}

TEST(FakeQuantize, RefusesAStateThatIsNoGrid) {
  const auto fake_quantize = make(MinMaxSpec{}, FakeQuantizeType::kPlain, kInt8);
  const auto problem_with = [&](const char* name, const at::Tensor& tensor) {
    Observer::State state = fake_quantize->state();
    state[name] = tensor;
    return error_text([&] { fake_quantize->load_state(state); });
  };
  EXPECT_EQ(problem_with("zero_point", at::full({2}, 0, at::kInt)),
            "FakeQuantize: the saved scale has rank 1 and 1 elements, zero_point rank 1 and 2\n"
            "  allowed here: equal sizes of rank 1");
  EXPECT_EQ(problem_with("scale", at::full({1}, std::numeric_limits<float>::infinity())),
            "FakeQuantize: the saved scale is inf, its zero_point 0\n"
            "  allowed here: finite numbers, the zero_point of 32 bits");
  EXPECT_NE(problem_with("zero_point", at::full({1}, int64_t{1} << 31, at::kLong)), "");
  EXPECT_EQ(problem_with("observer_enabled", at::full({3}, 1, at::kByte)),
            "FakeQuantize: the saved observer_enabled has 3 elements of dtype Byte\n  allowed here: one finite number");
}

TEST(FakeQuantize, MergesWhatItsObserverMerges) {
  const auto one = make(MinMaxSpec{}, FakeQuantizeType::kPlain, kInt8);
  const auto other = make(MinMaxSpec{}, FakeQuantizeType::kPlain, kInt8);
  one->observe(at::tensor({-1.0f, 0.0f}));
  other->observe(at::tensor({0.0f, 1.0f}));
  one->merge(*other);
  EXPECT_FLOAT_EQ(one->scale().item<float>(), 2.0f / 255);
}

TEST(FakeQuantize, RefusesObserversWithoutOneGrid) {
  EXPECT_EQ(error_text([] { make(PlaceholderSpec{}, FakeQuantizeType::kPlain, kInt8); }),
            "FakeQuantize: the observer is a PlaceholderObserver\n"
            "  allowed here: observers that give one scale per tensor or per channel");
  EXPECT_THROW(make(AffineMinMaxSpec{}, FakeQuantizeType::kPlain, kInt8), Error);
  EXPECT_THROW(make(AffineFixedQParamSpec{}, FakeQuantizeType::kPlain, kInt8), Error);
}

TEST(FakeQuantize, RefusesAnotherNumberOfChannels) {
  const auto fake_quantize = make(PerChannelMinMaxSpec{}, FakeQuantizeType::kPlain, kPerChannel);
  fake_quantize->observe(at::randn({2, 3}));
  fake_quantize->disable_observer();
  EXPECT_EQ(error_text([&] { fake_quantize->observe(at::randn({2, 4})); }),
            "FakeQuantize: 3 scales along axis 1 of a tensor of rank 2\n"
            "  allowed here: one scale for each index of the axis");
}

// The operator of LibTorch that PyTorch's module calls.
TEST(FusedMovingAvgObsFakeQuantize, IsLibTorchsOperator) {
  const at::Tensor on = at::full({1}, 1, at::kLong);
  for (const QScheme qscheme : {QScheme::kPerTensorAffine, QScheme::kPerTensorSymmetric}) {
    for (const double size : {1e-7, 1e-3, 1.0, 1e6}) {
      const auto ours = make(MovingAverageMinMaxSpec{.averaging_constant = 0.3}, FakeQuantizeType::kFused,
                             {.quant_range = {{-128, 127}}, .qscheme = qscheme});
      at::Tensor min = at::full({}, std::numeric_limits<float>::infinity());
      at::Tensor max = -min;
      at::Tensor scale = at::full({1}, 1.0);
      at::Tensor zero_point = at::full({1}, 0, at::kInt);
      for (int batch = 0; batch < 5; ++batch) {
        const at::Tensor x = (at::randn({100}) + batch) * size;
        const at::Tensor y = at::fused_moving_avg_obs_fake_quant(x, on, on, min, max, scale, zero_point, 0.3, -128, 127,
                                                                 -1, false, is_symmetric(qscheme));
        ASSERT_TRUE(at::equal(ours->observe(x), y)) << size << " " << qscheme_name(qscheme);
        ASSERT_TRUE(at::equal(ours->scale(), scale));
        ASSERT_TRUE(at::equal(ours->zero_point(), zero_point));
      }
    }
  }
}

TEST(FusedMovingAvgObsFakeQuantize, WorksAlongEveryAxis) {
  const at::Tensor x = at::randn({5, 3});
  auto rows = kPerChannel;
  rows.ch_axis = 0;
  const auto along_columns = make(MovingAveragePerChannelMinMaxSpec{}, FakeQuantizeType::kFused, kPerChannel);
  const auto along_rows = make(MovingAveragePerChannelMinMaxSpec{}, FakeQuantizeType::kFused, rows);
  for (int batch = 0; batch < 3; ++batch) {
    const at::Tensor y = along_columns->observe(x * (batch + 1));
    EXPECT_TRUE(at::equal(y, along_rows->observe((x * (batch + 1)).t()).t()));
  }
  EXPECT_TRUE(at::equal(along_columns->scale(), along_rows->scale()));
}

TEST(FusedMovingAvgObsFakeQuantize, TakesMovingAveragesOnly) {
  EXPECT_EQ(error_text([] { make(MinMaxSpec{}, FakeQuantizeType::kFused, kInt8); }),
            "FusedMovingAvgObsFakeQuantize: the observer is a MinMaxObserver\n"
            "  allowed here: MovingAverageMinMaxObserver, MovingAveragePerChannelMinMaxObserver");
  auto options = kPerChannel;
  options.qscheme = QScheme::kPerChannelAffineFloatQParams;
  EXPECT_THROW(make(MovingAveragePerChannelMinMaxSpec{}, FakeQuantizeType::kFused, options), Error);
}

}  // namespace
}  // namespace torquant
