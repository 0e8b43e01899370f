#include "torquant/lower/runtime_emit.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "torquant/graph/layers.h"
#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/grid.h"
#include "torquant/lower/moving_ops.h"
#include "torquant/lower/runtime_layer.h"
#include "torquant/lower/runtime_moves.h"

namespace torquant::runtime_lowering {
namespace {

using format::ValueIndex;

const OpId kAddCodes{"torquant.add_codes.default"};
const OpId kMulCodes{"torquant.mul_codes.default"};
const OpId kMapCodes{"torquant.map_codes.default"};
const OpId kAvgPoolCodes{"torquant.avg_pool2d_codes.default"};
const OpId kMaxPoolCodes{"quantized.max_pool2d.default"};

class Emitter {
 public:
  Emitter(const Program& program, const Facts& facts, RuntimeModel& made, std::vector<std::string>& problems)
      : program_(program), facts_(facts), made_(made), problems_(problems) {}

  void run() {
    for (const Value* input : program_.user_inputs())
      made_.model.inputs.push_back(add_value(*input, format::ValueType::kFloat32, {}));
    for (const Node& node : program_.graph()) emit(node);
    for (size_t i = 0; i < program_.graph().outputs().size(); ++i) emit_output(i);
  }

 private:
  struct Pad {
    ValueIndex input;
    int64_t in_front[3];  // columns, rows, planes
  };
  struct Moved {
    ValueIndex from;
    at::Tensor places;  // of its codes in an image of `from`
  };
  // The model's value of the graph's; nothing where no node that was emitted gives it. Of codes that were moved it is
  // made here, when a node that computes wants them.
  std::optional<ValueIndex> find(const Value* value) {
    const auto found = value == nullptr ? values_.end() : values_.find(value);
    if (found != values_.end()) return found->second;
    const auto moved = value == nullptr ? moved_.end() : moved_.find(value);
    return moved == moved_.end() ? std::nullopt : std::optional(emit_moved(*value, moved->second));
  }

  ValueIndex add_value(const Value& value, format::ValueType type, const TensorGrid& grid) {
    format::Value made{.name = value.name(), .type = type, .grid = grid};
    for (const Dim& size : value.tensor().sizes) made.sizes.push_back(hint_of(size).value_or(0));
    if (!made.sizes.empty()) made.sizes[0] = batch_of(value);
    made_.model.values.push_back(std::move(made));
    const auto index = static_cast<ValueIndex>(made_.model.values.size() - 1);
    values_[&value] = index;
    return index;
  }

  // The first size of all values is that of the first input: a number, or a symbol with a range.
  int64_t batch_of(const Value& value) {
    const Dim& size = value.tensor().sizes[0];
    if (!batch_) set_batch(size);
    if (size == *batch_) return made_.model.least_batch;
    problems_.push_back(fmt::format("%{}: its first size is not the batch", value.name()));
    return 0;
  }

  void set_batch(const Dim& size) {
    batch_ = size;
    const auto* number = std::get_if<int64_t>(&size);
    const auto range = number != nullptr ? program_.ranges().end() : program_.ranges().find(to_string(size));
    const bool ranges = range != program_.ranges().end();
    made_.model.least_batch =
        number != nullptr ? *number : std::max<int64_t>(1, ranges ? range->second.min.value_or(1) : 1);
    made_.model.most_batch =
        number != nullptr ? *number
                          : std::min<int64_t>(kMostBatch, ranges ? range->second.max.value_or(kMostBatch) : kMostBatch);
  }

  const TensorGrid& grid_of(ValueIndex value) const { return made_.model.values[value].grid; }

  template <class Operation>
  void add_node(const Node& node, Operation operation) {
    const std::string module = node.module_path();
    made_.model.nodes.push_back(
        {.name = module.empty() ? "%" + node.name() : module, .operation = std::move(operation)});
  }

