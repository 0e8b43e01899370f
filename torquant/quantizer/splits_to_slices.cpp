#include "torquant/quantizer/splits_to_slices.h"

#include <vector>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/op_id.h"
#include "torquant/graph/operator_schema.h"

namespace torquant {
namespace {

const OpId kSlice{"aten.slice.Tensor"};
const OpId kSelect{"aten.select.int"};
const OpId kUnbind{"aten.unbind.int"};

bool is_split(const OpId& op) {
  return op == OpId{"aten.chunk.default"} || op == OpId{"aten.split.Tensor"} ||
         op == OpId{"aten.split_with_sizes.default"} || op == kUnbind;
}

// The parts, which all have a known size along `dim`. Empty where they do not.
std::vector<Value*> parts_of(const Node& node, size_t dim) {
  if (node.outputs().size() != 1) return {};
  const std::vector<Value*>& parts = node.outputs()[0].values;
  for (const Value* part : parts) {
    if (!part->is_tensor()) return {};
    if (node.op() == kUnbind) continue;
    if (part->tensor().rank() <= dim || !std::holds_alternative<int64_t>(part->tensor().sizes[dim])) return {};
  }
  return parts;
}

}  // namespace

void splits_to_slices(Program& program) {
  Graph& graph = program.graph();
  std::vector<Node*> splits;
  for (Node& node : graph) {
    if (is_split(node.op())) splits.push_back(&node);
  }
  for (Node* node : splits) {
    Value* input = first_input(*node);
    if (input == nullptr || !input->is_tensor()) continue;
    const auto rank = static_cast<int64_t>(input->tensor().rank());
    const int64_t given = int_arg(*node, "dim"), dim = given < 0 ? given + rank : given;
    int64_t start = 0;
    for (Value* part : parts_of(*node, static_cast<size_t>(dim))) {
      const bool whole = node->op() == kUnbind;
      const int64_t end = start + (whole ? 1 : std::get<int64_t>(part->tensor().sizes[static_cast<size_t>(dim)]));
      std::vector<NamedArgument> args = {{"self", input}, {"dim", dim}};
      if (whole) {
        args.push_back({"index", start});
      } else {
        args.push_back({"start", start});
        args.push_back({"end", end});
      }
      start = end;
      Node* moved = graph.insert_before(node, whole ? kSelect : kSlice, graph.unique_name(whole ? "select" : "slice"),
                                        std::move(args));
      for (const auto& [key, text] : node->metadata()) moved->set_metadata(key, text);
      Value* output = graph.add_output(moved, moved->name(), part->tensor());
      graph.replace_all_uses(part, output);
    }
    if (start > 0) graph.erase(node);
  }
}

}  // namespace torquant
