#include "torquant/lower/compute_on_codes.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/clamp_codes.h"
#include "torquant/lower/grid.h"
#include "torquant/lower/integer_ops.h"
#include "torquant/lower/unsigned_activations.h"

namespace torquant {
namespace {

const OpId kAddCodes{"torquant.add_codes.default"};
const OpId kMulCodes{"torquant.mul_codes.default"};
const OpId kAvgPoolCodes{"torquant.avg_pool2d_codes.default"};
const OpId kAvgPool2d{"aten.avg_pool2d.default"};
const OpId kMeanDim{"aten.mean.dim"};
const OpId kSqueezeDims{"aten.squeeze.dims"};

using Ints = std::vector<int64_t>;

bool on_bytes(const std::optional<OnGrid>& read) { return read && read->grid.dtype == at::kByte; }

// What ends a pattern: the quantize node, and the codes that a clamp on the way lets through.
struct End {
  Node* quantize;
  Grid grid;
};

std::optional<End> read_end(const Node& node) {
  Node* last = sole_reader(node.output());
  const std::optional<Limits> limits = last == nullptr ? std::nullopt : read_limits(*last);
  if (limits) last = sole_reader(last->output());
  const std::optional<OnGrid> quantize = read_quantize(last);
  if (!on_bytes(quantize)) return std::nullopt;
  return End{last, limited(quantize->grid, limits.value_or(Limits{}))};
}

void append_grid(std::vector<NamedArgument>& args, const Grid& grid) {
  args.push_back({"output_scale", grid.scale});
  args.push_back({"output_zero_point", grid.zero_point});
  args.push_back({"quant_min", grid.min});
  args.push_back({"quant_max", grid.max});
}

// An operand of a sum or product, on uint8 codes. What is computed is uint8 by now, what is stored may be int8.
std::optional<OnGrid> read_operand(const Program& program, const Value* numbers) {
  const std::optional<OnGrid> read = dequantized(numbers);
  const bool stored = read && read->grid.dtype == at::kChar && program.tensor_of(read->input) != nullptr;
  return on_bytes(read) || stored ? read : std::nullopt;
}

OnGrid as_uint8(Program& program, const OnGrid& operand) {
  if (operand.grid.dtype == at::kByte) return operand;
  const at::Tensor codes = program.tensor_of(operand.input)->to(at::kShort).add(kUnsignedShift).to(at::kByte);
  const std::string& name = program.spec_of(operand.input)->target;
  return {program.add_buffer(program.unique_state_name(name + "_uint8"), codes), make_unsigned(operand.grid)};
}

std::optional<std::vector<NamedArgument>> read_binary(Program& program, const Node& node) {
  if (node.op() != ops::kMul && (node.op() != ops::kAdd || double_arg(node, "alpha") != 1)) return std::nullopt;
  const std::optional<OnGrid> self = read_operand(program, node.input("self"));
  const std::optional<OnGrid> other = read_operand(program, node.input("other"));
  if (!self || !other) return std::nullopt;
  const OnGrid a = as_uint8(program, *self), b = as_uint8(program, *other);
  return std::vector<NamedArgument>{{"a", a.input}, {"a_scale", a.grid.scale}, {"a_zero_point", a.grid.zero_point},
                                    {"b", b.input}, {"b_scale", b.grid.scale}, {"b_zero_point", b.grid.zero_point}};
}

// The windows of an average over images; nothing for another node.
std::optional<Windows> read_windows(const Node& node) {
  if (node.op() == ops::kAdaptiveAvgPool2d) {
    const Ints size = ints_arg(node, "output_size", 2);
    return size == Ints{1, 1} ? std::optional(Windows{}) : std::nullopt;
  }
  if (node.op() == kMeanDim) {
    Ints dims = ints_arg(node, "dim");
    for (int64_t& dim : dims) dim += dim < 0 ? 4 : 0;
    std::sort(dims.begin(), dims.end());
    return dims == Ints{2, 3} ? std::optional(Windows{}) : std::nullopt;
  }
  if (node.op() != kAvgPool2d || bool_arg(node, "ceil_mode")) return std::nullopt;
  Windows windows{ints_arg(node, "kernel_size", 2), ints_arg(node, "stride", 2), ints_arg(node, "padding", 2)};
  const bool padded = windows.padding != Ints{0, 0};
  if (padded && !bool_arg(node, "count_include_pad")) return std::nullopt;
  return is_none(arg_or_default(node, "divisor_override")) ? std::optional(std::move(windows)) : std::nullopt;
}

std::optional<std::vector<NamedArgument>> read_average(const Node& node) {
  const Value* input = first_input(node);
  const std::optional<OnGrid> x = dequantized(input);
  if (!on_bytes(x) || x->input->tensor().rank() != 4) return std::nullopt;
  std::optional<Windows> windows = read_windows(node);
  if (!windows) return std::nullopt;
  return std::vector<NamedArgument>{{"x", x->input},
                                    {"x_scale", x->grid.scale},
                                    {"x_zero_point", x->grid.zero_point},
                                    {"kernel_size", std::move(windows->kernel)},
                                    {"stride", std::move(windows->stride)},
                                    {"padding", std::move(windows->padding)}};
}

// Lets readers of `pool` see [N, C] again, under `name`.
void drop_image(Graph& graph, Node* pool, const std::string& name) {
  Value* codes = pool->output();
  TensorMeta flat = codes->tensor();
  Node* squeeze =
      graph.insert_after(pool, kSqueezeDims, graph.unique_name("squeeze"), {{"self", codes}, {"dim", Ints{2, 3}}});
  std::vector<Dim> sizes = flat.sizes;
  sizes.resize(4, Dim(int64_t{1}));
  graph.replace_all_uses(codes, graph.add_output(squeeze, name, std::move(flat)), squeeze);
  codes->tensor() = contiguous_meta(at::kByte, std::move(sizes));
}

std::optional<OpId> operator_on_codes(const OpId& op) {
  if (op == ops::kAdd) return kAddCodes;
  if (op == ops::kMul) return kMulCodes;
  const bool averages = op == kMeanDim || op == kAvgPool2d || op == ops::kAdaptiveAvgPool2d;
  return averages ? std::optional(kAvgPoolCodes) : std::nullopt;
}

}  // namespace

PassResult compute_on_codes(Program& program) {
  PassResult result;
  Graph& graph = program.graph();
  std::vector<Node*> candidates;  // a match erases quantize and relu nodes, no candidate
  for (Node& node : graph) {
    if (operator_on_codes(node.op())) candidates.push_back(&node);
  }
  for (Node* node : candidates) {
    const std::optional<End> end = read_end(*node);
    if (!end) continue;
    const OpId op = *operator_on_codes(node->op());
    const bool drops_image = node->op() == kMeanDim && !bool_arg(*node, "keepdim");
    std::optional<std::vector<NamedArgument>> args =
        op == kAvgPoolCodes ? read_average(*node) : read_binary(program, *node);
    if (!args) continue;
    append_grid(*args, end->grid);
    const std::string name = end->quantize->output()->name();
    for (Node* reader = sole_reader(node->output()); reader != nullptr;) {
      graph.replace_all_uses(reader->output(), node->output());
      const bool last = reader == end->quantize;
      graph.erase(reader);
      reader = last ? nullptr : sole_reader(node->output());
    }
    node->set_args(std::move(*args));
    node->set_op(op);
    node->output()->tensor().dtype = at::kByte;
    if (drops_image) drop_image(graph, node, name);
    result.changed = true;
  }
  return result;
}

}  // namespace torquant
