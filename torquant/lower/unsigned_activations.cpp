#include "torquant/lower/unsigned_activations.h"

#include <algorithm>

namespace torquant {
namespace {

void shift(Node& node, const Grid& grid) {
  const Grid grown = make_unsigned(grid);
  node.set_arg("zero_point", grown.zero_point);
  node.set_arg("quant_min", grown.min);
  node.set_arg("quant_max", grown.max);
  node.set_arg("dtype", grown.dtype);
}

}  // namespace

Grid make_unsigned(const Grid& grid) {
  return {.scale = grid.scale,
          .zero_point = grid.zero_point + kUnsignedShift,
          .min = grid.min + kUnsignedShift,
          .max = grid.max + kUnsignedShift,
          .dtype = at::kByte};
}

PassResult make_activations_unsigned(Program& program) {
  PassResult result;
  for (Node* node : program.graph().nodes_snapshot()) {
    const std::optional<OnGrid> quantize = read_quantize(node);
    if (!quantize || quantize->grid.dtype != at::kChar) continue;
    const std::vector<Node*> users = node->output()->users();
    const bool only_dequantized = std::all_of(users.begin(), users.end(), [&](const Node* user) {
      const std::optional<OnGrid> read = read_dequantize(user);
      return read && read->grid == quantize->grid;
    });
    if (!only_dequantized) continue;
    shift(*node, quantize->grid);
    for (Node* user : users) shift(*user, quantize->grid);
    node->output()->tensor().dtype = at::kByte;
    result.changed = true;
  }
  return result;
}

}  // namespace torquant
