#include "torquant/lower/runtime.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "torquant/core/error.h"
#include "torquant/graph/layers.h"
#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/clamp_codes.h"
#include "torquant/lower/compute_on_codes.h"
#include "torquant/lower/move_codes.h"
#include "torquant/lower/moving_ops.h"
#include "torquant/lower/onednn_epilogue.h"
#include "torquant/lower/onednn_layer.h"
#include "torquant/lower/runtime_layer.h"
#include "torquant/lower/unsigned_activations.h"
#include "torquant/pass/canonicalize.h"
#include "torquant/pass/constant_values.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {
namespace {

using format::ValueIndex;

// Stands in the graph for a fused layer while the rest is worked on. Never run.
const OpId kFusedLayer{"torquant.fused_layer.default"};
const OpId kAddCodes{"torquant.add_codes.default"};
const OpId kAvgPoolCodes{"torquant.avg_pool2d_codes.default"};
const OpId kMaxPoolCodes{"quantized.max_pool2d.default"};

TensorGrid tensor_grid(const Grid& grid) {
  return {.scale = grid.scale, .zero_point = static_cast<int32_t>(grid.zero_point)};
}

class RuntimeLowering {
 public:
  RuntimeLowering(Program program, const std::string& source) : program_(std::move(program)), graph_(program_.graph()) {
    made_.model.producer = "torquant " TORQUANT_VERSION;
    made_.model.source = source;
  }

  RuntimeModel run() {
    canonicalize(program_);
    make_activations_unsigned(program_);
    clamp_codes(program_);
    quantize_before_moving(program_);
    move_codes(program_);
    fuse_layers();
    compute_on_codes(program_);
    move_codes(program_);
    remove_dead_nodes(program_);
    for (Value* input : program_.user_inputs())
      made_.model.inputs.push_back(add_value(*input, format::ValueType::kFloat32, {}));
    for (const Node& node : graph_) emit(node);
    for (size_t i = 0; i < graph_.outputs().size(); ++i) emit_output(i);
    if (!problems_.empty()) refuse();
    if (const Result<void> checked = check_model(made_.model); !checked.ok()) throw Error(checked.error());
    return std::move(made_);
  }

 private:
  void fuse_layers() {
    const std::unordered_set<const Value*> constants = constant_values(program_);
    std::vector<Node*> layers;
    for (Node& node : graph_) {
      if (is_layer(node)) layers.push_back(&node);
    }
    for (Node* node : layers) {
      std::string reason;
      const std::optional<onednn::Layer> layer = onednn::read_layer(program_, constants, node, reason);
      if (layer) {
        const onednn::Epilogue epilogue = onednn::read_epilogue(*layer);
        if (const std::optional<format::Layer> packed = runtime_lowering::pack_layer(*layer, epilogue, made_, reason)) {
          fuse(*layer, epilogue, *packed);
          continue;
        }
      }
      problems_.push_back(node->describe() + ": " + reason);
    }
  }

  void fuse(const onednn::Layer& layer, const onednn::Epilogue& epilogue, const format::Layer& packed) {
    Node* last = epilogue.nodes.empty() ? layer.node : epilogue.nodes.back();
    std::vector<NamedArgument> args = {{"input", layer.input.input}};
    if (epilogue.residual) args.push_back({"residual", epilogue.residual->input});
    Node* node =
        graph_.insert_before(last, kFusedLayer, graph_.unique_name(layer.node->name() + "_int8"), std::move(args));
    for (const auto& [key, text] : layer.node->metadata()) node->set_metadata(key, text);
    const at::ScalarType dtype = epilogue.output ? at::kByte : at::kFloat;
    Value* output = graph_.add_output(node, node->name(), contiguous_meta(dtype, last->output()->tensor().sizes));
    layers_.emplace(node, Fused{packed, epilogue.output ? tensor_grid(*epilogue.output) : TensorGrid{}});
    graph_.replace_all_uses(last->output(), output);
    for (size_t i = epilogue.nodes.size(); i-- > 0;) graph_.erase(epilogue.nodes[i]);
    graph_.erase(layer.node);
  }

  // The model's value of the graph's; nothing (and a problem) where no node that was emitted gives it.
  std::optional<ValueIndex> find(const Value* value) const {
    const auto found = value == nullptr ? values_.end() : values_.find(value);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
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
    made_.model.nodes.push_back({.name = node.describe(), .operation = std::move(operation)});
  }

