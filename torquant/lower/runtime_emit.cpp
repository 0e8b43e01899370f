#include "torquant/lower/runtime_emit.h"

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
#include "torquant/lower/runtime_attention.h"
#include "torquant/lower/runtime_builder.h"
#include "torquant/lower/runtime_float.h"
#include "torquant/lower/runtime_float_layer.h"
#include "torquant/lower/runtime_layer.h"
#include "torquant/lower/runtime_rows.h"

namespace torquant::runtime_lowering {
namespace {

const OpId kAddCodes{"torquant.add_codes.default"};
const OpId kMulCodes{"torquant.mul_codes.default"};
const OpId kMapCodes{"torquant.map_codes.default"};
const OpId kAvgPoolCodes{"torquant.avg_pool2d_codes.default"};
const OpId kClamp{"aten.clamp.default"};
const OpId kMaxPoolCodes{"quantized.max_pool2d.default"};

class Emitter {
 public:
  Emitter(const Program& program, const Facts& facts, RuntimeModel& made, std::vector<std::string>& problems)
      : program_(program),
        facts_(facts),
        made_(made),
        builder_(program, made, problems),
        rows_(facts, builder_),
        attention_(builder_, facts.all_in_float()),
        float_layers_(program, facts, builder_) {}

  void run() {
    for (const Value* input : program_.user_inputs()) {
      const bool is_integers = input->is_tensor() && input->tensor().dtype == at::kLong;
      made_.model.inputs.push_back(is_integers ? builder_.add_integers(*input) : builder_.add_floats(*input));
    }
    for (const Node& node : program_.graph()) emit(node);
    for (size_t i = 0; i < program_.graph().outputs().size(); ++i) emit_output(i);
  }

 private:
  struct Pad {
    ValueIndex input;
    int64_t in_front[3];  // columns, rows, planes
  };

  void emit(const Node& node) {
    if (node.output() != nullptr && !node.output()->is_tensor()) return;  // a size: all are known
    const std::vector<Value*> inputs = node.inputs();
    const auto is_failed = [&](const Value* value) { return failed_.contains(value); };
    const auto is_known = [&](const Value* value) {
      return builder_.is_known(value) || pads_.contains(value) || rows_.keeps(value);
    };
    const bool follows =
        wants_codes(node) || std::any_of(inputs.begin(), inputs.end(), is_failed);  // a problem that is told
    if (!follows && !std::any_of(inputs.begin(), inputs.end(), is_known)) return;   // of constants
    const Value* first = first_input(node);
    const auto pad = node.op() == kFusedLayer ? pads_.find(first) : pads_.end();
    if (!follows && (builder_.move(node) || emit_concat(node) || rows_.emit(node) || attention_.emit(node) ||
                     float_layers_.emit(node) || emit_on_floats(program_, node, builder_)))
      return;
    const std::optional<ValueIndex> input = pad == pads_.end() ? builder_.find(first) : pad->second.input;
    if (!follows && input && node.output() != nullptr && emit_from(node, *input)) return;
    if (!follows) builder_.problem(node.describe() + ": the runtime has no kernel for it on these types and sizes");
    failed_.insert(node.output());  // null of one with several, whose readers are told too
  }

  // False where the runtime has nothing for it.
  bool emit_from(const Node& node, ValueIndex input) {
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
        const std::optional<ValueIndex> index = builder_.find(residual);
        if (!index) return false;
        layer.residual = *index;
      }
      layer.output =
          output.tensor().dtype == at::kByte ? builder_.add_codes(output, fused.grid) : builder_.add_floats(output);
      builder_.rename_last(fused.name);
      builder_.add_node(node, layer);
      return true;
    }
    if (const std::optional<OnGrid> quantize = read_quantize(&node)) {
      if (quantize->grid.dtype != at::kByte) return false;
      builder_.add_node(
          node, format::Quantize{input, builder_.add_codes(output, tensor_grid(quantize->grid)),
                                 static_cast<uint8_t>(quantize->grid.min), static_cast<uint8_t>(quantize->grid.max)});
      return true;
    }
    if (read_dequantize(&node)) {
      builder_.add_node(node, format::Dequantize{input, builder_.add_floats(output)});
      return true;
    }
    if (node.op() == kMaxPoolCodes) {
      format::Windows windows = windows_of(node);
      for (size_t i = 0; i < 2; ++i) windows.dilation[i] = ints_arg(node, "dilation", 2)[i];
      builder_.add_node(node, format::MaxPool{input, builder_.add_codes(output, builder_.grid_of(input)), windows});
      return true;
    }
    if (node.op() == kConstantPad && !builder_.is_float(first_input(node))) return emit_pad(node, input);
    if (node.op() == kAvgPoolCodes) {
      const auto [grid, lo, hi] = output_grid(node);
      const ValueIndex mean = builder_.add_codes(output, grid);
      if (ints_arg(node, "kernel_size").empty()) {
        builder_.add_node(node, format::GlobalAveragePool{input, mean, lo, hi});
      } else {
        builder_.add_node(node, format::AveragePool{input, mean, windows_of(node), lo, hi});
      }
      return true;
    }
    if (node.op() == kAddCodes || node.op() == kMulCodes) return emit_binary(node, input);
    if (node.op() == kMapCodes) {
      const at::Tensor* table = program_.tensor_of(node.input("table"));
      const auto* codes = table->const_data_ptr<uint8_t>();
      add_table(node, input, facts_.grids.at(&output), std::vector<uint8_t>(codes, codes + table->numel()));
      return true;
    }
    if (node.op() == kClamp) {  // of codes, by clamp_codes()
      std::vector<uint8_t> table;
      for (int64_t code = 0; code < 256; ++code)
        table.push_back(static_cast<uint8_t>(std::clamp(code, int_arg(node, "min"), int_arg(node, "max"))));
      add_table(node, input, builder_.grid_of(input), std::move(table));
      return true;
    }
    return false;
  }

