#include "torquant/format/float_rules.h"

#include <cmath>

#include "torquant/core/packed_weights.h"

namespace torquant::format {
namespace {

// 255 * 128 times as many are an integer of 32 bits.
constexpr int64_t kMostInputs = 65536;
// 128 rows of so many floats are within 32 bits.
constexpr int64_t kMostOutputs = int64_t{1} << 21;

}  // namespace

std::string FloatRules::operator()(const FloatMap& node) const {
  if (!on_floats({node.input, node.output})) return kTypes;
  if (static_cast<size_t>(node.function) >= kFloatFunctions)
    return "has function " + std::to_string(static_cast<int>(node.function)) + ", which this version does not know";
  return same_sizes(node.input, node.output);
}

std::string FloatRules::operator()(const FloatBinary& node) const {
  if (!on_floats({node.a, node.b, node.output})) return kTypes;
  if (static_cast<size_t>(node.arithmetic) >= kFloatArithmetics) {
    return "has arithmetic " + std::to_string(static_cast<int>(node.arithmetic)) + ", which this version does not know";
  }
  const std::vector<int64_t>&a = value(node.a).sizes, &b = value(node.b).sizes, &out = value(node.output).sizes;
  if (a.size() != out.size()) return sizes_of(node.a, node.output);
  if (b.size() != out.size()) return sizes_of(node.b, node.output);
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i] != std::max(a[i], b[i]) || (a[i] != out[i] && a[i] != 1)) return sizes_of(node.a, node.output);
    if (b[i] != out[i] && b[i] != 1) return sizes_of(node.b, node.output);
  }
  return "";
}

std::string FloatRules::operator()(const FloatMean& node) const {
  if (!on_floats({node.input, node.output})) return kTypes;
  const bool fits = elements(node.input) % elements(node.output) == 0 && batch(node.input) == batch(node.output);
  return fits ? "" : sizes_of(node.input, node.output);
}

std::string FloatRules::operator()(const Softmax& node) const {
  if (!on_floats({node.input, node.output})) return kTypes;
  if (node.dim < 1 || node.dim >= value(node.input).sizes.size())
    return "is along dimension " + std::to_string(node.dim) + " of " + text_of(value(node.input).sizes);
  return same_sizes(node.input, node.output);
}

std::string FloatRules::operator()(const FromIntegers& node) const {
  if (!on(ValueType::kInt64, {node.input}) || !on_floats({node.output})) return kTypes;
  return same_sizes(node.input, node.output);
}

std::string FloatRules::operator()(const Embedding& node) const {
  if (!on(ValueType::kInt64, {node.input}) || !on_floats({node.output})) return kTypes;
  std::vector<int64_t> sizes = value(node.input).sizes;
  const int64_t columns = value(node.output).sizes.back();
  sizes.push_back(columns);
  if (sizes != value(node.output).sizes) return sizes_of(node.input, node.output);
  const bool has_rows = !node.table.empty() && node.table.size() % static_cast<size_t>(columns) == 0;
  return has_rows ? "" : "has a table of " + std::to_string(node.table.size()) + " floats";
}

std::string FloatRules::operator()(const Normalize& node) const {
  if (!on_floats({node.input, node.output})) return kTypes;
  const auto columns = static_cast<size_t>(value(node.input).sizes.back());
  for (const std::span<const float> numbers : {node.weight, node.bias}) {
    if (!numbers.empty() && numbers.size() != columns) return "has " + std::to_string(numbers.size()) + " weights";
  }
  if (!(node.epsilon >= 0) || !std::isfinite(node.epsilon)) return "has an epsilon below 0, or none";
  if (node.residual >= 0) {
    const auto residual = static_cast<ValueIndex>(node.residual);
    if (!on_floats({residual})) return kTypes;
    if (const std::string problem = same_sizes(residual, node.output); !problem.empty()) return problem;
  }
  return same_sizes(node.input, node.output);
}

