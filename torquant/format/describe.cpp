#include "torquant/format/describe.h"

namespace torquant::format {

std::string_view kind_of(const Operation& operation) {
  // In the order of the variant.
  constexpr std::string_view kNames[] = {"Quantize",    "Dequantize",   "Layer",     "MaxPool",     "GlobalAveragePool",
                                         "AveragePool", "Add",          "Multiply",  "MapCodes",    "Concat",
                                         "Flatten",     "Rearrange",    "FloatMap",  "FloatBinary", "FloatMean",
                                         "Softmax",     "FromIntegers", "Embedding", "Normalize",   "DynamicLinear",
                                         "Attention",   "FloatLayer",   "FloatPool", "Rotate"};
  static_assert(std::size(kNames) == std::variant_size_v<Operation>);
  return kNames[operation.index()];
}

std::string_view name_of(FloatFunction function) {
  constexpr std::string_view kNames[kFloatFunctions] = {
      "clamp",     "add",  "subtract_from", "multiply", "divide",   "divide_into", "abs",  "exp",
      "log",       "sqrt", "leaky_relu",    "elu",      "sigmoid",  "hardsigmoid", "tanh", "silu",
      "hardswish", "gelu", "gelu_tanh",     "mish",     "softplus", "not_equal"};
  return kNames[static_cast<size_t>(function)];
}

std::string_view name_of(ValueType type) {
  constexpr std::string_view kNames[] = {"float32", "uint8", "int64"};
  return kNames[static_cast<size_t>(type)];
}

std::string_view name_of(FloatArithmetic arithmetic) {
  constexpr std::string_view kNames[kFloatArithmetics] = {"add", "subtract", "multiply", "divide"};
  return kNames[static_cast<size_t>(arithmetic)];
}

bool computes_in_float(const Operation& operation) {
  if (const auto* attention = std::get_if<Attention>(&operation)) return attention->in_float;
  return std::holds_alternative<FloatMap>(operation) || std::holds_alternative<FloatBinary>(operation) ||
         std::holds_alternative<FloatMean>(operation) || std::holds_alternative<Softmax>(operation) ||
         std::holds_alternative<Normalize>(operation) || std::holds_alternative<FloatLayer>(operation) ||
         std::holds_alternative<FloatPool>(operation) || std::holds_alternative<Rotate>(operation);
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
  if (const auto* linear = std::get_if<DynamicLinear>(&operation))
    return elements_of(model, operation) * model.values[linear->input].sizes.back();
  if (const auto* attention = std::get_if<Attention>(&operation))  // scores, and sums of values
    return 2 * elements_of(model, operation) * model.values[attention->key.of].sizes[1];
  if (const auto* layer = std::get_if<FloatLayer>(&operation)) {
    const int64_t inputs = layer->depthwise ? 1 : model.values[layer->input].sizes.back() / layer->groups;
    return elements_of(model, operation) * inputs * layer->windows.taps();
  }
  const auto* layer = std::get_if<Layer>(&operation);
  if (layer == nullptr) return 0;
  const int64_t depth = layer->depthwise ? 1 : model.values[layer->input].sizes[1] / layer->groups;
  return elements_of(model, operation) * depth * layer->windows.taps();
}

namespace {

struct WeightBytes {
  size_t operator()(const MapCodes& node) const { return node.table.size_bytes(); }
  size_t operator()(const Layer& node) const {
    return node.weights.size_bytes() + node.pairs_fit.size_bytes() + node.start.size_bytes() +
           node.multiplier.size_bytes() + node.offset.size_bytes();
  }
  size_t operator()(const DynamicLinear& node) const {
    return node.weights.size_bytes() + node.pairs_fit.size_bytes() + node.column_sum.size_bytes() +
           node.multiplier.size_bytes() + node.offset.size_bytes();
  }
  size_t operator()(const FloatLayer& node) const { return node.weights.size_bytes() + node.bias.size_bytes(); }
  size_t operator()(const Embedding& node) const { return node.table.size_bytes(); }
  size_t operator()(const Normalize& node) const { return node.weight.size_bytes() + node.bias.size_bytes(); }
  size_t operator()(const auto&) const { return 0; }
};

}  // namespace

int64_t weight_bytes(const Operation& operation) { return static_cast<int64_t>(std::visit(WeightBytes{}, operation)); }

}  // namespace torquant::format
