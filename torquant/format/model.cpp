#include "torquant/format/model.h"

#include "torquant/format/at_length.h"
#include "torquant/format/node_rules.h"

namespace torquant::format {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

// And one more where it is there.
std::vector<ValueIndex> with(std::vector<ValueIndex> inputs, int64_t more) {
  if (more >= 0) inputs.push_back(static_cast<ValueIndex>(more));
  return inputs;
}

// Constants have no batch: sums and products repeat them over it, attention its mask, rotations
// their angles.
std::string constant_problem(const Model& model, const Operation& operation) {
  if (std::holds_alternative<FloatBinary>(operation)) return "";
  const auto* attention = std::get_if<Attention>(&operation);
  const auto* rotate = std::get_if<Rotate>(&operation);
  for (const ValueIndex input : inputs_of(operation)) {
    const bool is_mask = attention != nullptr && attention->mask == int64_t{input};
    const bool is_angle = rotate != nullptr && rotate->input.of != input;
    if (model.values[input].is_constant() && !is_mask && !is_angle)
      return "reads a constant, which sums, products, masks and angles alone may be";
  }
  return "";
}

Result<void> check_name(const std::string& name) {
  if (name.size() <= kMostOfName) return {};
  return ErrorText{.where = name.substr(0, 40) + "…",
                   .what = "is a name of more than " + std::to_string(kMostOfName) + " bytes"};
}

Result<void> check_value(const Value& value, int64_t batch) {
  const auto error = [&](const std::string& what) { return ErrorText{.where = "value " + value.name, .what = what}; };
  if (value.sizes.size() < 2 || value.sizes.size() > kMostSizes) {
    return error("has sizes " + text_of(value.sizes) + ", not [N, C], [N, C, L], [N, C, H, W] or [N, C, D, H, W]");
  }
  if (!value.growth.empty()) return error("grows in a model of one length");
  if (value.sizes[0] != batch && !value.is_constant())
    return error("has sizes " + text_of(value.sizes) + " in a model for batches of " + std::to_string(batch));
  int64_t elements = 1;
  for (const int64_t size : value.sizes) {
    if (size < 1 || size > kMostElements / elements) return error("has sizes " + text_of(value.sizes));
    elements *= size;
  }
  if (value.is_constant() &&
      (value.type != ValueType::kFloat32 || value.constant.size() != static_cast<size_t>(elements)))
    return error("holds " + std::to_string(value.constant.size()) + " floats, not " + std::to_string(elements));
  const bool grid_holds =
      value.grid.scale > 0 && value.grid.scale < 1e30 && value.grid.zero_point >= 0 && value.grid.zero_point <= 255;
  if (value.type == ValueType::kUint8 && !grid_holds)
    return error("has no scale above 0, or a zero point outside 0 to 255");
  return {};
}

}  // namespace

PackedShape packed_shape(const Layer& layer, int64_t inputs, int64_t channels) {
  return {.channels = static_cast<size_t>(channels / layer.groups),
          .inputs = static_cast<size_t>(inputs / layer.groups),
          .kernel_height = static_cast<size_t>(layer.windows.planes.kernel * layer.windows.kernel[0]),
          .kernel_width = static_cast<size_t>(layer.windows.kernel[1]),
          .whole_rows = layer.windows.dilation[1] == 1 && layer.groups == 1};
}

PackedFloatsShape packed_shape(const FloatLayer& layer, int64_t inputs, int64_t channels) {
  return {.channels = static_cast<size_t>(channels / layer.groups),
          .inputs = layer.depthwise ? 1 : static_cast<size_t>(inputs / layer.groups),
          .taps = static_cast<size_t>(layer.windows.taps())};
}

FloatImage float_image_of(const Value& value) {
  const size_t rank = value.sizes.size();
  const auto size = [&](size_t from_behind) { return rank > from_behind ? value.sizes[rank - from_behind] : 1; };
  return {.depth = size(4), .height = size(3), .width = size(2), .channels = value.sizes.back()};
}

