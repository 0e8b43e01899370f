#include "torquant/lower/unsigned_activations.h"

#include <algorithm>

#include "torquant/lower/grid.h"

namespace torquant {
namespace {

constexpr int64_t kShift = 128;

void shift(Node& node, const Grid& grid) {
  node.set_arg("zero_point", grid.zero_point + kShift);
  node.set_arg("quant_min", grid.min + kShift);
  node.set_arg("quant_max", grid.max + kShift);
  node.set_arg("dtype", at::kByte);
}

}  // namespace

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
