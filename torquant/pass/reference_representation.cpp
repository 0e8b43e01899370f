#include "torquant/pass/reference_representation.h"

#include <c10/core/ScalarType.h>
#include <fmt/format.h>

#include "torquant/graph/ops.h"
#include "torquant/pass/reference_patterns.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {

PassResult rewrite_as_reference_representation(Program& program) {
  PassResult result;
  using Rewrite = bool (*)(Program&, Node*);
  // Patterns before their parts; what is left of quantize and dequantize last. A rewrite leaves its old nodes dead, and
  // they must be gone before the next one asks who reads a value.
  for (const Rewrite rewrite :
       {reference::rewrite_dynamic_linear, reference::rewrite_static_layer, reference::rewrite_add,
        reference::rewrite_max_pool, reference::rewrite_quantize, reference::rewrite_dequantize}) {
    for (Node* node : program.graph().nodes_snapshot()) result.changed |= rewrite(program, node);
    remove_dead_nodes(program);
  }
  for (const Node& node : program.graph()) {
    if (!ops::is_quantize(node.op()) || node.input("input") == nullptr) continue;
    if (node.op() == ops::kQuantizePerToken) {
      result.refusals.push_back(
          {node.describe(), "it quantizes per token: integer arithmetic is written per tensor and per channel"});
    }
    const at::ScalarType dtype = node.input("input")->tensor().dtype;
    if (dtype == at::kFloat) continue;
    result.refusals.push_back(
        {node.describe(),
         fmt::format("it quantizes {}: integer arithmetic is written for float32 values", c10::toString(dtype))});
  }
  return result;
}

}  // namespace torquant