std::vector<ValueIndex> inputs_of(const Operation& operation) {
  return std::visit(
      Overloaded{[](const Add& node) { return std::vector{node.a, node.b}; },
                 [](const Multiply& node) { return std::vector{node.a, node.b}; },
                 [](const FloatBinary& node) { return std::vector{node.a, node.b}; },
                 [](const Concat& node) { return node.inputs; },
                 [](const Layer& node) { return with({node.input}, node.residual); },
                 [](const FloatLayer& node) { return with({node.input}, node.residual); },
                 [](const Normalize& node) { return with({node.input}, node.residual); },
                 [](const Rotate& node) { return std::vector{node.input.of, node.cos, node.sin}; },
                 [](const Attention& node) { return with({node.query.of, node.key.of, node.value.of}, node.mask); },
                 [](const auto& node) { return std::vector{node.input}; }},
      operation);
}

ValueIndex output_of(const Operation& operation) {
  return std::visit([](const auto& node) { return node.output; }, operation);
}

Result<void> check_model(const Model& model) {
  if (model.least_batch < 1 || model.most_batch < model.least_batch)
    return ErrorText{
        .where = "model",
        .what = "takes batches of " + std::to_string(model.least_batch) + " to " + std::to_string(model.most_batch)};
  if (model.least_length < 1 || model.most_length < model.least_length || model.most_length > kMostLength)
    return ErrorText{
        .where = "model",
        .what = "takes lengths of " + std::to_string(model.least_length) + " to " + std::to_string(model.most_length),
        .allowed = "1 to " + std::to_string(kMostLength)};
  if (model.values.size() > kMostNodes || model.nodes.size() > kMostNodes) {
    return ErrorText{.where = "model",
                     .what = "has " + std::to_string(model.nodes.size()) + " nodes and " +
                             std::to_string(model.values.size()) + " values",
                     .allowed = "up to " + std::to_string(kMostNodes)};
  }
  if (model.has_length()) {
    for (const int64_t length : {model.least_length, model.most_length}) {
      if (const Result<ModelOfLength> made = at_length(model, length); !made.ok()) return made.error();
    }
    return {};
  }
  for (const Node& node : model.nodes) {
    if (Result<void> checked = check_name(node.name); !checked.ok()) return checked;
  }
  for (const Value& value : model.values) {
    if (Result<void> checked = check_name(value.name); !checked.ok()) return checked;
    if (Result<void> checked = check_value(value, model.least_batch); !checked.ok()) return checked;
  }
  std::vector<bool> given;
  for (const Value& value : model.values) given.push_back(value.is_constant());
  for (const ValueIndex input : model.inputs) {
    if (input >= given.size() || given[input])
      return ErrorText{.where = "inputs", .what = "name no value, or one twice"};
    given[input] = true;
  }
  for (const Node& node : model.nodes) {
    for (const ValueIndex input : inputs_of(node.operation)) {
      if (input >= given.size() || !given[input])
        return ErrorText{.where = "node " + node.name, .what = "reads a value that nothing before it gives"};
    }
    if (const std::string problem = constant_problem(model, node.operation); !problem.empty())
      return ErrorText{.where = "node " + node.name, .what = problem};
    const ValueIndex output = output_of(node.operation);
    if (output >= given.size() || given[output])
      return ErrorText{.where = "node " + node.name, .what = "gives no value, or one that is there already"};
    given[output] = true;
    const std::string problem = node_problem(model, node.operation);
    if (!problem.empty()) return ErrorText{.where = "node " + node.name, .what = problem};
  }
  if (model.inputs.empty() || model.outputs.empty())
    return ErrorText{.where = "model", .what = "has no inputs or no outputs"};
  for (const ValueIndex input : model.inputs) given[input] = false;
  for (const ValueIndex output : model.outputs) {
    if (output >= given.size() || !given[output])
      return ErrorText{.where = "outputs", .what = "name a value that no node gives, or one twice"};
    given[output] = false;
  }
  return {};
}

}  // namespace torquant::format