  void emit(const Node& node) {
    if (node.output() != nullptr && !node.output()->is_tensor()) return;  // a size: all are known
    const std::vector<Value*> inputs = node.inputs();
    const auto is_failed = [&](const Value* value) { return failed_.contains(value); };
    const auto is_known = [&](const Value* value) { return values_.contains(value) || pads_.contains(value); };
    const bool follows =
        is_layer(node) || std::any_of(inputs.begin(), inputs.end(), is_failed);    // a problem that is told
    if (!follows && !std::any_of(inputs.begin(), inputs.end(), is_known)) return;  // of constants
    const Value* first = first_input(node);
    const auto pad = node.op() == kFusedLayer ? pads_.find(first) : pads_.end();
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
      const Fused& fused = layers_.at(&node);
      format::Layer layer = fused.layer;
      layer.input = input;
      if (const auto pad = pads_.find(first_input(node)); pad != pads_.end()) {
        for (size_t i = 0; i < 2; ++i) layer.windows.padding[i] += pad->second.in_front[i];
      }
      if (const Value* residual = node.input("residual")) {
        const std::optional<ValueIndex> index = find(residual);
        if (!index) return false;
        layer.residual = *index;
      }
      layer.output =
          add_value(output, output.tensor().dtype == at::kByte ? kCodes : format::ValueType::kFloat32, fused.grid);
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
    if (node.op() == kMaxPoolCodes && !bool_arg(node, "ceil_mode")) {
      format::Windows windows;
      for (size_t i = 0; i < 2; ++i) {
        windows.kernel[i] = ints_arg(node, "kernel_size", 2)[i];
        windows.stride[i] = ints_arg(node, "stride", 2)[i];
        windows.padding[i] = ints_arg(node, "padding", 2)[i];
        windows.dilation[i] = ints_arg(node, "dilation", 2)[i];
      }
      add_node(node, format::MaxPool{input, add_value(output, kCodes, grid_of(input)), windows});
      return true;
    }
    if (node.op() == kConstantPad) return emit_pad(node, input);
    if (node.op() == kAvgPoolCodes && ints_arg(node, "kernel_size").empty()) {
      const auto [grid, lo, hi] = output_grid(node);
      add_node(node, format::GlobalAveragePool{input, add_value(output, kCodes, grid), lo, hi});
      return true;
    }
    if (node.op() == kAddCodes) {
      const std::optional<ValueIndex> b = find(node.input("b"));
      const auto [grid, lo, hi] = output_grid(node);
      if (b) add_node(node, format::Add{input, *b, add_value(output, kCodes, grid), lo, hi});
      return b.has_value();
    }
    return emit_reshape(node, input);
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
        node.output()->tensor().rank() == 4 && sizes.size() <= 4 && int_arg(node, "value") == grid_of(input).zero_point;
    if (!of_image || std::any_of(sizes.begin(), sizes.end(), [](int64_t size) { return size < 0; })) return false;
    pads_[node.output()] = {input, {sizes.size() > 2 ? sizes[2] : 0, sizes.empty() ? 0 : sizes[0]}};
    return true;
  }

  // A node that hands codes on in another shape, or as they are.
  bool emit_reshape(const Node& node, ValueIndex input) {
    static const std::unordered_set<OpId> kSame = {OpId{"aten.clone.default"}, OpId{"aten.contiguous.default"},
                                                   OpId{"aten.dropout.default"}};
    static const std::unordered_set<OpId> kReshapes = {OpId{"aten.flatten.using_ints"}, OpId{"aten.reshape.default"},
                                                       OpId{"aten.view.default"}};
    const Value& output = *node.output();
    if (made_.model.values[input].type != format::ValueType::kUint8) return false;
    if (kSame.contains(node.op())) {
      values_[&output] = input;
      return true;
    }
    if (!kReshapes.contains(node.op()) || output.tensor().rank() != 2) return false;
    add_node(node, format::Flatten{input, add_value(output, format::ValueType::kUint8, grid_of(input))});
    return true;
  }

  void emit_output(size_t i) {
    const Argument output = graph_.outputs()[i];
    const auto* value = std::get_if<Value*>(&output);
    const std::optional<ValueIndex> index = value == nullptr ? std::nullopt : find(*value);
    if (value != nullptr && failed_.contains(*value)) return;
    if (index && program_.output_specs()[i].kind == OutputKind::kUser) {
      made_.model.outputs.push_back(*index);
    } else {
      problems_.push_back(fmt::format("output {}: is no tensor that the runtime computes", i));
    }
  }

  [[noreturn]] void refuse() {
    std::string all;
    for (const std::string& problem : problems_) all += "\n  " + problem;
    throw Error({.where = "lower to the runtime",
                 .what = fmt::format("{} parts of the program have no place in it:{}", problems_.size(), all),
                 .hint = "quantize with the recipe int8-static, which puts everything on integers"});
  }

  struct Pad {
    ValueIndex input;
    int64_t in_front[2];  // rows, columns
  };
  struct Fused {
    format::Layer layer;
    TensorGrid grid;
  };

  static constexpr int64_t kMostBatch = 65536;  // where a program names no limit

  Program program_;
  Graph& graph_;
  RuntimeModel made_;
  std::optional<Dim> batch_;
  std::unordered_map<const Node*, Fused> layers_;
  std::unordered_map<const Value*, ValueIndex> values_;
  std::unordered_map<const Value*, Pad> pads_;
  std::unordered_set<const Value*> failed_;  // that could not be made
  std::vector<std::string> problems_;
};

}  // namespace

RuntimeModel lower_to_runtime(Program converted, const std::string& source) {
  return RuntimeLowering(std::move(converted), source).run();
}

}  // namespace torquant
