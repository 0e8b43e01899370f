#include "torquant/lower/runtime_layer.h"

#include <algorithm>

#include "torquant/core/packed_depthwise.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"

namespace torquant::runtime_lowering {
TensorGrid tensor_grid(const Grid& grid) {
  return {.scale = grid.scale, .zero_point = static_cast<int32_t>(grid.zero_point)};
}

std::optional<format::Layer> pack_layer(const onednn::Layer& layer, const onednn::Epilogue& epilogue,
                                        RuntimeModel& memory, std::string& reason) {
  format::Layer packed{};
  if (layer.is_linear() && layer.node->output()->tensor().rank() != 2) {
    reason = "the runtime has no kernel for these dimensions";
    return std::nullopt;
  }
  const bool to_reals = !epilogue.output.has_value();  // no quantize node behind it: reals, on a grid of ones
  if (!to_reals) {
    packed.lo = static_cast<uint8_t>(epilogue.output->min);
    packed.hi = static_cast<uint8_t>(epilogue.output->max);
  }
  const at::Tensor weight = layer.weight.contiguous();
  if (!layer.is_linear()) {
    const int64_t groups = int_arg(*layer.node, "groups");
    packed.depthwise =
        groups > 1 && groups == weight.size(0) && weight.size(1) == 1 && !to_reals && layer.image_rank < 3;
    packed.groups = packed.depthwise ? 1 : groups;
    const size_t rank = layer.image_rank;
    const std::vector<int64_t> stride = ints_arg(*layer.node, "stride", rank),
                               dilation = ints_arg(*layer.node, "dilation", rank);
    if (rank == 3) packed.windows.planes = {weight.size(2), stride[0], layer.padding[0], dilation[0]};
    for (size_t axis = rank == 1 ? 1 : 0; axis < 2; ++axis) {  // a sequence is an image of one row
      const size_t i = axis + rank - 2;
      packed.windows.kernel[axis] = weight.size(static_cast<int64_t>(i) + 2);
      packed.windows.stride[axis] = stride[i];
      packed.windows.padding[axis] = layer.padding[i];
      packed.windows.dilation[axis] = dilation[i];
    }
  }
  const int64_t channels = weight.size(0), inputs = weight.size(1) * packed.groups;
  const PackedShape shape = format::packed_shape(packed, inputs, channels);
  const auto* codes = weight.const_data_ptr<int8_t>();
  const auto groups = static_cast<size_t>(packed.groups);
  if (packed.depthwise) {
    const PackedDepthwiseShape by_tap = {.channels = shape.channels, .taps = shape.kernel_height * shape.kernel_width};
    std::vector<int8_t>& weights = memory.weights.emplace_back(by_tap.bytes());
    pack_depthwise(by_tap, codes, weights.data());
    packed.weights = weights;
  } else {
    std::vector<int8_t>& weights = memory.weights.emplace_back(groups * shape.bytes());
    std::vector<uint8_t>& fits = memory.flags.emplace_back();
    for (size_t group = 0; group < groups; ++group) {
      int8_t* to = weights.data() + group * shape.bytes();
      pack_weights(shape, codes + group * shape.codes(), to);
      for (const uint8_t fit : pairs_fit(shape, to)) fits.push_back(fit);
    }
    packed.weights = weights;
    packed.pairs_fit = fits;
  }
  const size_t padded = shape.panels() * 16;  // of a group
  std::vector<int32_t>& start = memory.integers.emplace_back(groups * padded, 0);
  std::vector<float>& multiplier = memory.numbers.emplace_back(groups * padded, 0.0f);
  std::vector<float>& offset = memory.numbers.emplace_back(groups * padded, 0.0f);
  const TensorGrid input = tensor_grid(layer.input.grid),
                   output = to_reals ? TensorGrid{} : tensor_grid(*epilogue.output);
  const TensorGrid residual = epilogue.residual ? tensor_grid(epilogue.residual->grid) : TensorGrid{};
  const at::Tensor scales = layer.scales.contiguous();
  const float* bias = layer.bias.defined() ? layer.bias.const_data_ptr<float>() : nullptr;
  for (size_t group = 0; group < groups; ++group) {
    const std::vector<int32_t> sums = column_sums(shape, codes + group * shape.codes());
    for (size_t i = 0; i < shape.channels; ++i) {
      const size_t n = group * shape.channels + i, at = group * padded + i;
      const double scale = scales.const_data_ptr<float>()[scales.numel() == 1 ? 0 : n];
      const Requantization how =
          requantization(input, scale, bias == nullptr ? 0 : bias[n], output, epilogue.residual ? &residual : nullptr);
      start[at] = -input.zero_point * sums[i];
      multiplier[at] = how.multiplier;
      offset[at] = how.offset;
    }
  }
  packed.start = start;
  packed.multiplier = multiplier;
  packed.offset = offset;
  packed.residual_multiplier = epilogue.residual ? residual_multiplier(residual, output) : 0;
  return packed;
}

}  // namespace torquant::runtime_lowering
