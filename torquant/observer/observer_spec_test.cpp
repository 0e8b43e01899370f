#include "torquant/observer/observer_spec.h"

#include <gtest/gtest.h>

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include "torquant/core/error.h"

namespace torquant {
namespace {

TEST(ObserverSpec, PrintsWhatItMakes) {
  EXPECT_EQ(to_string(ObserverSpec{}), "MinMaxObserver()");
  EXPECT_EQ(to_string(ObserverSpec{.type = HistogramSpec{}, .eps = 0x1p-12f}),
            "HistogramObserver(bins=2048, eps=0.00024414062)");
  EXPECT_EQ(to_string(ObserverSpec{
                .type = MovingAverageMinMaxSpec{0.1}, .reduce_range = true, .fake_quantize = FakeQuantizeType::kPlain}),
            "FakeQuantize(MovingAverageMinMaxObserver(averaging_constant=0.1, reduce_range))");
  EXPECT_EQ(to_string(ObserverSpec{.type = MovingAveragePerChannelMinMaxSpec{},
                                   .fake_quantize = FakeQuantizeType::kLearnable,
                                   .use_grad_scaling = true}),
            "LearnableFakeQuantize(MovingAveragePerChannelMinMaxObserver(averaging_constant=0.01), use_grad_scaling)");
  EXPECT_EQ(to_string(ObserverSpec{.type = AffineMSESpec{.affine = {.granularity = PerGroup{32}}, .run_once = true}}),
            "AffineQuantizedMSEObserver(ASYMMETRIC, PerGroup(group_size=32), steps=100, run_once)");
  EXPECT_EQ(to_string(ObserverOptions{.quant_range = {{-127, 127}}, .qscheme = QScheme::kPerChannelSymmetric}),
            "int8 [-127, 127], per_channel_symmetric along axis 0");
  EXPECT_EQ(to_string(ObserverOptions{.dtype = DType::kUInt8, .is_dynamic = true}),
            "uint8, per_tensor_affine, dynamic");
}

TEST(ObserverSpec, ComparesAllItsParts) {
  const ObserverSpec spec = {.type = HistogramSpec{.bins = 100}};
  EXPECT_EQ(spec, (ObserverSpec{.type = HistogramSpec{.bins = 100}}));
  EXPECT_NE(spec, (ObserverSpec{.type = HistogramSpec{}}));
  EXPECT_NE(spec, (ObserverSpec{.type = HistogramSpec{.bins = 100}, .eps = 1}));
  EXPECT_NE(spec, (ObserverSpec{}));
  EXPECT_NE((ObserverOptions{}), (ObserverOptions{.ch_axis = 1}));
}

TEST(ObserverSpec, MakesEachObserverUnderItsName) {
  const ObserverOptions tensor = {.dtype = DType::kUInt8};
  const ObserverOptions channels = {.dtype = DType::kUInt8, .qscheme = QScheme::kPerChannelAffine};
  const std::vector<std::tuple<ObserverType, ObserverOptions, std::string>> cases = {
      {MinMaxSpec{}, tensor, "MinMaxObserver"},
      {MovingAverageMinMaxSpec{}, tensor, "MovingAverageMinMaxObserver"},
      {PerChannelMinMaxSpec{}, channels, "PerChannelMinMaxObserver"},
      {MovingAveragePerChannelMinMaxSpec{}, channels, "MovingAveragePerChannelMinMaxObserver"},
      {HistogramSpec{}, tensor, "HistogramObserver"},
      {FixedQParamsSpec{}, tensor, "FixedQParamsObserver"},
      {PlaceholderSpec{}, tensor, "PlaceholderObserver"},
      {NoopSpec{}, tensor, "NoopObserver"},
      {ReuseInputSpec{}, tensor, "ReuseInputObserver"},
      {RecordingSpec{}, tensor, "RecordingObserver"},
      {AffineMinMaxSpec{}, tensor, "AffineQuantizedMinMaxObserver"},
      {AffineMovingAverageMinMaxSpec{}, tensor, "AffineQuantizedMovingAverageMinMaxObserver"},
      {AffineMSESpec{}, tensor, "AffineQuantizedMSEObserver"},
      {AffineFixedQParamSpec{}, tensor, "AffineQuantizedFixedQParamObserver"},
      {AffinePlaceholderSpec{}, tensor, "AffineQuantizedPlaceholderObserver"},
  };
  ASSERT_EQ(cases.size() + 1, std::variant_size_v<ObserverType>);  // and the custom one
  for (const auto& [type, options, name] : cases) {
    const ObserverSpec spec = {.type = type};
    EXPECT_EQ(make_observer(spec, options)->type_name(), name);
    EXPECT_TRUE(to_string(spec).starts_with(name + "(")) << to_string(spec);
  }
}

// A user's own observer: the range is what the user says.
class Clip6Observer : public Observer {
 public:
  at::Tensor observe(const at::Tensor& x) override { return x; }
  TensorQParams calculate_qparams() const override { return {at::full({1}, 6.0 / 255), at::full({1}, 0, at::kInt)}; }
  bool observed() const override { return true; }
  std::string type_name() const override { return "Clip6Observer"; }
};

TEST(ObserverSpec, TakesTheUsersObserver) {
  const auto factory = std::make_shared<const ObserverFactory>(
      [](const ObserverSpec&, const ObserverOptions&) { return std::make_shared<Clip6Observer>(); });
  ObserverSpec spec = {.type = CustomObserverSpec{"Clip6Observer", factory}};
  EXPECT_EQ(to_string(spec), "Clip6Observer()");
  EXPECT_EQ(make_observer(spec, {})->type_name(), "Clip6Observer");
  EXPECT_EQ(spec, (ObserverSpec{.type = CustomObserverSpec{"Clip6Observer", factory}}));

  spec.fake_quantize = FakeQuantizeType::kPlain;
  const at::Tensor y = make_observer(spec, {.dtype = DType::kUInt8})->observe(at::tensor({7.0f, -1.0f}));
  EXPECT_FLOAT_EQ(y[0].item<float>(), 6.0f);
  EXPECT_EQ(y[1].item<float>(), 0.0f);

  spec.type = CustomObserverSpec{"Nothing", nullptr};
  EXPECT_THROW(make_observer(spec, {}), Error);
}

}  // namespace
}  // namespace torquant
