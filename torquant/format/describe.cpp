#include "torquant/format/describe.h"

namespace torquant::format {

std::string_view kind_of(const Operation& operation) {
  // In the order of the variant.
  constexpr std::string_view kNames[] = {"Quantize",          "Dequantize",  "Layer",   "MaxPool",
                                         "GlobalAveragePool", "AveragePool", "Add",     "Multiply",
                                         "MapCodes",          "Concat",      "Flatten", "Rearrange"};
  static_assert(std::size(kNames) == std::variant_size_v<Operation>);
  return kNames[operation.index()];
}

int64_t multiply_accumulates(const Model& model, const Operation& operation) {
  const auto* layer = std::get_if<Layer>(&operation);
  if (layer == nullptr) return 0;
  int64_t outputs = 1;
  for (size_t i = 1; i < model.values[layer->output].sizes.size(); ++i) outputs *= model.values[layer->output].sizes[i];
  const int64_t depth = layer->depthwise ? 1 : model.values[layer->input].sizes[1] / layer->groups;
  return outputs * depth * layer->windows.taps();
}

int64_t weight_bytes(const Operation& operation) {
  if (const auto* map = std::get_if<MapCodes>(&operation)) return static_cast<int64_t>(map->table.size_bytes());
  const auto* layer = std::get_if<Layer>(&operation);
  if (layer == nullptr) return 0;
  return static_cast<int64_t>(layer->weights.size_bytes() + layer->pairs_fit.size_bytes() + layer->start.size_bytes() +
                              layer->multiplier.size_bytes() + layer->offset.size_bytes());
}

}  // namespace torquant::format