std::string FloatRules::operator()(const DynamicLinear& node) const {
  if (!on_floats({node.input, node.output})) return kTypes;
  std::vector<int64_t> sizes = value(node.output).sizes;
  const auto channels = static_cast<size_t>(sizes.back());
  sizes.back() = value(node.input).sizes.back();
  if (sizes != value(node.input).sizes) return sizes_of(node.input, node.output);
  const PackedShape shape{.channels = channels, .inputs = static_cast<size_t>(sizes.back())};
  if (node.weights.size() != shape.bytes()) {
    return "has " + std::to_string(node.weights.size()) + " bytes of weights, not " + std::to_string(shape.bytes());
  }
  const size_t padded = shape.panels() * 16;
  if (node.pairs_fit.size() != shape.panels() || node.column_sum.size() != padded || node.multiplier.size() != padded ||
      node.offset.size() != padded) {
    return "has other numbers than " + std::to_string(padded) + " for each of its channels";
  }
  const int64_t most_of_sum = 128 * sizes.back();
  const auto in_range = [&](int32_t sum) { return sum >= -most_of_sum && sum <= most_of_sum; };
  if (value(node.output).sizes.back() > kMostOutputs)
    return "has " + std::to_string(channels) + " outputs, not up to " + std::to_string(kMostOutputs);
  if (sizes.back() > kMostInputs || !std::all_of(node.column_sum.begin(), node.column_sum.end(), in_range))
    return "has " + std::to_string(sizes.back()) + " inputs, or sums of weights that no codes have";
  const auto is_number = [](float x) { return std::isfinite(x); };
  if (!std::all_of(node.multiplier.begin(), node.multiplier.end(), is_number) ||
      !std::all_of(node.offset.begin(), node.offset.end(), is_number))
    return "has a multiplier or offset that is no number";
  return "";
}

std::string FloatRules::float_windows_fit(const Windows& windows, ValueIndex input, ValueIndex output) const {
  const auto image = [&](ValueIndex index) {
    const FloatImage of = float_image_of(value(index));
    return Image{.channels = of.channels, .depth = of.depth, .height = of.height, .width = of.width};
  };
  if (value(input).sizes.size() != value(output).sizes.size()) return sizes_of(input, output);
  if (!of_one_plane(windows)) return kDepth;
  return windows_fit(windows, image(input), image(output), input, output);
}

std::string FloatRules::operator()(const FloatLayer& node) const {
  if (!on_floats({node.input, node.output})) return kTypes;
  const std::string problem = float_windows_fit(node.windows, node.input, node.output);
  if (!problem.empty()) return problem;
  const int64_t inputs = value(node.input).sizes.back(), channels = value(node.output).sizes.back();
  if (node.groups < 1 || inputs % node.groups != 0 || channels % node.groups != 0 ||
      (node.depthwise && (node.groups != 1 || inputs != channels)))
    return "has " + std::to_string(node.groups) + " groups: " + sizes_of(node.input, node.output);
  const PackedFloatsShape shape = packed_shape(node, inputs, channels);
  const auto groups = static_cast<size_t>(node.groups);
  if (node.weights.size() != groups * shape.floats())
    return "has " + std::to_string(node.weights.size()) + " weights, not " + std::to_string(groups * shape.floats());
  if (node.bias.size() != groups * shape.panels() * 16)
    return "has " + std::to_string(node.bias.size()) + " biases, not " + std::to_string(groups * shape.panels() * 16);
  if (!(node.lo <= node.hi)) return "clamps from " + std::to_string(node.lo) + " to " + std::to_string(node.hi);
  if (node.residual < 0) return "";
  const auto residual = static_cast<ValueIndex>(node.residual);
  return on_floats({residual}) ? same_sizes(residual, node.output) : kTypes;
}

