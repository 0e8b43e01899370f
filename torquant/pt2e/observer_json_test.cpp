#include "torquant/pt2e/observer_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/error_text.h"

namespace torquant {
namespace {

TEST(ObserverJson, SettingsReadBack) {
  const std::vector<ObserverSpec> specs = {
      {.type = MinMaxSpec{}},
      {.type = MovingAverageMinMaxSpec{0.05}, .eps = 0x1p-12f},
      {.type = PerChannelMinMaxSpec{}, .reduce_range = true},
      {.type = MovingAveragePerChannelMinMaxSpec{0.1}, .fake_quantize = FakeQuantizeType::kPlain},
      {.type = HistogramSpec{128}},
      {.type = FixedQParamsSpec{1.0 / 256, 3}},
      {.type = PlaceholderSpec{}},
  };
  for (const ObserverSpec& spec : specs) EXPECT_EQ(observer_spec_from_json(to_json(spec)), spec) << to_string(spec);
}

TEST(ObserverJson, OptionsReadBack) {
  const ObserverOptions options{.dtype = DType::kInt16,
                                .quant_range = QuantRange{-100, 100},
                                .qscheme = QScheme::kPerChannelSymmetric,
                                .ch_axis = 1,
                                .is_dynamic = true};
  EXPECT_EQ(observer_options_from_json(to_json(options)), options);
  EXPECT_EQ(observer_options_from_json(to_json(ObserverOptions{})), ObserverOptions{});
}

TEST(ObserverJson, AnAffineObserverHasNoFormInAFile) {
  EXPECT_THROW(to_json(ObserverSpec{.type = AffineMinMaxSpec{}}), Error);
}

TEST(ObserverJson, UnknownNamesAreErrors) {
  nlohmann::json json = to_json(ObserverOptions{});
  json["dtype"] = "int9";
  EXPECT_THROW(observer_options_from_json(json), Error);
  nlohmann::json spec = to_json(ObserverSpec{});
  spec["observer"]["name"] = "GuessObserver";
  EXPECT_THROW(observer_spec_from_json(spec), Error);
  spec = to_json(ObserverSpec{});
  spec["fake_quantize"] = "half";
  EXPECT_EQ(error_text([&] { observer_spec_from_json(spec); }), "observer settings: unknown fake_quantize \"half\"");
}

TEST(ObserverJson, NumbersThatAreNotFiniteAreErrors) {
  for (const nlohmann::json& number : {nlohmann::json(1e300), nlohmann::json("Infinity"), nlohmann::json("NaN")}) {
    nlohmann::json spec = to_json(ObserverSpec{});
    spec["eps"] = number;
    EXPECT_NE(error_text([&] { observer_spec_from_json(spec); }).find("observer settings: eps is"), std::string::npos)
        << number;
    spec = to_json(ObserverSpec{.type = MovingAverageMinMaxSpec{0.1}});
    spec["observer"]["averaging_constant"] = number;
    EXPECT_THROW(observer_spec_from_json(spec), Error);
    spec = to_json(ObserverSpec{.type = FixedQParamsSpec{1, 0}});
    spec["observer"]["scale"] = number;
    EXPECT_THROW(observer_spec_from_json(spec), Error);
  }
}

TEST(ObserverJson, ReportsReadBack) {
  QuantizationReport report;
  report.annotated_nodes = 3;
  LayerReport& conv = report.layers.emplace_back();
  conv.node = "conv2d";
  conv.quantized = true;
  conv.macs = 900;
  report.layers.emplace_back().reason = "no pattern";
  report.refusals.push_back({"%bn", "training mode"});
  const QuantizationReport read = report_from_json(to_json(report));
  EXPECT_EQ(read.annotated_nodes, 3);
  ASSERT_EQ(read.layers.size(), 2);
  EXPECT_EQ(read.quantized_layers(), 1);
  EXPECT_EQ(read.layers[0].macs, 900);
  EXPECT_EQ(read.layers[1].reason, "no pattern");
  ASSERT_EQ(read.refusals.size(), 1);
  EXPECT_EQ(read.refusals[0].reason, "training mode");
}

}  // namespace
}  // namespace torquant