  void emit(const Node& node) {
    if (node.output() != nullptr && !node.output()->is_tensor()) return;  // a size: all are known
    const std::vector<Value*> inputs = node.inputs();
    const auto is_failed = [&](const Value* value) { return failed_.contains(value); };
    const auto is_known = [&](const Value* value) {
      return values_.contains(value) || pads_.contains(value) || moved_.contains(value);
    };
    const bool follows =
        is_layer(node) || std::any_of(inputs.begin(), inputs.end(), is_failed);    // a problem that is told
    if (!follows && !std::any_of(inputs.begin(), inputs.end(), is_known)) return;  // of constants
    const Value* first = first_input(node);
    const auto pad = node.op() == kFusedLayer ? pads_.find(first) : pads_.end();
    if (!follows && (move(node) || (node.op() == ops::kCat && emit_concat(node)))) return;
    const std::optional<ValueIndex> input = pad == pads_.end() ? find(first) : pad->second.input;
    if (!follows && input && emit_from(node, *input)) return;
    if (!follows) problems_.push_back(node.describe() + ": the runtime has no kernel for it on these types and sizes");
    failed_.insert(node.output());  // null of one with several, whose readers are told too
  }

  // False where the runtime has nothing for it.
  bool emit_from(const Node& node, ValueIndex input) {
    constexpr auto kCodes = format::ValueType::kUint8;
    const Value& output = *node.output();
    if (node.op() == kFusedLayer) {
      const Facts::Layer& fused = facts_.layers.at(&node);
      format::Layer layer = fused.packed;
      layer.input = input;
      if (const auto pad = pads_.find(first_input(node)); pad != pads_.end()) {
        const auto& [columns, rows, planes] = pad->second.in_front;
        layer.windows.padding[1] += columns;
        layer.windows.padding[0] += rows;
        layer.windows.planes.padding += planes;
      }
      if (const Value* residual = node.input("residual")) {
        const std::optional<ValueIndex> index = find(residual);
        if (!index) return false;
        layer.residual = *index;
      }
      layer.output =
          add_value(output, output.tensor().dtype == at::kByte ? kCodes : format::ValueType::kFloat32, fused.grid);
      made_.model.values.back().name = fused.name;
      add_node(node, layer);
      return true;
    }
    if (const std::optional<OnGrid> quantize = read_quantize(&node)) {
      if (quantize->grid.dtype != at::kByte) return false;
      add_node(node,
               format::Quantize{input, add_value(output, kCodes, tensor_grid(quantize->grid)),
                                static_cast<uint8_t>(quantize->grid.min), static_cast<uint8_t>(quantize->grid.max)});
      return true;
    }
    if (read_dequantize(&node)) {
      add_node(node, format::Dequantize{input, add_value(output, format::ValueType::kFloat32, {})});
      return true;
    }
    if (node.op() == kMaxPoolCodes) {
      format::Windows windows = windows_of(node);
      for (size_t i = 0; i < 2; ++i) windows.dilation[i] = ints_arg(node, "dilation", 2)[i];
      add_node(node, format::MaxPool{input, add_value(output, kCodes, grid_of(input)), windows});
      return true;
    }
    if (node.op() == kConstantPad) return emit_pad(node, input);
    if (node.op() == kAvgPoolCodes) {
      const auto [grid, lo, hi] = output_grid(node);
      const ValueIndex mean = add_value(output, kCodes, grid);
      if (ints_arg(node, "kernel_size").empty()) {
        add_node(node, format::GlobalAveragePool{input, mean, lo, hi});
      } else {
        add_node(node, format::AveragePool{input, mean, windows_of(node), lo, hi});
      }
      return true;
    }
    if (node.op() == kAddCodes || node.op() == kMulCodes) return emit_binary(node, input);
    if (node.op() == kMapCodes) {
      const at::Tensor* table = program_.tensor_of(node.input("table"));
      const auto* codes = table->const_data_ptr<uint8_t>();
      const std::vector<uint8_t>& kept = made_.flags.emplace_back(codes, codes + table->numel());
      add_node(node, format::MapCodes{input, add_value(output, kCodes, facts_.grids.at(&output)), kept});
      return true;
    }
    return false;
  }

