#include "torquant/pass/duplicate_dequantize.h"

#include <algorithm>

#include "torquant/graph/ops.h"

namespace torquant {
namespace {

bool reads_size_only(const Node* node) { return node->op().name().starts_with("aten.sym_"); }

bool is_annotated(const Node* node) { return node->find_metadata(kAnnotatedKey) != nullptr; }

bool has_dynamic_scale(const Node& dequantize) {
  const Value* scale = dequantize.input(dequantize.op() == ops::kDequantizePerToken ? "scales" : "scale");
  const Node* chooser = scale == nullptr ? nullptr : scale->producer();
  return chooser != nullptr && ops::is_choose_qparams(chooser->op());
}

void port_metadata(const Node& from, Node& to) {
  for (const char* key : {"nn_module_stack", "stack_trace"}) {
    if (const std::string* text = from.find_metadata(key)) to.set_metadata(key, *text);
  }
}

Node* copy_behind(Node* node) {
  Graph& graph = node->graph();
  const std::string name = graph.unique_name(node->name());
  Node* copy = graph.insert_after(node, node->op(), name, node->args());
  graph.add_output(copy, name, node->output()->meta());
  return copy;
}

}  // namespace

PassResult duplicate_dequantize(Program& program) {
  PassResult result;
  for (Node* node : program.graph().nodes_snapshot()) {
    if (!ops::is_dequantize(node->op())) continue;
    std::vector<Node*> users = node->output()->users();
    std::erase_if(users, reads_size_only);
    if (users.size() == 1 && is_annotated(users[0])) port_metadata(*users[0], *node);
    if (users.size() <= 1 || has_dynamic_scale(*node)) continue;
    for (Node* user : users) {
      if (!is_annotated(user)) continue;
      Node* copy = copy_behind(node);
      port_metadata(*user, *copy);
      user->replace_input(node->output(), copy->output());
      result.changed = true;
    }
    if (node->output()->users().empty()) program.graph().erase(node);
  }
  for (Node& node : program.graph()) {
    std::erase_if(node.metadata(), [](const auto& entry) { return entry.first == kAnnotatedKey; });
  }
  return result;
}

}  // namespace torquant
