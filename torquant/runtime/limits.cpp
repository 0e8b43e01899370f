#include "torquant/runtime/limits.h"

#include <algorithm>
#include <string>

#include "torquant/format/describe.h"

namespace torquant::runtime {
namespace {

constexpr double kLeastWork = 256;  // a number that is only moved takes about as long as so many multiplications

double elements_of(const format::Value& value) {
  double elements = 1;
  for (size_t i = 1; i < value.sizes.size(); ++i) elements *= static_cast<double>(value.sizes[i]);
  return elements;
}

// Multiplications, or comparisons, for each number of a node's output.
double depth_of(const format::Model& model, const format::Operation& operation) {
  const auto taps = [](const format::Windows& windows) { return static_cast<double>(windows.taps()); };
  if (const auto* layer = std::get_if<format::Layer>(&operation)) {
    const auto channels = static_cast<double>(model.values[layer->input].sizes[1]);
    return taps(layer->windows) * (layer->depthwise ? 1 : channels / static_cast<double>(layer->groups));
  }
  if (const auto* linear = std::get_if<format::DynamicLinear>(&operation))
    return static_cast<double>(model.values[linear->input].sizes.back());
  if (const auto* layer = std::get_if<format::FloatLayer>(&operation)) {
    const auto channels = static_cast<double>(model.values[layer->input].sizes.back());
    return taps(layer->windows) * (layer->depthwise ? 1 : channels / static_cast<double>(layer->groups));
  }
  if (const auto* pool = std::get_if<format::FloatPool>(&operation)) return taps(pool->windows);
  if (const auto* attention = std::get_if<format::Attention>(&operation)) {  // and an exponential for each score
    const auto keys = static_cast<double>(model.values[attention->key.of].sizes[1]);
    return keys * (2 + kLeastWork / static_cast<double>(attention->head_size));
  }
  if (const auto* pool = std::get_if<format::MaxPool>(&operation)) return taps(pool->windows);
  const auto* pool = std::get_if<format::AveragePool>(&operation);
  return pool == nullptr ? 1 : taps(pool->windows);
}

// In double: the numbers of a made-up file may be too large for 64 bits.
double bytes_of(const Place& place) {
  const auto size = [](size_t number) { return static_cast<double>(number); };
  return size(place.batch) * size(place.front + place.depth + place.back) *
         size(place.top + place.height + place.bottom) * size(place.left + place.width + place.right) *
         size(place.pixel_bytes);
}

std::string text_of(double number) { return std::to_string(number).substr(0, std::to_string(number).find('.')); }

ErrorText too_much(size_t batch, const std::string& what, double allowed) {
  return {
      .where = "batch of " + std::to_string(batch), .what = "needs " + what, .allowed = "up to " + text_of(allowed)};
}

}  // namespace

double work_of(const format::Model& model, size_t batch) {
  double work = 0;
  for (const format::Node& node : model.nodes) {
    const double outputs = elements_of(model.values[output_of(node.operation)]);
    work += outputs * std::max(kLeastWork, depth_of(model, node.operation));
    for (const format::ValueIndex input : inputs_of(node.operation))
      work += elements_of(model.values[input]) * kLeastWork;
  }
  return work * static_cast<double>(batch);
}

Result<void> check_limits(const format::Model& model, const MemoryPlan& plan) {
  for (size_t i = 0; i < plan.places.size(); ++i) {
    const double bytes = bytes_of(plan.places[i]);
    if (bytes <= static_cast<double>(kMostArena)) continue;
    return too_much(plan.batch, text_of(bytes) + " bytes for value " + model.values[i].name, kMostArena);
  }
  if (plan.arena_bytes > kMostArena) {
    return too_much(plan.batch, std::to_string(plan.arena_bytes) + " bytes at a time", kMostArena);
  }
  size_t pixels = 0;
  for (const format::Node& node : model.nodes) {
    if (std::holds_alternative<format::FloatLayer>(node.operation)) {
      const std::vector<int64_t>& sizes = model.values[output_of(node.operation)].sizes;
      pixels += plan.batch * static_cast<size_t>(elements_of(model, node.operation) / sizes.back());
    }
    if (computes_in_float(node.operation)) continue;  // without tables
    const Place& output = plan.places[output_of(node.operation)];
    pixels += output.pixels() == 1 ? output.batch : output.height * output.width;
    if (std::holds_alternative<format::Rearrange>(node.operation)) pixels += output.channels * output.pixels() / 3;
  }
  if (pixels > kMostPixels)
    return too_much(plan.batch, "tables for " + std::to_string(pixels) + " pixels", kMostPixels);
  const double work = work_of(model, plan.batch);
  if (work > kMostWork) return too_much(plan.batch, text_of(work) + " multiplications", kMostWork);
  return {};
}

}  // namespace torquant::runtime
