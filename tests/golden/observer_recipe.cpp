#include "observer_recipe.h"

#include <map>
#include <regex>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

#include "torquant/core/dtype.h"
#include "torquant/core/granularity.h"

namespace torquant::golden {
namespace {

using Json = nlohmann::json;

// torch.quint8 and its kin are the same codes as ours; quint4x2 is two uint4 a byte.
DType dtype_of_name(const std::string& name) {
  static const std::map<std::string, DType> kLegacy = {
      {"quint8", DType::kUInt8}, {"qint8", DType::kInt8}, {"qint32", DType::kInt32}, {"quint4x2", DType::kUInt4}};
  const auto legacy = kLegacy.find(name);
  if (legacy != kLegacy.end()) return legacy->second;
  const auto dtype = dtype_from_name(name);
  if (!dtype) throw std::runtime_error("golden case: unknown dtype " + name);
  return *dtype;
}

// "PerGroup(group_size=8)", "PerBlock(block_size=(2, 16))" and so on, as torchao prints them.
Granularity granularity_of(const std::string& text) {
  std::vector<int64_t> numbers;
  const std::regex number("-?[0-9]+");
  for (auto it = std::sregex_iterator(text.begin(), text.end(), number); it != std::sregex_iterator(); ++it) {
    numbers.push_back(std::stoll(it->str()));
  }
  if (text.starts_with("PerTensor")) return PerTensor{};
  if (text.starts_with("PerAxis")) return PerAxis{numbers.at(0)};
  if (text.starts_with("PerGroup")) return PerGroup{numbers.at(0)};
  if (text.starts_with("PerRow")) return PerRow{numbers.empty() ? -1 : numbers[0]};
  if (text.starts_with("PerToken")) return PerToken{};
  if (text.starts_with("PerBlock")) return PerBlock{numbers};
  throw std::runtime_error("golden case: unknown granularity " + text);
}

MappingType mapping_of(const std::string& text) {
  if (text == "SYMMETRIC") return MappingType::kSymmetric;
  if (text == "SYMMETRIC_NO_CLIPPING_ERR") return MappingType::kSymmetricNoClippingErr;
  if (text == "ASYMMETRIC") return MappingType::kAsymmetric;
  throw std::runtime_error("golden case: unknown mapping type " + text);
}

AffineSpec affine_of(const Json& params, at::ScalarType zero_point_dtype) {
  AffineSpec affine = {.mapping_type = mapping_of(params.at("mapping_type")),
                       .granularity = granularity_of(params.at("granularity")),
                       .zero_point_dtype = zero_point_dtype};
  if (params.contains("eps")) affine.eps = params["eps"].get<double>();
  return affine;
}

ObserverType type_of(const std::string& name, const Json& params) {
  const double constant = params.value("averaging_constant", 0.01);
  if (name == "MinMaxObserver") return MinMaxSpec{};
  if (name == "MovingAverageMinMaxObserver") return MovingAverageMinMaxSpec{constant};
  if (name == "PerChannelMinMaxObserver") return PerChannelMinMaxSpec{};
  if (name == "MovingAveragePerChannelMinMaxObserver") return MovingAveragePerChannelMinMaxSpec{constant};
  if (name == "HistogramObserver") return HistogramSpec{params.value("bins", int64_t{2048})};
  if (name == "FixedQParamsObserver" || name == "FixedQParamsFakeQuantize") {
    return FixedQParamsSpec{params.at("scale"), params.at("zero_point")};
  }
  if (name == "PlaceholderObserver") return PlaceholderSpec{};
  if (name == "NoopObserver") return NoopSpec{};
  if (name == "ReuseInputObserver") return ReuseInputSpec{};
  if (name == "RecordingObserver") return RecordingSpec{};
  // Where no zero_point_dtype is asked for: the data's in torchao.quantization.pt2e; in quantization.observer the
  // data's where symmetric, else int32.
  const auto zero_point_dtype = [&] { return params.at("mapping_type") == "ASYMMETRIC" ? at::kInt : at::kFloat; };
  if (name == "AffineQuantizedMinMaxObserver") return AffineMinMaxSpec{affine_of(params, at::kFloat)};
  if (name == "AffineQuantizedMovingAverageMinMaxObserver") {
    return AffineMovingAverageMinMaxSpec{affine_of(params, at::kFloat), constant};
  }
  if (name == "quantization.observer.AffineQuantizedMinMaxObserver") {
    return AffineMinMaxSpec{affine_of(params, zero_point_dtype())};
  }
  if (name == "quantization.observer.AffineQuantizedMSEObserver") {
    return AffineMSESpec{affine_of(params, zero_point_dtype()), params.at("steps"), params.at("run_once")};
  }
  if (name == "quantization.observer.AffineQuantizedFixedQParamObserver") {
    return AffineFixedQParamSpec{affine_of(params, at::kFloat)};
  }
  throw std::runtime_error("golden case: the observer " + name + " has no runner");
}

// Ready-made observers of torch.ao.quantization.observer, whose cases have no parameters.
const std::map<std::string, std::pair<std::string, Json>>& ready_made() {
  static const std::map<std::string, std::pair<std::string, Json>> kReadyMade = {
      {"default_observer", {"MinMaxObserver", {{"quant_min", 0}, {"quant_max", 127}}}},
      {"default_histogram_observer", {"HistogramObserver", {{"quant_min", 0}, {"quant_max", 127}}}},
      {"default_weight_observer", {"MinMaxObserver", {{"dtype", "qint8"}, {"qscheme", "per_tensor_symmetric"}}}},
      {"weight_observer_range_neg_127_to_127",
       {"MinMaxObserver",
        {{"dtype", "qint8"},
         {"qscheme", "per_tensor_symmetric"},
         {"quant_min", -127},
         {"quant_max", 127},
         {"eps", 0x1p-12}}}},
      {"default_per_channel_weight_observer",
       {"PerChannelMinMaxObserver", {{"dtype", "qint8"}, {"qscheme", "per_channel_symmetric"}}}},
      {"per_channel_weight_observer_range_neg_127_to_127",
       {"PerChannelMinMaxObserver",
        {{"dtype", "qint8"},
         {"qscheme", "per_channel_symmetric"},
         {"quant_min", -127},
         {"quant_max", 127},
         {"eps", 0x1p-12}}}},
      {"default_float_qparams_observer",
       {"PerChannelMinMaxObserver", {{"qscheme", "per_channel_affine_float_qparams"}}}},
      {"default_float_qparams_observer_4bit",
       {"PerChannelMinMaxObserver", {{"dtype", "quint4x2"}, {"qscheme", "per_channel_affine_float_qparams"}}}},
      {"default_fixed_qparams_range_neg1to1_observer",
       {"FixedQParamsObserver", {{"scale", 2.0 / 256}, {"zero_point", 128}}}},
      {"default_fixed_qparams_range_0to1_observer",
       {"FixedQParamsObserver", {{"scale", 1.0 / 256}, {"zero_point", 0}}}},
      {"default_dynamic_quant_observer", {"PlaceholderObserver", {{"is_dynamic", true}}}},
      {"default_placeholder_observer", {"PlaceholderObserver", Json::object()}},
      {"default_reuse_input_observer", {"ReuseInputObserver", Json::object()}},
      {"default_debug_observer", {"RecordingObserver", Json::object()}},
  };
  return kReadyMade;
}

template <class T>
T value_or(const Json& params, const char* name, T otherwise) {
  return params.contains(name) && !params[name].is_null() ? params[name].get<T>() : otherwise;
}

}  // namespace

ObserverRecipe observer_recipe_of(std::string name, Json params) {
  if (name.starts_with("torch.ao.")) name = name.substr(9);
  const auto known = ready_made().find(name);
  if (known != ready_made().end()) std::tie(name, params) = known->second;

  ObserverRecipe recipe;
  if (name.ends_with("FakeQuantize")) {
    recipe.spec.fake_quantize = name.starts_with("Fused")       ? FakeQuantizeType::kFused
                                : name.starts_with("Learnable") ? FakeQuantizeType::kLearnable
                                                                : FakeQuantizeType::kPlain;
    name = value_or<std::string>(params, "observer", name);
  }
  recipe.spec.type = type_of(name, params);
  recipe.spec.eps = static_cast<float>(value_or<double>(params, "eps", kObserverEps));
  recipe.spec.reduce_range = value_or(params, "reduce_range", false);
  recipe.spec.use_grad_scaling = value_or(params, "use_grad_scaling", false);
  recipe.options.dtype = dtype_of_name(
      value_or<std::string>(params, params.contains("target_dtype") ? "target_dtype" : "dtype", "quint8"));
  recipe.options.ch_axis = value_or<int64_t>(params, "ch_axis", 0);
  recipe.options.is_dynamic = value_or(params, "is_dynamic", false);
  const bool channels = name.find("PerChannel") != std::string::npos;
  recipe.options.qscheme =
      qscheme_from_name(value_or<std::string>(params, "qscheme", channels ? "per_channel_affine" : "per_tensor_affine"))
          .value();
  if (params.contains("quant_min") && !params["quant_min"].is_null()) {
    recipe.options.quant_range = {{params["quant_min"].get<int64_t>(), params["quant_max"].get<int64_t>()}};
  }
  return recipe;
}

}  // namespace torquant::golden