  void add_table(const Node& node, ValueIndex input, const TensorGrid& grid, std::vector<uint8_t> table) {
    const std::vector<uint8_t>& kept = made_.flags.emplace_back(std::move(table));
    builder_.add_node(node, format::MapCodes{input, builder_.add_codes(*node.output(), grid), kept});
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
    std::optional<ValueIndex> b = builder_.find(node.input("b"));
    if (!b) return false;
    const auto sizes = [&](ValueIndex value) { return builder_.value(value).sizes; };
    const auto [grid, lo, hi] = output_grid(node);
    const ValueIndex output = builder_.add_codes(*node.output(), grid);
    if (sizes(a) != sizes(output)) std::swap(a, *b);
    if (node.op() == kAddCodes) {
      builder_.add_node(node, format::Add{a, *b, output, lo, hi});
    } else {
      builder_.add_node(node, format::Multiply{a, *b, output, lo, hi});
    }
    return true;
  }

  bool emit_concat(const Node& node) {
    if (node.op() != ops::kCat) return false;
    const int64_t dim = int_arg(node, "dim");
    if (dim != 1 && dim != 1 - static_cast<int64_t>(node.output()->tensor().rank())) return false;
    format::Concat concat{};
    const auto* parts = std::get_if<std::vector<Value*>>(node.find_arg("tensors"));  // one may stand there twice
    if (parts == nullptr) return false;
    for (const Value* part : *parts) {
      const std::optional<ValueIndex> index = builder_.find(part);
      if (!index) return false;
      concat.inputs.push_back(*index);
    }
    concat.output = builder_.is_float((*parts)[0])
                        ? builder_.add_floats(*node.output())
                        : builder_.add_codes(*node.output(), builder_.grid_of(concat.inputs[0]));
    builder_.add_node(node, concat);
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
    const bool of_image = sizes.size() + 4 <= 2 * node.output()->tensor().rank() &&
                          int_arg(node, "value") == builder_.grid_of(input).zero_point;
    if (!of_image || std::any_of(sizes.begin(), sizes.end(), [](int64_t size) { return size < 0; })) return false;
    Pad& pad = pads_[node.output()] = {input, {}};
    for (size_t i = 0; i < sizes.size(); i += 2) pad.in_front[i / 2] = sizes[i];
    return true;
  }

  void emit_output(size_t i) {
    const Argument output = program_.graph().outputs()[i];
    const auto* value = std::get_if<Value*>(&output);
    const std::optional<ValueIndex> index = value == nullptr ? std::nullopt : builder_.find(*value);
    if (value != nullptr && failed_.contains(*value)) return;
    if (index && program_.output_specs()[i].kind == OutputKind::kUser) {
      made_.model.outputs.push_back(*index);
    } else {
      builder_.problem(fmt::format("output {}: is no tensor that the runtime computes", i));
    }
  }

  const Program& program_;
  const Facts& facts_;
  RuntimeModel& made_;
  ModelBuilder builder_;
  RowEmitter rows_;
  AttentionEmitter attention_;
  FloatLayerEmitter float_layers_;
  std::unordered_map<const Value*, Pad> pads_;
  std::unordered_set<const Value*> failed_;  // that could not be made
};

}  // namespace

bool wants_codes(const Node& node) {
  return is_layer(node) && node.op() != ops::kEmbedding && node.op() != ops::kScaledDotProductAttention;
}

void emit_model(const Program& program, const Facts& facts, RuntimeModel& made, std::vector<std::string>& problems) {
  Emitter(program, facts, made, problems).run();
}

}  // namespace torquant::runtime_lowering
