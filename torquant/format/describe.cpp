#include "torquant/format/describe.h"

namespace torquant::format {

std::string_view kind_of(const Operation& operation) {
  // In the order of the variant.
  constexpr std::string_view kNames[] = {
      "Quantize", "Dequantize", "Layer",   "MaxPool",   "GlobalAveragePool", "AveragePool", "Add",       "Multiply",
      "MapCodes", "Concat",     "Flatten", "Rearrange", "FloatMap",          "FloatBinary", "FloatMean", "Softmax"};
  static_assert(std::size(kNames) == std::variant_size_v<Operation>);
  return kNames[operation.index()];
}

std::string_view name_of(FloatFunction function) {
  constexpr std::string_view kNames[kFloatFunctions] = {
      "clamp", "add",  "subtract_from", "multiply",   "divide",    "divide_into", "abs",
      "exp",   "log",  "sqrt",          "leaky_relu", "elu",       "sigmoid",     "hardsigmoid",
      "tanh",  "silu", "hardswish",     "gelu",       "gelu_tanh", "mish",        "softplus"};
  return kNames[static_cast<size_t>(function)];
}

std::string_view name_of(FloatArithmetic arithmetic) {
  constexpr std::string_view kNames[kFloatArithmetics] = {"add", "subtract", "multiply", "divide"};
  return kNames[static_cast<size_t>(arithmetic)];
}

bool computes_in_float(const Operation& operation) {
  return std::holds_alternative<FloatMap>(operation) || std::holds_alternative<FloatBinary>(operation) ||
         std::holds_alternative<FloatMean>(operation) || std::holds_alternative<Softmax>(operation);
}

std::string full_name(const Operation& operation) {
  const std::string kind(kind_of(operation));
  if (const auto* map = std::get_if<FloatMap>(&operation)) return kind + " " + std::string(name_of(map->function));
  const auto* binary = std::get_if<FloatBinary>(&operation);
  return binary == nullptr ? kind : kind + " " + std::string(name_of(binary->arithmetic));
}

int64_t elements_of(const Model& model, const Operation& operation) {
  int64_t elements = 1;
  const std::vector<int64_t>& sizes = model.values[output_of(operation)].sizes;
  for (size_t i = 1; i < sizes.size(); ++i) elements *= sizes[i];
  return elements;
}

int64_t multiply_accumulates(const Model& model, const Operation& operation) {
  const auto* layer = std::get_if<Layer>(&operation);
  if (layer == nullptr) return 0;
  const int64_t depth = layer->depthwise ? 1 : model.values[layer->input].sizes[1] / layer->groups;
  return elements_of(model, operation) * depth * layer->windows.taps();
}

int64_t weight_bytes(const Operation& operation) {
  if (const auto* map = std::get_if<MapCodes>(&operation)) return static_cast<int64_t>(map->table.size_bytes());
  const auto* layer = std::get_if<Layer>(&operation);
  if (layer == nullptr) return 0;
  return static_cast<int64_t>(layer->weights.size_bytes() + layer->pairs_fit.size_bytes() + layer->start.size_bytes() +
                              layer->multiplier.size_bytes() + layer->offset.size_bytes());
}

}  // namespace torquant::format
