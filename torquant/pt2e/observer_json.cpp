#include "torquant/pt2e/observer_json.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "torquant/core/error.h"
#include "torquant/io/pt2_json.h"

namespace torquant {
namespace {

using Json = nlohmann::json;
using pt2::bool_at;
using pt2::int_at;
using pt2::member;
using pt2::string_at;

[[noreturn]] void refuse_unknown(const char* what, const std::string& name) {
  throw Error({.where = "observer settings", .what = fmt::format("unknown {} \"{}\"", what, name)});
}

template <typename T>
T known(const std::optional<T>& value, const char* what, const std::string& name) {
  if (value) return *value;
  refuse_unknown(what, name);
}

double double_at(const Json& json, const char* key) { return pt2::to_double(member(json, key)); }

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

// A number that float32 holds: JSON has larger ones, and PyTorch writes infinities as text.
double finite_at(const Json& json, const char* name) {
  const double number = double_at(json, name);
  if (std::fabs(number) <= std::numeric_limits<float>::max()) return number;
  throw Error({.where = "observer settings",
               .what = fmt::format("{} is {}", name, number),
               .allowed = "a finite number of float32"});
}

ObserverType type_from_json(const Json& json) {
  const std::string name = string_at(json, "name");
  if (name == "MinMaxObserver") return MinMaxSpec{};
  if (name == "MovingAverageMinMaxObserver") return MovingAverageMinMaxSpec{finite_at(json, "averaging_constant")};
  if (name == "PerChannelMinMaxObserver") return PerChannelMinMaxSpec{};
  if (name == "MovingAveragePerChannelMinMaxObserver") {
    return MovingAveragePerChannelMinMaxSpec{finite_at(json, "averaging_constant")};
  }
  if (name == "HistogramObserver") return HistogramSpec{int_at(json, "bins")};
  if (name == "FixedQParamsObserver") return FixedQParamsSpec{finite_at(json, "scale"), int_at(json, "zero_point")};
  if (name == "PlaceholderObserver") return PlaceholderSpec{};
  if (name == "NoopObserver") return NoopSpec{};
  if (name == "ReuseInputObserver") return ReuseInputSpec{};
  if (name == "RecordingObserver") return RecordingSpec{};
  refuse_unknown("observer", name);
}

FakeQuantizeType fake_quantize_from_json(const std::string& wanted) {
  for (const auto& [type, name] : kFakeQuantizeNames) {
    if (wanted == name) return type;
  }
  refuse_unknown("fake_quantize", wanted);
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
  const std::string dtype = string_at(json, "dtype");
  const std::string qscheme = string_at(json, "qscheme");
  ObserverOptions options{.dtype = known(dtype_from_name(dtype), "dtype", dtype),
                          .qscheme = known(qscheme_from_name(qscheme), "qscheme", qscheme),
                          .ch_axis = int_at(json, "ch_axis"),
                          .is_dynamic = bool_at(json, "is_dynamic")};
  if (json.contains("quant_min"))
    options.quant_range = QuantRange{int_at(json, "quant_min"), int_at(json, "quant_max")};
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
  return {.type = type_from_json(member(json, "observer")),
          .eps = static_cast<float>(finite_at(json, "eps")),
          .reduce_range = bool_at(json, "reduce_range"),
          .fake_quantize = fake_quantize_from_json(string_at(json, "fake_quantize")),
          .use_grad_scaling = bool_at(json, "use_grad_scaling")};
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
  return {.layers = pt2::read_list<LayerReport>(member(json, "layers"),
                                                [](const Json& layer) -> LayerReport {
                                                  return {.node = string_at(layer, "node"),
                                                          .module_path = string_at(layer, "module_path"),
                                                          .op = string_at(layer, "op"),
                                                          .quantized = bool_at(layer, "quantized"),
                                                          .scheme = string_at(layer, "scheme"),
                                                          .reason = string_at(layer, "reason"),
                                                          .weight_bytes = int_at(layer, "weight_bytes"),
                                                          .macs = int_at(layer, "macs")};
                                                }),
          .refusals = pt2::read_list<Refusal>(member(json, "refusals"),
                                              [](const Json& refusal) -> Refusal {
                                                return {string_at(refusal, "node"), string_at(refusal, "reason")};
                                              }),
          .annotated_nodes = static_cast<size_t>(int_at(json, "annotated_nodes"))};
}

}  // namespace torquant
