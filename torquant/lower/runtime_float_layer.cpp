#include "torquant/lower/runtime_float_layer.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>

#include <algorithm>

#include "torquant/core/packed_floats.h"
#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/clamp_codes.h"
#include "torquant/lower/moving_ops.h"
#include "torquant/lower/runtime_float.h"
#include "torquant/lower/runtime_moves.h"
#include "torquant/pass/aliasing.h"
#include "torquant/pass/constant_values.h"

namespace torquant::runtime_lowering {
namespace {

struct ReadLayer {
  const Node* pad;               // in front of a convolution, and part of it; null for none
  at::Tensor weight, bias;       // float32; no bias: undefined
  size_t image_rank;             // of a convolution; 0 of a linear layer
  std::vector<int64_t> padding;  // of a convolution, in front; what windows reach behind the image is padding as well
};

// Zeros around an image are the convolution's padding, where each window still sees some of the image.
void take_pad(ReadLayer& layer, const Value* image, const std::vector<int64_t>& reach) {
  static const OpId kPad{"aten.pad.default"};
  const Node* pad = image->producer();
  if (pad == nullptr || (pad->op() != kPad && pad->op() != kConstantPad)) return;
  const Argument value = arg_or_default(*pad, "value");
  const auto is_zero = [&] {
    const auto* real = std::get_if<double>(&value);
    const auto* integer = std::get_if<int64_t>(&value);
    return is_none(value) || (real != nullptr && *real == 0) || (integer != nullptr && *integer == 0);
  };
  if (pad->op() == kPad && std::get<std::string>(arg_or_default(*pad, "mode")) != "constant") return;
  const std::vector<int64_t> sizes = ints_arg(*pad, "pad");  // from the last dimension on: in front, behind, …
  if (!is_zero() || sizes.size() > 2 * layer.image_rank) return;
  std::vector<int64_t> padding = layer.padding;
  for (size_t i = 0; i + 1 < sizes.size(); i += 2) {
    const size_t axis = layer.image_rank - 1 - i / 2;
    const int64_t behind = padding[axis] + sizes[i + 1];
    padding[axis] += sizes[i];
    if (sizes[i] < 0 || sizes[i + 1] < 0 || padding[axis] >= reach[axis] || behind >= reach[axis]) return;
  }
  layer.padding = std::move(padding);
  layer.pad = pad;
}

bool is_dequantized(const Value* weight) {
  const Node* node = weight->producer();
  return node != nullptr && (read_dequantize(node) || node->op() == ops::kDequantizePerChannel);
}

std::optional<ReadLayer> read_float_layer(const Program& program, const std::unordered_set<const Value*>& constants,
                                          const Node& node) {
  const bool is_linear = node.op() == ops::kLinear;
  if (!is_linear && node.op() != ops::kConv1d && node.op() != ops::kConv2d) return std::nullopt;
  const Value *input = node.input("input"), *weight = node.input("weight"), *bias = node.input("bias");
  ReadLayer layer{.pad = nullptr,
                  .weight = {},
                  .bias = {},
                  .image_rank = is_linear                   ? 0u
                                : node.op() == ops::kConv1d ? 1u
                                                            : 2u,
                  .padding = {}};
  if (input->tensor().dtype != at::kFloat || input->tensor().rank() < 2 || !constants.contains(weight) ||
      is_dequantized(weight) || (bias != nullptr && !constants.contains(bias)))
    return std::nullopt;
  if (!is_linear && input->tensor().rank() != layer.image_rank + 2) return std::nullopt;
  layer.weight = evaluate_constant(program, weight);
  if (layer.weight.scalar_type() != at::kFloat) return std::nullopt;
  layer.weight = layer.weight.contiguous();
  if (bias != nullptr) layer.bias = evaluate_constant(program, bias).to(at::kFloat).contiguous();
  if (is_linear) return layer;
  layer.padding = ints_arg(node, "padding", layer.image_rank);
  std::vector<int64_t> reach = ints_arg(node, "dilation", layer.image_rank);
  for (size_t i = 0; i < reach.size(); ++i)
    reach[i] = (layer.weight.size(static_cast<int64_t>(i) + 2) - 1) * reach[i] + 1;
  take_pad(layer, input, reach);
  return layer;
}

format::FloatLayer pack(const ReadLayer& layer, const Node& node, RuntimeModel& memory) {
  format::FloatLayer packed{.input = 0, .output = 0};
  const at::Tensor& weight = layer.weight;
  if (const size_t rank = layer.image_rank; rank != 0) {
    packed.groups = int_arg(node, "groups");
    packed.depthwise = packed.groups > 1 && packed.groups == weight.size(0) && weight.size(1) == 1;
    const std::vector<int64_t> stride = ints_arg(node, "stride", rank), dilation = ints_arg(node, "dilation", rank);
    for (size_t axis = 2 - rank; axis < 2; ++axis) {  // a sequence is an image of one row
      const size_t i = axis + rank - 2;
      packed.windows.kernel[axis] = weight.size(static_cast<int64_t>(i) + 2);
      packed.windows.stride[axis] = stride[i];
      packed.windows.padding[axis] = layer.padding[i];
      packed.windows.dilation[axis] = dilation[i];
    }
  }
  const int64_t channels = weight.size(0), inputs = weight.size(1) * packed.groups;
  if (packed.depthwise) packed.groups = 1;
  const PackedFloatsShape shape = format::packed_shape(packed, inputs, channels);
  const auto groups = static_cast<size_t>(packed.groups);
  std::vector<float>& weights = memory.numbers.emplace_back(groups * shape.floats());
  std::vector<float>& bias = memory.numbers.emplace_back(groups * shape.panels() * 16, 0.0f);
  for (size_t group = 0; group < groups; ++group) {
    const size_t first = group * shape.channels;
    pack_floats(shape, weight.const_data_ptr<float>() + first * shape.depth(), weights.data() + group * shape.floats());
    if (layer.bias.defined())
      std::copy_n(layer.bias.const_data_ptr<float>() + first, shape.channels,
                  bias.begin() + static_cast<ptrdiff_t>(group * shape.panels() * 16));
  }
  packed.weights = weights;
  packed.bias = bias;
  return packed;
}

// What is added to `sums` by `node`; null where it is another node.
Value* addend_of(const Node& node, const Value* sums) {
  if (node.op() != ops::kAdd) return nullptr;
  Value *self = node.input("self"), *other = node.input("other");
  if (self == nullptr || other == nullptr || self == other || double_arg(node, "alpha") != 1) return nullptr;
  Value* addend = self == sums ? other : self;
  const bool fits = addend->is_tensor() && addend->tensor().dtype == at::kFloat && !is_written(addend) &&
                    addend->tensor().sizes == sums->tensor().sizes;
  return fits ? addend : nullptr;
}

void fuse(Program& program, const std::unordered_set<const Value*>& constants, Node* node, const ReadLayer& layer,
          Facts& facts, RuntimeModel& made) {
  Graph& graph = program.graph();
  Facts::FloatLayer fused{.packed = pack(layer, *node, made), .of_images = layer.image_rank != 0};
  std::vector<Node*> behind;
  Value *residual = nullptr, *value = node->output();
  while (Node* reader = sole_reader(value)) {
    Value* addend = residual == nullptr ? addend_of(*reader, value) : nullptr;
    const std::optional<Limits> limits = read_limits(*reader);
    if (limits) {
      fused.packed.lo = static_cast<float>(limits->least), fused.packed.hi = static_cast<float>(limits->most);
    } else if (addend != nullptr && !constants.contains(addend)) {
      residual = addend;
    } else {
      break;
    }
    behind.push_back(reader);
    value = reader->output();
    if (limits) break;
  }
  std::vector<NamedArgument> args = {{"input", layer.pad == nullptr ? node->input("input") : layer.pad->input("self")}};
  if (residual != nullptr) args.push_back({"residual", residual});
  Node* last = behind.empty() ? node : behind.back();
  Node* made_node = graph.insert_before(last, kFloatLayer, graph.unique_name(node->name() + "_float"), std::move(args));
  for (const auto& [key, text] : node->metadata()) made_node->set_metadata(key, text);
  Value* output = graph.add_output(made_node, made_node->name(), contiguous_meta(at::kFloat, value->tensor().sizes));
  fused.name = value->name();
  facts.float_layers.emplace(made_node, std::move(fused));
  graph.replace_all_uses(value, output);
  for (size_t i = behind.size(); i-- > 0;) graph.erase(behind[i]);
  graph.erase(node);
}

// [0, rank - 1, 1, ...]: where channels go back to.
std::vector<int64_t> channels_second(size_t rank) {
  std::vector<int64_t> order = {0, static_cast<int64_t>(rank) - 1};
  for (size_t i = 1; i + 1 < rank; ++i) order.push_back(static_cast<int64_t>(i));
  return order;
}
std::vector<int64_t> channels_last(size_t rank) {
  std::vector<int64_t> order = {0};
  for (size_t i = 2; i < rank; ++i) order.push_back(static_cast<int64_t>(i));
  order.push_back(1);
  return order;
}

bool is_image(const Value* value) {
  return value != nullptr && value->is_tensor() && value->tensor().dtype == at::kFloat &&
         (value->tensor().rank() == 3 || value->tensor().rank() == 4);
}

}  // namespace

void fuse_float_layers(Program& program, Facts& facts, RuntimeModel& made) {
  const std::unordered_set<const Value*> constants = constant_values(program);
  std::vector<std::pair<Node*, ReadLayer>> layers;
  for (Node& node : program.graph()) {
    if (const std::optional<ReadLayer> layer = read_float_layer(program, constants, node))
      layers.emplace_back(&node, *layer);
  }
  for (const auto& [node, layer] : layers) fuse(program, constants, node, layer, facts, made);
}

bool FloatLayerEmitter::emit(const Node& node) {
  if (node.op() == kFloatLayer) return emit_layer(node);
  if (!is_image(node.output()) && !is_image(first_input(node))) return false;
  return emit_pool(node) || emit_mean(node) || emit_map(node) || emit_arithmetic(node);
}

std::optional<ValueIndex> FloatLayerEmitter::image_in_place(const Value* value) const {
  if (!is_image(value)) return std::nullopt;
  const std::optional<ModelBuilder::Moved> moved = builder_.places_of(value);
  if (!moved || builder_.value(moved->from).type != format::ValueType::kFloat32) return std::nullopt;
  const at::Tensor places = moved->places.permute(channels_last(value->tensor().rank()));
  const std::vector<int64_t>& sizes = builder_.value(moved->from).sizes;
  const bool same_sizes =
      sizes.size() == static_cast<size_t>(places.dim()) && places.sizes().slice(1) == at::IntArrayRef(sizes).slice(1);
  if (!same_sizes || !at::equal(places.flatten(), at::arange(places.numel(), at::kLong))) return std::nullopt;
  return moved->from;
}

std::optional<ValueIndex> FloatLayerEmitter::image(const Value* value) {
  if (const auto found = images_.find(value); found != images_.end()) return found->second;
  if (const std::optional<ValueIndex> there = image_in_place(value)) return there;
  if (!is_image(value) || !builder_.is_float(value)) return std::nullopt;
  const std::vector<int64_t> order = channels_last(value->tensor().rank());
  ModelBuilder::Moved moved = *builder_.places_of(value);
  moved.places = moved.places.permute(order);
  if (!as_rearrange(moved.places)) {  // in two steps
    if (!builder_.find(value)) return std::nullopt;
    moved = *builder_.places_of(value);
    moved.places = moved.places.permute(order);
  }
  std::vector<int64_t> sizes(moved.places.sizes().begin(), moved.places.sizes().end());
  sizes[0] = builder_.value(moved.from).sizes[0];
  const ValueIndex index = builder_.add_plain(value->name() + "_channels_last", sizes);
  const Node* producer = value->producer();
  std::optional<format::Rearrange> rearrange = as_rearrange(moved.places);
  rearrange->input = moved.from, rearrange->output = index;
  builder_.made().model.nodes.push_back({producer == nullptr ? value->name() : producer->name(), *rearrange});
  return images_[value] = index;
}

ValueIndex FloatLayerEmitter::add_image(const Value& value) {
  const size_t rank = value.tensor().rank();
  std::vector<int64_t> sizes;
  for (const int64_t from : channels_last(rank))
    sizes.push_back(hint_of(value.tensor().sizes[static_cast<size_t>(from)]).value_or(0));
  sizes[0] = builder_.value(builder_.made().model.inputs[0]).sizes[0];
  const ValueIndex index = builder_.add_plain(value.name() + "_channels_last", sizes);
  sizes[0] = 1;  // places are those of one image
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  builder_.set_moved(&value, {index, at::arange(count, at::kLong).view(sizes).permute(channels_second(rank))});
  return index;
}

bool FloatLayerEmitter::emit_layer(const Node& node) {
  const Facts::FloatLayer& fused = facts_.float_layers.at(&node);
  const auto find = [&](const Value* value) {
    return fused.of_images ? image(value) : builder_.is_float(value) ? builder_.find(value) : std::nullopt;
  };
  format::FloatLayer layer = fused.packed;
  const std::optional<ValueIndex> input = find(node.input("input"));
  if (!input) return false;
  layer.input = *input;
  if (const Value* residual = node.input("residual")) {
    const std::optional<ValueIndex> index = find(residual);
    if (!index) return false;
    layer.residual = *index;
  }
  if (fused.of_images) {
    layer.output = add_image(*node.output());
    builder_.rename_last(fused.name + "_channels_last");
  } else {
    layer.output = builder_.add_floats(*node.output());
    builder_.rename_last(fused.name);
  }
  builder_.add_node(node, layer);
  return true;
}

bool FloatLayerEmitter::emit_map(const Node& node) {
  const std::optional<format::FloatMap> read = read_map(program_, node);
  const std::optional<ValueIndex> input = read ? image_in_place(first_input(node)) : std::nullopt;
  if (!input) return false;
  format::FloatMap map = *read;
  map.input = *input;
  map.output = add_image(*node.output());
  builder_.add_node(node, map);
  return true;
}

// Of two images, at least one of which lies with its channels last; a size of 1 is repeated.
bool FloatLayerEmitter::emit_arithmetic(const Node& node) {
  const std::optional<format::FloatArithmetic> arithmetic = read_arithmetic(node);
  if (!arithmetic) return false;
  const Value *self = node.input("self"), *other = node.input("other");
  if (!is_image(self) || !is_image(other) || self->tensor().rank() != other->tensor().rank()) return false;
  if (!image_in_place(self) && !image_in_place(other)) return false;
  if (const Argument* alpha = node.find_arg("alpha"); alpha != nullptr && double_arg(node, "alpha") != 1) return false;
  const std::optional<ValueIndex> a = image(self), b = image(other);
  if (!a || !b) return false;
  const ValueIndex output = add_image(*node.output());
  builder_.add_node(node, format::FloatBinary{*a, *b, output, *arithmetic});
  return true;
}

bool FloatLayerEmitter::emit_pool(const Node& node) {
  static const OpId kMaxPool{"aten.max_pool2d.default"}, kAveragePool{"aten.avg_pool2d.default"};
  const bool is_max = node.op() == kMaxPool;
  if (!is_max && node.op() != kAveragePool) return false;
  format::Windows windows;
  const std::vector<int64_t> kernel = ints_arg(node, "kernel_size", 2), stride = ints_arg(node, "stride", 2),
                             padding = ints_arg(node, "padding", 2);
  for (size_t i = 0; i < 2; ++i) {
    windows.kernel[i] = kernel[i];
    windows.stride[i] = stride.empty() ? kernel[i] : stride[i];
    windows.padding[i] = padding.empty() ? 0 : padding[i];
    if (is_max) windows.dilation[i] = ints_arg(node, "dilation", 2)[i];
  }
  if (!is_max) {
    const bool has_padding = windows.padding[0] + windows.padding[1] > 0;
    const bool counts = std::get<bool>(arg_or_default(node, "count_include_pad"));
    const bool is_plain =
        !std::get<bool>(arg_or_default(node, "ceil_mode")) && is_none(arg_or_default(node, "divisor_override"));
    if (!is_plain || (has_padding && !counts)) return false;
  }
  if (node.output()->tensor().rank() != 4) return false;
  const std::optional<ValueIndex> input = image(first_input(node));
  if (!input) return false;
  const auto pooling = is_max ? format::FloatPooling::kMax : format::FloatPooling::kMean;
  builder_.add_node(node, format::FloatPool{*input, add_image(*node.output()), windows, pooling});
  return true;
}

// Of whole images that lie with their channels last: a pool of one window.
bool FloatLayerEmitter::emit_mean(const Node& node) {
  static const OpId kMean{"aten.mean.dim"};
  const Value* input = first_input(node);
  const std::optional<ValueIndex> x = image_in_place(input);
  if (!x || input->tensor().rank() != 4) return false;
  const Value& output = *node.output();
  if (node.op() == kMean) {
    std::vector<int64_t> dims = ints_arg(node, "dim");
    for (int64_t& dim : dims) dim += dim < 0 ? 4 : 0;
    std::sort(dims.begin(), dims.end());
    if (dims != std::vector<int64_t>{2, 3}) return false;
  } else if (node.op() != ops::kAdaptiveAvgPool2d || ints_arg(node, "output_size", 2) != std::vector<int64_t>{1, 1}) {
    return false;
  }
  const std::vector<int64_t> sizes = builder_.value(*x).sizes;
  const ValueIndex mean =
      builder_.add_plain(output.name() + "_channels_last", std::vector<int64_t>{sizes[0], 1, 1, sizes[3]});
  std::vector<int64_t> one_image(output.tensor().rank(), 1);
  one_image[1] = sizes[3];
  builder_.set_moved(&output, {mean, at::arange(sizes[3], at::kLong).view(one_image)});
  const format::Windows windows{.kernel = {sizes[1], sizes[2]}};
  builder_.add_node(node, format::FloatPool{*x, mean, windows, format::FloatPooling::kMean});
  return true;
}

}  // namespace torquant::runtime_lowering