std::string FloatRules::operator()(const FloatPool& node) const {
  if (!on_floats({node.input, node.output})) return kTypes;
  if (static_cast<size_t>(node.pooling) >= kFloatPoolings)
    return "has pooling " + std::to_string(static_cast<int>(node.pooling)) + ", which this version does not know";
  const std::string problem = float_windows_fit(node.windows, node.input, node.output);
  const bool same_channels = value(node.input).sizes.back() == value(node.output).sizes.back();
  return !problem.empty() || same_channels ? problem : sizes_of(node.input, node.output);
}

std::string FloatRules::operator()(const Rotate& node) const {
  if (!on_floats({node.input.of, node.cos, node.sin, node.output})) return kTypes;
  if (node.heads < 1 || node.head_size < 2 || node.head_size % 2 != 0)
    return "has " + std::to_string(node.heads) + " heads of " + std::to_string(node.head_size) + " numbers";
  const std::vector<int64_t>&in = value(node.input.of).sizes, &out = value(node.output).sizes;
  const int64_t columns = int64_t{node.heads} * node.head_size;
  if (in.size() != 3 || in[2] < node.input.begin || in[2] - node.input.begin < columns ||
      out != std::vector<int64_t>{in[0], in[1], columns})
    return sizes_of(node.input.of, node.output);
  for (const ValueIndex angles : {node.cos, node.sin}) {
    const bool fits =
        value(angles).is_constant() && value(angles).sizes == std::vector<int64_t>{1, in[1], node.head_size};
    if (!fits) return "has no constant angles for each number of a head: " + text_of(value(angles).sizes);
  }
  return "";
}

std::string FloatRules::operator()(const Attention& node) const {
  if (!on_floats({node.query.of, node.key.of, node.value.of, node.output})) return kTypes;
  if (node.heads < 1 || node.key_heads < 1 || node.head_size < 1 || node.heads % node.key_heads != 0) {
    return "has " + std::to_string(node.heads) + " heads of " + std::to_string(node.head_size) + " numbers, and " +
           std::to_string(node.key_heads) + " of keys";
  }
  const std::vector<int64_t>& out = value(node.output).sizes;
  const auto holds = [&](const HeadRows& rows, uint32_t heads) {
    const std::vector<int64_t>& sizes = value(rows.of).sizes;
    return sizes.size() == 3 && sizes[0] == out[0] && int64_t{rows.begin} + int64_t{heads} * node.head_size <= sizes[2];
  };
  if (out.size() != 3 || out[2] != int64_t{node.heads} * node.head_size || !holds(node.query, node.heads))
    return sizes_of(node.query.of, node.output);
  if (!holds(node.key, node.key_heads) || value(node.query.of).sizes[1] != out[1])
    return sizes_of(node.key.of, node.output);
  if (!holds(node.value, node.key_heads) || value(node.value.of).sizes[1] != value(node.key.of).sizes[1])
    return sizes_of(node.value.of, node.output);
  if (!std::isfinite(node.scale)) return "has a scale that is no number";
  if (out[2] > kMostOutputs)
    return "has " + std::to_string(out[2]) + " outputs, not up to " + std::to_string(kMostOutputs);
  if (value(node.key.of).sizes[1] > kMostInputs || node.head_size > kMostInputs)
    return "has " + std::to_string(value(node.key.of).sizes[1]) + " keys of " + std::to_string(node.head_size) +
           " numbers, not up to " + std::to_string(kMostInputs);
  if (node.mask < 0) return "";
  const auto mask = static_cast<ValueIndex>(node.mask);
  const std::vector<int64_t> scores = {out[0], int64_t{node.heads}, out[1], value(node.key.of).sizes[1]};
  const std::vector<int64_t>& sizes = value(mask).sizes;
  if (!on_floats({mask})) return kTypes;
  for (size_t i = 0; i < scores.size(); ++i) {
    const bool repeats = i + 1 < scores.size() && i < sizes.size() && sizes[i] == 1;
    if (sizes.size() != scores.size() || (sizes[i] != scores[i] && !repeats))
      return "has a mask " + text_of(sizes) + " for scores " + text_of(scores);
  }
  return "";
}

}  // namespace torquant::format
