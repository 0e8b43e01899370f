#include "torquant/lower/compute_on_codes.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/grid.h"
#include "torquant/lower/integer_ops.h"

namespace torquant {
namespace {

const OpId kAddCodes{"torquant.add_codes.default"};
const OpId kAvgPoolCodes{"torquant.avg_pool2d_codes.default"};
const OpId kAvgPool2d{"aten.avg_pool2d.default"};
const OpId kMeanDim{"aten.mean.dim"};

using Ints = std::vector<int64_t>;

bool on_bytes(const std::optional<OnGrid>& read) { return read && read->grid.dtype == at::kByte; }

// What ends a pattern: the quantize node, and the least code that a relu on the way lets through.
struct End {
  Node* quantize;
  Grid grid;
};

std::optional<End> read_end(const Node& node) {
  Node* last = sole_reader(node.output());
  const bool relu = last != nullptr && ops::is_relu(last->op());
  if (relu) last = sole_reader(last->output());
  const std::optional<OnGrid> quantize = read_quantize(last);
  if (!on_bytes(quantize)) return std::nullopt;
  End end{last, quantize->grid};
  if (relu) end.grid.min = std::max(end.grid.min, end.grid.zero_point);
  return end;
}

void append_grid(std::vector<NamedArgument>& args, const Grid& grid) {
  args.push_back({"output_scale", grid.scale});
  args.push_back({"output_zero_point", grid.zero_point});
  args.push_back({"quant_min", grid.min});
  args.push_back({"quant_max", grid.max});
}

std::optional<std::vector<NamedArgument>> read_add(const Node& node) {
  if (node.op() != ops::kAdd && node.op() != ops::kAddInPlace) return std::nullopt;
  const std::optional<OnGrid> a = dequantized(node.input("self"));
  const std::optional<OnGrid> b = dequantized(node.input("other"));
  if (!on_bytes(a) || !on_bytes(b) || double_arg(node, "alpha") != 1) return std::nullopt;
  if (a->input->tensor().sizes != b->input->tensor().sizes) return std::nullopt;
  return std::vector<NamedArgument>{{"a", a->input}, {"a_scale", a->grid.scale}, {"a_zero_point", a->grid.zero_point},
                                    {"b", b->input}, {"b_scale", b->grid.scale}, {"b_zero_point", b->grid.zero_point}};
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
    return dims == Ints{2, 3} && bool_arg(node, "keepdim") ? std::optional(Windows{}) : std::nullopt;
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

}  // namespace

PassResult compute_on_codes(Program& program) {
  PassResult result;
  Graph& graph = program.graph();
  std::vector<Node*> candidates;  // a match erases quantize and relu nodes, no candidate
  for (Node& node : graph) {
    if (node.op() == ops::kAdd || node.op() == ops::kAddInPlace || node.op() == kMeanDim || node.op() == kAvgPool2d ||
        node.op() == ops::kAdaptiveAvgPool2d) {
      candidates.push_back(&node);
    }
  }
  for (Node* node : candidates) {
    const std::optional<End> end = read_end(*node);
    if (!end) continue;
    OpId op = kAddCodes;
    std::optional<std::vector<NamedArgument>> args = read_add(*node);
    if (!args) {
      op = kAvgPoolCodes;
      args = read_average(*node);
    }
    if (!args) continue;
    append_grid(*args, end->grid);
    for (Node* reader = sole_reader(node->output()); reader != nullptr;) {
      graph.replace_all_uses(reader->output(), node->output());
      const bool last = reader == end->quantize;
      graph.erase(reader);
      reader = last ? nullptr : sole_reader(node->output());
    }
    node->set_args(std::move(*args));
    node->set_op(op);
    node->output()->tensor().dtype = at::kByte;
    result.changed = true;
  }
  return result;
}

}  // namespace torquant