  static format::Windows windows_of(const Node& node) {
    format::Windows windows;
    const std::vector<int64_t> kernel = ints_arg(node, "kernel_size", 2), stride = ints_arg(node, "stride", 2),
                               padding = ints_arg(node, "padding", 2);
    for (size_t i = 0; i < 2; ++i) {
      windows.kernel[i] = kernel[i];
      windows.stride[i] = stride.empty() ? kernel[i] : stride[i];
      windows.padding[i] = padding.empty() ? 0 : padding[i];
    }
    return windows;
  }

  // One operand may be a single pixel that is repeated over the image: it is the second one then.
  bool emit_binary(const Node& node, ValueIndex a) {
    std::optional<ValueIndex> b = find(node.input("b"));
    if (!b) return false;
    const auto sizes = [&](ValueIndex value) { return made_.model.values[value].sizes; };
    const auto [grid, lo, hi] = output_grid(node);
    const ValueIndex output = add_value(*node.output(), format::ValueType::kUint8, grid);
    if (sizes(a) != sizes(output)) std::swap(a, *b);
    if (node.op() == kAddCodes) {
      add_node(node, format::Add{a, *b, output, lo, hi});
    } else {
      add_node(node, format::Multiply{a, *b, output, lo, hi});
    }
    return true;
  }

  bool emit_concat(const Node& node) {
    const int64_t dim = int_arg(node, "dim");
    if (dim != 1 && dim != 1 - static_cast<int64_t>(node.output()->tensor().rank())) return false;
    format::Concat concat{};
    const auto* parts = std::get_if<std::vector<Value*>>(node.find_arg("tensors"));  // one may stand there twice
    if (parts == nullptr) return false;
    for (const Value* part : *parts) {
      const std::optional<ValueIndex> index = find(part);
      if (!index) return false;
      concat.inputs.push_back(*index);
    }
    concat.output = add_value(*node.output(), format::ValueType::kUint8, grid_of(concat.inputs[0]));
    add_node(node, concat);
    return true;
  }

  struct OutputGrid {
    TensorGrid grid;
    uint8_t lo, hi;
  };
  static OutputGrid output_grid(const Node& node) {
    return {{.scale = double_arg(node, "output_scale"),
             .zero_point = static_cast<int32_t>(int_arg(node, "output_zero_point"))},
            static_cast<uint8_t>(int_arg(node, "quant_min")),
            static_cast<uint8_t>(int_arg(node, "quant_max"))};
  }

  // Zeros around an image are the border of the layers that read it.
  bool emit_pad(const Node& node, ValueIndex input) {
    const std::vector<int64_t> sizes = ints_arg(node, "pad");  // from the last dimension on: in front, behind, …
    const bool of_image =
        sizes.size() + 4 <= 2 * node.output()->tensor().rank() && int_arg(node, "value") == grid_of(input).zero_point;
    if (!of_image || std::any_of(sizes.begin(), sizes.end(), [](int64_t size) { return size < 0; })) return false;
    Pad& pad = pads_[node.output()] = {input, {}};
    for (size_t i = 0; i < sizes.size(); i += 2) pad.in_front[i / 2] = sizes[i];
    return true;
  }

  // Those of a value itself.
  at::Tensor places_in(ValueIndex value) const {
    std::vector<int64_t> sizes = made_.model.values[value].sizes;
    sizes[0] = 1;
    int64_t count = 1;
    for (const int64_t size : sizes) count *= size;
    return at::arange(count, at::kLong).reshape(sizes);
  }

