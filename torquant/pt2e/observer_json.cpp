#include "torquant/pt2e/observer_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "torquant/core/error.h"

namespace torquant {
namespace {

using Json = nlohmann::json;

template <typename T>
T known(const std::optional<T>& value, const Json& json, const char* what) {
  if (value) return *value;
  throw Error({.where = "observer settings", .what = fmt::format("unknown {} {}", what, json.dump())});
}

constexpr std::pair<FakeQuantizeType, const char*> kFakeQuantizeNames[] = {
    {FakeQuantizeType::kNone, "none"},
    {FakeQuantizeType::kPlain, "plain"},
    {FakeQuantizeType::kFused, "fused"},
    {FakeQuantizeType::kLearnable, "learnable"},
};

struct TypeToJson {
  Json operator()(const MinMaxSpec&) const { return {{"name", "MinMaxObserver"}}; }
  Json operator()(const MovingAverageMinMaxSpec& s) const {
    return {{"name", "MovingAverageMinMaxObserver"}, {"averaging_constant", s.averaging_constant}};
  }
  Json operator()(const PerChannelMinMaxSpec&) const { return {{"name", "PerChannelMinMaxObserver"}}; }
  Json operator()(const MovingAveragePerChannelMinMaxSpec& s) const {
    return {{"name", "MovingAveragePerChannelMinMaxObserver"}, {"averaging_constant", s.averaging_constant}};
  }
  Json operator()(const HistogramSpec& s) const { return {{"name", "HistogramObserver"}, {"bins", s.bins}}; }
  Json operator()(const FixedQParamsSpec& s) const {
    return {{"name", "FixedQParamsObserver"}, {"scale", s.scale}, {"zero_point", s.zero_point}};
  }
  Json operator()(const PlaceholderSpec&) const { return {{"name", "PlaceholderObserver"}}; }
  Json operator()(const NoopSpec&) const { return {{"name", "NoopObserver"}}; }
  Json operator()(const ReuseInputSpec&) const { return {{"name", "ReuseInputObserver"}}; }
  Json operator()(const RecordingSpec&) const { return {{"name", "RecordingObserver"}}; }
  // The affine observers, and those of the user's own.
  template <class Other>
  Json operator()(const Other&) const {
    throw Error(
        {.where = "observer settings",
         .what = "an observer of this kind cannot be saved with the program",
         .allowed = "PyTorch's uniform observers: MinMax, MovingAverage…, PerChannel…, Histogram, FixedQParams"});
  }
};

ObserverType type_from_json(const Json& json) {
  const std::string name = json.at("name");
  if (name == "MinMaxObserver") return MinMaxSpec{};
  if (name == "MovingAverageMinMaxObserver") return MovingAverageMinMaxSpec{json.at("averaging_constant")};
  if (name == "PerChannelMinMaxObserver") return PerChannelMinMaxSpec{};
  if (name == "MovingAveragePerChannelMinMaxObserver") {
    return MovingAveragePerChannelMinMaxSpec{json.at("averaging_constant")};
  }
  if (name == "HistogramObserver") return HistogramSpec{json.at("bins")};
  if (name == "FixedQParamsObserver") return FixedQParamsSpec{json.at("scale"), json.at("zero_point")};
  if (name == "PlaceholderObserver") return PlaceholderSpec{};
  if (name == "NoopObserver") return NoopSpec{};
  if (name == "ReuseInputObserver") return ReuseInputSpec{};
  if (name == "RecordingObserver") return RecordingSpec{};
  throw Error({.where = "observer settings", .what = fmt::format("unknown observer \"{}\"", name)});
}

}  // namespace

Json to_json(const ObserverOptions& options) {
  Json json = {{"dtype", dtype_name(options.dtype)},
               {"qscheme", qscheme_name(options.qscheme)},
               {"ch_axis", options.ch_axis},
               {"is_dynamic", options.is_dynamic}};
  if (options.quant_range) {
    json["quant_min"] = options.quant_range->min;
    json["quant_max"] = options.quant_range->max;
  }
  return json;
}

ObserverOptions observer_options_from_json(const Json& json) {
  ObserverOptions options{
      .dtype = known(dtype_from_name(json.at("dtype").get<std::string>()), json.at("dtype"), "dtype"),
      .qscheme = known(qscheme_from_name(json.at("qscheme").get<std::string>()), json.at("qscheme"), "qscheme"),
      .ch_axis = json.at("ch_axis"),
      .is_dynamic = json.at("is_dynamic")};
  if (json.contains("quant_min")) options.quant_range = QuantRange{json.at("quant_min"), json.at("quant_max")};
  return options;
}

Json to_json(const ObserverSpec& spec) {
  Json json = {{"observer", std::visit(TypeToJson{}, spec.type)},
               {"eps", spec.eps},
               {"reduce_range", spec.reduce_range},
               {"use_grad_scaling", spec.use_grad_scaling}};
  for (const auto& [type, name] : kFakeQuantizeNames) {
    if (type == spec.fake_quantize) json["fake_quantize"] = name;
  }
  return json;
}

ObserverSpec observer_spec_from_json(const Json& json) {
  ObserverSpec spec{.type = type_from_json(json.at("observer")),
                    .eps = json.at("eps"),
                    .reduce_range = json.at("reduce_range"),
                    .use_grad_scaling = json.at("use_grad_scaling")};
  for (const auto& [type, name] : kFakeQuantizeNames) {
    if (json.at("fake_quantize") == name) spec.fake_quantize = type;
  }
  return spec;
}

Json to_json(const QuantizationReport& report) {
  Json json = {{"annotated_nodes", report.annotated_nodes},
               {"quantized_layers", report.quantized_layers()},
               {"percent_of_weight_bytes", report.percent_of_weight_bytes()},
               {"percent_of_macs", report.percent_of_macs()},
               {"layers", Json::array()},
               {"refusals", Json::array()}};
  for (const LayerReport& layer : report.layers) {
    json["layers"].push_back({{"node", layer.node},
                              {"module_path", layer.module_path},
                              {"op", layer.op},
                              {"quantized", layer.quantized},
                              {"scheme", layer.scheme},
                              {"reason", layer.reason},
                              {"weight_bytes", layer.weight_bytes},
                              {"macs", layer.macs}});
  }
  for (const Refusal& refusal : report.refusals) {
    json["refusals"].push_back({{"node", refusal.node}, {"reason", refusal.reason}});
  }
  return json;
}

QuantizationReport report_from_json(const Json& json) {
  QuantizationReport report;
  report.annotated_nodes = json.at("annotated_nodes");
  for (const Json& layer : json.at("layers")) {
    report.layers.push_back({.node = layer.at("node"),
                             .module_path = layer.at("module_path"),
                             .op = layer.at("op"),
                             .quantized = layer.at("quantized"),
                             .scheme = layer.at("scheme"),
                             .reason = layer.at("reason"),
                             .weight_bytes = layer.at("weight_bytes"),
                             .macs = layer.at("macs")});
  }
  for (const Json& refusal : json.at("refusals")) {
    report.refusals.push_back({refusal.at("node"), refusal.at("reason")});
  }
  return report;
}

}  // namespace torquant
