#include "torquant/quantizer/match.h"

namespace torquant {

const Value* first_input(const Node& node) { return node.args().empty() ? nullptr : value_of(node.args()[0].value); }

const Node* sole_producer(const Value* value) {
  return value == nullptr || value->producer() == nullptr || value->users().size() != 1 ? nullptr : value->producer();
}

const Node* sole_reader(const Node& node) {
  if (node.values().empty() || node.values()[0]->users().size() != 1) return nullptr;
  const Node* reader = node.values()[0]->users()[0];
  return reader == &node.graph().output_node() ? nullptr : reader;
}

WrittenAs written_as(const Node& node) {
  WrittenAs result;
  const std::vector<ModuleScope> scopes = node.module_stack();
  if (!scopes.empty()) {
    const std::string& type = scopes.back().type;
    const bool of_pytorch = type.starts_with("torch.nn.modules.") || type.starts_with("torch.ao.");
    if (of_pytorch && !type.starts_with("torch.nn.modules.container.")) result.module = type;
  }
  // "silu_1;function.silu"
  if (const std::string* text = node.find_metadata("torch_fn")) result.function = text->substr(text->find(';') + 1);
  return result;
}

void set_input(QuantizationAnnotation& annotation, const Value* value, const std::optional<QuantizationSpec>& spec) {
  if (value != nullptr && spec) annotation.set_input(value, *spec);
}

void set_output(QuantizationAnnotation& annotation, const std::optional<QuantizationSpec>& spec) {
  if (spec) annotation.output_qspec = *spec;
}

}  // namespace torquant
