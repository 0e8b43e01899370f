#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>

#include <torch/csrc/autograd/autograd.h>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/sum.h>

#include "golden.h"
#include "torquant/core/error.h"
#include "torquant/observer/fake_quantize.h"
#include "torquant/observer/learnable_fake_quantize.h"
#include "torquant/observer/observer_spec.h"

namespace torquant::golden {
namespace {

using Json = nlohmann::json;

struct Recipe {
  ObserverSpec spec;
  ObserverOptions options;
};

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

Recipe recipe_of(std::string name, Json params) {
  if (name.starts_with("torch.ao.")) name = name.substr(9);
  const auto known = ready_made().find(name);
  if (known != ready_made().end()) std::tie(name, params) = known->second;

  Recipe recipe;
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

// The first difference between our state and theirs, whose names begin with `prefix`.
std::optional<std::string> state_difference(const Observer::State& ours, const Case& golden, const Json& theirs,
                                            const std::string& prefix) {
  size_t compared = 0;
  for (const auto& [name, value] : theirs.items()) {
    if (!name.starts_with(prefix)) continue;
    const auto found = ours.find(name.substr(prefix.size()));
    if (found == ours.end()) return "we have no state " + name;
    if (const auto different = difference(found->second, golden.value(value))) return name + ": " + *different;
    ++compared;
  }
  if (compared != ours.size()) return fmt::format("we have {} state tensors, PyTorch {}", ours.size(), compared);
  return std::nullopt;
}

std::optional<std::string> run_observer(const Case& golden, Observer& observer) {
  const Json& json = golden.json();
  for (size_t i = 0; i < json.at("batches").size(); ++i) {
    if (i >= json.at("states").size()) break;  // PyTorch raised at this batch
    const at::Tensor x = golden.value(json["batches"][i]);
    if (!observer.observe(x).is_same(x)) return fmt::format("batch {} was not returned as it is", i);
    if (auto different = state_difference(observer.state(), golden, json["states"][i], "")) {
      return fmt::format("after batch {}: {}", i, *different);
    }
  }
  if (json.at("states").size() < json["batches"].size()) {  // let us raise, too
    observer.observe(golden.value(json["batches"][json["states"].size()]));
  }
  const TensorQParams qparams = observer.calculate_qparams();
  if (golden.error()) return fmt::format("PyTorch raised \"{}\", we gave a result", *golden.error());
  if (auto different = difference(qparams.scale, golden.value(json.at("scale")))) return "scale: " + *different;
  if (auto different = difference(qparams.zero_point, golden.value(json.at("zero_point")))) {
    return "zero_point: " + *different;
  }
  return std::nullopt;
}

void call(FakeQuantize& fake_quantize, const std::string& method) {
  if (method == "enable_observer") return fake_quantize.enable_observer();
  if (method == "disable_observer") return fake_quantize.disable_observer();
  if (method == "enable_fake_quant") return fake_quantize.enable_fake_quant();
  if (method == "disable_fake_quant") return fake_quantize.disable_fake_quant();
  auto* learnable = dynamic_cast<LearnableFakeQuantize*>(&fake_quantize);
  if (learnable != nullptr && method == "enable_range_learning") return learnable->enable_range_learning();
  throw std::runtime_error("golden case: unknown method " + method);
}

std::optional<std::string> run_step(const Case& golden, const Json& step, FakeQuantize& fake_quantize) {
  // README.md: gradients of scale and zero point are sums over the tensor.
  constexpr Closeness kSummed = {.relative = 1e-5, .absolute = 1e-6};
  for (const std::string method : step.at("calls")) call(fake_quantize, method);
  const at::Tensor input = golden.value(step.at("input")).clone().set_requires_grad(true);
  const at::Tensor output = fake_quantize.observe(input);
  if (auto different = difference(output, golden.value(step.at("output")))) return "output: " + *different;

  std::vector<at::Tensor> leaves = {input};
  if (step.contains("grad_scale")) {
    for (const at::Tensor& parameter : dynamic_cast<LearnableFakeQuantize&>(fake_quantize).parameters()) {
      leaves.push_back(parameter);
    }
  }
  const at::Tensor loss = (output * golden.value(step.at("grad_weight"))).sum();
  const auto gradients = torch::autograd::grad({loss}, leaves);
  if (auto different = difference(gradients[0], golden.value(step.at("grad")))) return "grad: " + *different;
  if (step.contains("grad_scale")) {
    if (auto d = difference(gradients[1], golden.value(step["grad_scale"]), kSummed)) return "grad_scale: " + *d;
    if (auto d = difference(gradients[2], golden.value(step["grad_zero_point"]), kSummed)) {
      return "grad_zero_point: " + *d;
    }
  }
  if (auto different = difference(fake_quantize.scale(), golden.value(step.at("scale")))) return "scale: " + *different;
  if (auto different = difference(fake_quantize.zero_point(), golden.value(step.at("zero_point")))) {
    return "zero_point: " + *different;
  }
  return state_difference(fake_quantize.observer().state(), golden, step, "state_");
}

std::optional<std::string> run_fake_quantize(const Case& golden, FakeQuantize& fake_quantize) {
  const Json& json = golden.json();
  for (size_t i = 0; i < json.at("steps").size(); ++i) {
    if (auto different = run_step(golden, json["steps"][i], fake_quantize)) {
      return fmt::format("step {}: {}", i, *different);
    }
  }
  if (golden.error()) return fmt::format("PyTorch raised \"{}\" after step {}", *golden.error(), json["steps"].size());
  const TensorQParams qparams = fake_quantize.calculate_qparams();
  if (auto different = difference(qparams.scale, golden.value(json.at("final_scale")))) {
    return "final_scale: " + *different;
  }
  if (auto different = difference(qparams.zero_point, golden.value(json.at("final_zero_point")))) {
    return "final_zero_point: " + *different;
  }
  return std::nullopt;
}

std::optional<std::string> compare(const Case& golden) {
  try {
    const Recipe recipe = recipe_of(golden.op(), golden.params());
    const ObserverPtr observer = make_observer(recipe.spec, recipe.options);
    if (golden.json().contains("steps")) {
      return run_fake_quantize(golden, dynamic_cast<FakeQuantize&>(*observer));
    }
    if (!golden.json().contains("batches")) return "PyTorch refused the parameters, we did not";
    return run_observer(golden, *observer);
  } catch (const Error& error) {
    if (golden.error()) return std::nullopt;
    return fmt::format("we raised: {}", error.what());
  }
}

TEST(GoldenObservers, EveryCase) {
  at::set_num_threads(1);  // as the data was made: sums of floats depend on it
  const auto has_op = [](const Case& golden, const std::string& name) {
    return golden.op().find(name) != std::string::npos;
  };
  run_cases("observers", compare,
            {
                {"NaN and infinity are counted and left out; PyTorch keeps them, or fails (O3)",
                 [&](const Case& golden) { return golden.tag() == "nan" || golden.tag() == "inf"; }},
                {"an observer that saw nothing has no qparams; PyTorch warns and gives scale 1 (O3)",
                 [&](const Case& golden) { return golden.tag() == "none"; }},
                {"the symmetric zero point of uint8, 128, is outside its reduced range and refused; PyTorch's "
                 "HistogramObserver gives it (O1)",
                 [&](const Case& golden) {
                   return has_op(golden, "HistogramObserver") &&
                          golden.optional_text("qscheme") == "per_tensor_symmetric" &&
                          golden.text("dtype") == "quint8" && golden.boolean("reduce_range");
                 }},
                {"the fused fake quantizer works along every axis; PyTorch's along axis 0 only (O11)",
                 [&](const Case& golden) {
                   return has_op(golden, "FusedMovingAvg") && golden.error() && golden.integer("ch_axis") != 0;
                 }},
            });
}

}  // namespace
}  // namespace torquant::golden
