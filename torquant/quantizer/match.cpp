#include "torquant/quantizer/match.h"

namespace torquant {

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
