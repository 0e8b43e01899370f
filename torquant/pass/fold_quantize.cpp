#include "torquant/pass/fold_quantize.h"

#include <ATen/core/Tensor.h>

#include "torquant/graph/ops.h"
#include "torquant/pass/constant_values.h"

namespace torquant {
namespace {

// The state name of the float tensor behind a quantize node; "" when it is computed.
std::string source_name(const Program& program, const Node& quantize) {
  const InputSpec* spec = program.spec_of(quantize.input("input"));
  return spec == nullptr ? "" : spec->target;
}

void replace_by_codes(Program& program, Node* quantize, at::Tensor codes) {
  Value* source = quantize->input("input");
  std::string name = source_name(program, *quantize);
  if (name.empty()) name = quantize->name();
  const bool sole_reader = source->producer() == nullptr && source->users().size() == 1;
  // The old tensor makes room first, so that the codes can have its name.
  Value* codes_value = nullptr;
  if (sole_reader) {
    Value* output = quantize->output();
    const std::string temporary = program.unique_state_name(name + ".codes");
    codes_value = program.add_buffer(temporary, std::move(codes));
    program.graph().replace_all_uses(output, codes_value);
    program.graph().erase(quantize);
    program.erase_input(source);
    if (program.find_state(name) == nullptr) program.rename_state(temporary, name);
    return;
  }
  codes_value = program.add_buffer(program.unique_state_name(name + "_quantized"), std::move(codes));
  program.graph().replace_all_uses(quantize->output(), codes_value);
  program.graph().erase(quantize);
}

}  // namespace

PassResult fold_quantize_constants(Program& program) {
  PassResult result;
  const std::unordered_set<const Value*> constants = constant_values(program);
  for (Node* node : program.graph().nodes_snapshot()) {
    if (!ops::is_quantize(node->op()) || !constants.contains(node->output())) continue;
    // One at a time, so that no more than one float tensor and its codes exist beside the program.
    replace_by_codes(program, node, evaluate_constant(program, node->output()));
    result.changed = true;
  }
  return result;
}

}  // namespace torquant
