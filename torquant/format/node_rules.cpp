#include "torquant/format/node_rules.h"

#include <cstdlib>
#include <variant>

#include "torquant/format/float_rules.h"

namespace torquant::format {
namespace {

// One node's rules. Each gives what is wrong, or nothing.
class NodeRules : public FloatRules {
 public:
  using FloatRules::FloatRules;
  using FloatRules::operator();

  std::string operator()(const Quantize& node) const {
    if (value(node.input).type != ValueType::kFloat32 || value(node.output).type != ValueType::kUint8) return kTypes;
    return same_sizes(node.input, node.output);
  }
  std::string operator()(const Dequantize& node) const {
    if (value(node.input).type != ValueType::kUint8 || value(node.output).type != ValueType::kFloat32) return kTypes;
    return same_sizes(node.input, node.output);
  }
  std::string operator()(const Flatten& node) const {
    if (!on_codes({node.input, node.output})) return kTypes;
    const Image in = image_of(value(node.input)), out = image_of(value(node.output));
    const bool fits = pixels(out) == 1 && in.channels * pixels(in) == out.channels;
    return fits && batch(node.input) == batch(node.output) ? "" : sizes_of(node.input, node.output);
  }
  std::string operator()(const Add& node) const {
    const std::string problem = of_two(node.a, node.b, node.output);
    if (!problem.empty()) return problem;
    const TensorGrid &a = value(node.a).grid, &b = value(node.b).grid, &output = value(node.output).grid;
    return requantization_fits(sum_requantization(a, b, output), 1, residual_multiplier(b, output)) ? "" : kScales;
  }
  std::string operator()(const Multiply& node) const {
    const std::string problem = of_two(node.a, node.b, node.output);
    if (!problem.empty()) return problem;
    const TensorGrid &a = value(node.a).grid, &b = value(node.b).grid, &output = value(node.output).grid;
    return requantization_fits(product_requantization(a, b, output), 2, 0) ? "" : kScales;  // 2: of two uint8
  }
  std::string operator()(const MapCodes& node) const {
    if (!on_codes({node.input, node.output})) return kTypes;
    if (node.table.size() != 256) return "has a table of " + std::to_string(node.table.size()) + " codes, not 256";
    return same_sizes(node.input, node.output);
  }
  std::string operator()(const Concat& node) const {
    const Image out = image_of(value(node.output));
    int64_t channels = 0;
    for (const ValueIndex input : node.inputs) {
      const Image in = image_of(value(input));
      if (const std::string problem = moved(input, node.output); !problem.empty()) return problem;
      if (in.depth != out.depth || in.height != out.height || in.width != out.width ||
          batch(input) != batch(node.output))
        return sizes_of(input, node.output);
      channels += in.channels;
    }
    return channels == out.channels ? "" : "has inputs of " + std::to_string(channels) + " channels in all";
  }
  std::string operator()(const Rearrange& node) const {
    if (const std::string problem = moved(node.input, node.output); !problem.empty()) return problem;
    if (!node.growth.empty()) return "grows in a model of one length";
    const Image in = image_of(value(node.input)), out = image_of(value(node.output));
    const int64_t held = in.channels * pixels(in);
    if (node.sizes.size() != node.steps.size() || batch(node.input) != batch(node.output) || node.begin < 0 ||
        node.begin >= held)
      return sizes_of(node.input, node.output);
    int64_t count = 1, least = node.begin, most = node.begin;
    for (size_t i = 0; i < node.sizes.size(); ++i) {
      const int64_t size = node.sizes[i], step = node.steps[i];
      if (size < 1 || size > kMostElements / count || step > held || step < -held)
        return sizes_of(node.input, node.output);
      count *= size;
      (step < 0 ? least : most) += (size - 1) * step;
      if (least < 0 || most >= held) return "reads elements outside its input";
    }
    return count == out.channels * pixels(out) ? "" : sizes_of(node.input, node.output);
  }
  std::string operator()(const AveragePool& node) const {
    if (!on_codes({node.input, node.output})) return kTypes;
    const Image in = image_of(value(node.input)), out = image_of(value(node.output));
    const Windows& windows = node.windows;
    const std::string problem = windows_fit(windows, in, out, node.input, node.output);
    if (!problem.empty()) return problem;
    if (windows.dilation[0] != 1 || windows.dilation[1] != 1) return "has dilated windows";
    if (!of_one_plane(windows)) return kDepth;
    if (in.channels != out.channels) return sizes_of(node.input, node.output);
    return mean_fits(node.input, windows.taps(), node.output) ? "" : kScales;
  }
  std::string operator()(const GlobalAveragePool& node) const {
    if (!on_codes({node.input, node.output})) return kTypes;
    const Image in = image_of(value(node.input)), out = image_of(value(node.output));
    const bool fits = pixels(out) == 1 && in.channels == out.channels;
    if (!fits || batch(node.input) != batch(node.output)) return sizes_of(node.input, node.output);
    return mean_fits(node.input, pixels(in), node.output) ? "" : kScales;
  }
  std::string operator()(const MaxPool& node) const {
    if (!on_codes({node.input, node.output})) return kTypes;
    const Image in = image_of(value(node.input)), out = image_of(value(node.output));
    const std::string problem = windows_fit(node.windows, in, out, node.input, node.output);
    if (problem.empty() && !of_one_plane(node.windows)) return kDepth;
    return !problem.empty() || in.channels == out.channels ? problem : sizes_of(node.input, node.output);
  }
  std::string operator()(const Layer& node) const {
    const Image in = image_of(value(node.input)), out = image_of(value(node.output));
    const bool to_reals = value(node.output).type == ValueType::kFloat32;
    const bool reals_fit = node.residual < 0 && !node.depthwise;
    if (!on_codes({node.input}) || (to_reals && !reals_fit)) return kTypes;
    const std::string problem = windows_fit(node.windows, in, out, node.input, node.output);
    if (!problem.empty()) return problem;
    if (node.groups < 1 || in.channels % node.groups != 0 || out.channels % node.groups != 0 ||
        (node.depthwise && (node.groups != 1 || in.channels != out.channels || !of_one_plane(node.windows))))
      return "has " + std::to_string(node.groups) + " groups: " + sizes_of(node.input, node.output);
    const int64_t taps = node.windows.taps();
    const auto groups = static_cast<size_t>(node.groups), channels = static_cast<size_t>(out.channels) / groups;
    const size_t padded = (channels + 15) / 16 * 16 * groups;
    const size_t bytes = node.depthwise ? static_cast<size_t>(taps) * padded
                                        : packed_shape(node, in.channels, out.channels).bytes() * groups;
    if (node.weights.size() != bytes) {
      return "has " + std::to_string(node.weights.size()) + " bytes of weights, not " + std::to_string(bytes);
    }
    const size_t fits = node.depthwise ? 0 : padded / 16;
    if (node.pairs_fit.size() != fits || node.start.size() != padded || node.multiplier.size() != padded ||
        node.offset.size() != padded) {
      return "has other numbers than " + std::to_string(padded) + " for each of its channels";
    }
    const int64_t depth = taps * (node.depthwise ? 1 : in.channels / node.groups);
    for (size_t n = 0; n < padded; ++n) {
      const Requantization how{.multiplier = node.multiplier[n], .offset = node.offset[n]};
      const int64_t started = std::abs(int64_t{node.start[n]}) / (255 * 128) + 1;  // as products of the largest codes
      if (!requantization_fits(how, depth + started, node.residual_multiplier))
        return "has a multiplier, offset or start out of range";
    }
    if (node.residual < 0) return "";
    const auto residual = static_cast<ValueIndex>(node.residual);
    return on_codes({residual}) ? same_sizes(residual, node.output) : kTypes;
  }

