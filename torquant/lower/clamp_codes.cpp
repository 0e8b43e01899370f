#include "torquant/lower/clamp_codes.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"

namespace torquant {

std::optional<Limits> read_limits(const Node& node) {
  const std::string& op = node.op().name();
  if (ops::is_relu(node.op())) return Limits{.least = 0};
  if (op == "aten.relu6.default") return Limits{0, 6};
  if (op != "aten.hardtanh.default" && op != "aten.hardtanh_.default") return std::nullopt;
  const Limits limits{double_arg(node, "min_val"), double_arg(node, "max_val")};
  return std::isnan(limits.least) || std::isnan(limits.most) ? std::nullopt : std::optional(limits);
}

Grid limited(const Grid& grid, const Limits& limits) {
  Grid result = grid;
  result.min = code_of(limits.least, grid);
  result.max = code_of(limits.most, grid);
  return result;
}

namespace {

// Then float32 tells the codes apart, and the number of a code has that code.
bool is_byte(const Grid& grid) { return grid.dtype == at::kByte || grid.dtype == at::kChar; }

// A value named `name` with the codes clamped: of the quantize node that makes them, where `reader` alone sees them.
Value* clamped(Value* codes, const Grid& range, Node* reader, const std::string& name) {
  Graph& graph = reader->graph();
  Node* producer = codes->producer();
  const std::optional<OnGrid> made = read_quantize(producer);
  Grid narrowed = range;
  if (made) {
    narrowed.min = std::clamp(made->grid.min, range.min, range.max);
    narrowed.max = std::clamp(made->grid.max, range.min, range.max);
  }
  const bool is_read_alone = sole_reader(codes) != nullptr && sole_reader(reader->input("self")) == reader;
  const bool on_one_grid = made && made->grid.scale == range.scale && made->grid.zero_point == range.zero_point &&
                           made->grid.dtype == range.dtype;
  if (!on_one_grid || !is_read_alone || narrowed.min == narrowed.max) {
    Node* node = graph.insert_before(reader, OpId{"aten.clamp.default"}, graph.unique_name(name),
                                     {{"self", codes}, {"min", range.min}, {"max", range.max}});
    return graph.add_output(node, name, codes->tensor());
  }
  Node* node = graph.insert_before(producer, producer->op(), graph.unique_name(name), producer->args());
  node->set_arg("quant_min", narrowed.min);
  node->set_arg("quant_max", narrowed.max);
  return graph.add_output(node, name, codes->tensor());
}

}  // namespace

PassResult clamp_codes(Program& program) {
  PassResult result;
  Graph& graph = program.graph();
  std::vector<Node*> clamps;  // a match erases one of them, and nodes that are none
  for (Node& node : graph) {
    if (read_limits(node)) clamps.push_back(&node);
  }
  for (Node* node : clamps) {
    const std::optional<OnGrid> input = dequantized(node->input("self"));
    Node* last = sole_reader(node->output());
    const std::optional<OnGrid> quantize = read_quantize(last);
    if (!input || !quantize || input->grid != quantize->grid || !is_byte(input->grid)) continue;
    const Grid range = limited(input->grid, *read_limits(*node));
    if (range.min > range.max) continue;
    // What takes the place of the last codes takes their name.
    const std::string name = last->output()->name();
    graph.replace_all_uses(last->output(), node->output());
    graph.erase(last);
    graph.replace_all_uses(node->output(), clamped(input->input, range, node, name));
    Node* dequantize = node->input("self")->producer();
    for (Node* dead : {node, dequantize, input->input->producer()}) {
      if (dead != nullptr && dead->output() != nullptr && dead->output()->users().empty()) graph.erase(dead);
    }
    result.changed = true;
  }
  return result;
}

}  // namespace torquant
