#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>

#include <torch/csrc/autograd/autograd.h>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/sum.h>

#include "golden.h"
#include "observer_recipe.h"
#include "torquant/core/error.h"
#include "torquant/observer/fake_quantize.h"
#include "torquant/observer/learnable_fake_quantize.h"

namespace torquant::golden {
namespace {

using Json = nlohmann::json;

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
    const ObserverRecipe recipe = observer_recipe_of(golden.op(), golden.params());
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
