#include "torquant/lower/move_codes.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "torquant/graph/neighbours.h"
#include "torquant/lower/grid.h"
#include "torquant/lower/moving_ops.h"
#include "torquant/pass/aliasing.h"

namespace torquant {
namespace {

std::vector<Node*> moving_nodes(Program& program) {
  std::vector<Node*> nodes;
  for (Node& node : program.graph()) {
    if (moves_values(node)) nodes.push_back(&node);
  }
  return nodes;
}

// The codes behind every tensor that `node` reads; empty where one of them is not on `grid`.
std::unordered_map<Value*, Value*> codes_behind(const Node& node, const Grid& grid) {
  std::unordered_map<Value*, Value*> codes;
  for (Value* input : node.inputs()) {
    if (!input->is_tensor()) continue;  // a computed size
    const std::optional<OnGrid> read = dequantized(input);
    if (!read || read->grid != grid) return {};
    codes.emplace(input, read->input);
  }
  return codes;
}

// What `node` reads that is not on `grid`; nothing where an in-place operator writes over it. Of what is quantized
// already, bytes alone change their grid: by a table (map_codes.h).
std::vector<Value*> not_on_grid(const Node& node, const Grid& grid) {
  std::vector<Value*> numbers;
  for (Value* input : node.inputs()) {
    if (!input->is_tensor()) continue;
    const std::optional<OnGrid> read = dequantized(input);
    if (read && read->grid == grid) continue;
    if (is_written(input) || (read && (read->grid.dtype != at::kByte || grid.dtype != at::kByte))) return {};
    numbers.push_back(input);
  }
  return numbers;
}

}  // namespace

PassResult quantize_before_moving(Program& program) {
  PassResult result;
  std::vector<Node*> nodes = moving_nodes(program);
  std::reverse(nodes.begin(), nodes.end());  // a chain of them is worked through from its end
  for (Node* node : nodes) {
    const std::optional<OnGrid> quantize = read_quantize(sole_reader(node->output()));
    if (!quantize) continue;
    for (Value* numbers : not_on_grid(*node, quantize->grid)) {
      Value* codes = insert_quantize(node, numbers, quantize->grid);
      node->replace_input(numbers, insert_dequantize(node, codes, quantize->grid));
      result.changed = true;
    }
  }
  return result;
}

PassResult move_codes(Program& program) {
  PassResult result;
  Graph& graph = program.graph();
  for (Node* node : moving_nodes(program)) {
    Node* user = sole_reader(node->output());
    const std::optional<OnGrid> quantize = read_quantize(user);
    if (!quantize) continue;
    const std::unordered_map<Value*, Value*> codes = codes_behind(*node, quantize->grid);
    if (codes.empty() || !move_on_codes(*node, quantize->grid)) continue;
    for (const auto& [numbers, code] : codes) node->replace_input(numbers, code);
    graph.replace_all_uses(user->output(), node->output());
    graph.erase(user);
    result.changed = true;
  }
  return result;
}

}  // namespace torquant