  // Notes where the codes come from that `node` only moves; false where it does more, or nothing is known of its input.
  bool move(const Node& node) {
    const Value* first = first_input(node);
    const auto earlier = moved_.find(first);
    const auto start = values_.find(first);
    if (earlier == moved_.end() && start == values_.end()) return false;
    const ValueIndex from = earlier == moved_.end() ? start->second : earlier->second.from;
    const format::Value& value = made_.model.values[from];
    if (value.type != format::ValueType::kUint8) return false;
    at::Tensor places;
    if (earlier != moved_.end()) {
      places = earlier->second.places;
    } else {
      places = places_in(from);
    }
    places = runtime_lowering::move_places(node, places);
    if (!places.defined() || node.output()->tensor().sizes[0] != *batch_) return false;
    if (places.sizes().slice(1) == at::IntArrayRef(value.sizes).slice(1) && is_in_order(places, places.numel())) {
      values_[node.output()] = from;  // nothing moves
    } else {
      moved_[node.output()] = {from, std::move(places)};
    }
    return true;
  }

  static bool is_in_order(const at::Tensor& places, int64_t count) {
    return places.numel() == count && at::equal(places.flatten(), at::arange(count, at::kLong));
  }

  // Where all movements together have no pattern, but the first ones do: those that follow, from the codes between.
  Moved in_two_steps(const Value& value, const Moved& moved) {
    if (runtime_lowering::as_rearrange(moved.places)) return moved;
    std::vector<const Node*> rest;
    const Value* between = &value;
    while (true) {
      rest.push_back(between->producer());
      between = first_input(*between->producer());
      const auto earlier = moved_.find(between);
      if (earlier == moved_.end()) return moved;
      const bool is_value = between->tensor().rank() <= format::kMostSizes;
      if (is_value && runtime_lowering::as_rearrange(earlier->second.places)) break;
    }
    const ValueIndex from = *find(between);
    at::Tensor places = places_in(from);
    for (size_t i = rest.size(); i-- > 0;) places = runtime_lowering::move_places(*rest[i], places);
    return {from, std::move(places)};
  }

  ValueIndex emit_moved(const Value& value, const Moved& direct) {
    const Moved moved = in_two_steps(value, direct);
    const ValueIndex from = moved.from;
    int64_t count = 1;
    for (size_t i = 1; i < made_.model.values[from].sizes.size(); ++i) count *= made_.model.values[from].sizes[i];
    const ValueIndex output = add_value(value, format::ValueType::kUint8, grid_of(from));
    std::optional<format::Rearrange> rearrange = runtime_lowering::as_rearrange(moved.places);
    if (moved.places.dim() == 2 && is_in_order(moved.places, count)) {
      add_node(*value.producer(), format::Flatten{from, output});
    } else if (rearrange) {
      rearrange->input = from, rearrange->output = output;
      add_node(*value.producer(), *rearrange);
    } else {
      problems_.push_back(value.producer()->describe() + ": moves codes in a way that has no pattern");
    }
    return output;
  }

  void emit_output(size_t i) {
    const Argument output = program_.graph().outputs()[i];
    const auto* value = std::get_if<Value*>(&output);
    const std::optional<ValueIndex> index = value == nullptr ? std::nullopt : find(*value);
    if (value != nullptr && failed_.contains(*value)) return;
    if (index && program_.output_specs()[i].kind == OutputKind::kUser) {
      made_.model.outputs.push_back(*index);
    } else {
      problems_.push_back(fmt::format("output {}: is no tensor that the runtime computes", i));
    }
  }

  static constexpr int64_t kMostBatch = 65536;  // where a program names no limit

  const Program& program_;
  const Facts& facts_;
  RuntimeModel& made_;
  std::vector<std::string>& problems_;
  std::optional<Dim> batch_;
  std::unordered_map<const Value*, ValueIndex> values_;
  std::unordered_map<const Value*, Pad> pads_;
  std::unordered_map<const Value*, Moved> moved_;
  std::unordered_set<const Value*> failed_;  // that could not be made
};

}  // namespace

void emit_model(const Program& program, const Facts& facts, RuntimeModel& made, std::vector<std::string>& problems) {
  Emitter(program, facts, made, problems).run();
}

}  // namespace torquant::runtime_lowering