 private:
  static constexpr const char* kGrids = "moves codes to another grid";
  static constexpr const char* kScales = "has scales too far apart, or sums, for 32 bits";

  std::string of_two(ValueIndex a, ValueIndex b, ValueIndex output) const {
    if (!on_codes({a, b, output})) return kTypes;
    const Image one = image_of(value(b)), all = image_of(value(a));
    const bool of_pixel = pixels(one) == 1 && one.channels == all.channels && batch(a) == batch(b);
    return of_pixel || same_sizes(a, b).empty() ? same_sizes(a, output) : sizes_of(b, a);
  }
  static int64_t pixels(const Image& image) { return image.depth * image.height * image.width; }
  // Of what goes from one value to another as it is.
  std::string moved(ValueIndex from, ValueIndex to) const {
    if (on_floats({from, to})) return "";
    if (!on_codes({from, to})) return kTypes;
    return same_grid(from, to) ? "" : kGrids;
  }
  bool same_grid(ValueIndex a, ValueIndex b) const {
    return value(a).grid.scale == value(b).grid.scale && value(a).grid.zero_point == value(b).grid.zero_point;
  }
  bool mean_fits(ValueIndex input, int64_t count, ValueIndex output) const {
    const Requantization how = mean_requantization(value(input).grid, count, value(output).grid);
    return requantization_fits(how, count / 128 + 1, 0);  // sums of codes, not of products
  }
};

}  // namespace

std::string text_of(const std::vector<int64_t>& sizes) {
  std::string text = "[";
  for (const int64_t size : sizes) text += (text.size() == 1 ? "" : ", ") + std::to_string(size);
  return text + "]";
}

std::string node_problem(const Model& model, const Operation& operation) {
  return std::visit(NodeRules(model), operation);
}

}  // namespace torquant::format
