#include "torquant/pass/fold_quantize.h"

#include <ATen/core/Tensor.h>

#include <unordered_map>

#include "torquant/graph/ops.h"
#include "torquant/pass/constant_values.h"

namespace torquant {
namespace {

void replace_by_codes(Program& program, Node* quantize, at::Tensor codes,
                      const std::unordered_map<std::string, size_t>& readers) {
  Graph& graph = program.graph();
  Value* source = quantize->input("input");
  const InputSpec* spec = program.spec_of(source);
  const std::string name = spec == nullptr ? quantize->name() : spec->target;
  const bool sole_reader = spec != nullptr && source->users().size() == 1 && readers.at(spec->target) == 1;
  if (!sole_reader) {
    Value* value = program.add_buffer(program.unique_state_name(name + "_quantized"), std::move(codes));
    graph.replace_all_uses(quantize->output(), value);
    graph.erase(quantize);
    return;
  }
  // The float tensor's own input holds the codes from now on.
  graph.replace_all_uses(quantize->output(), source);
  graph.erase(quantize);
  source->meta() = meta_of(codes);
  program.input_specs()[source->input_index()] = {InputKind::kBuffer, name};
  program.set_state({name, std::move(codes)});
}

}  // namespace

PassResult fold_quantize_constants(Program& program) {
  PassResult result;
  const std::unordered_set<const Value*> constants = constant_values(program);
  const std::unordered_map<std::string, size_t> readers = count_state_readers(program);
  for (Node* node : program.graph().nodes_snapshot()) {
    if (!ops::is_quantize(node->op()) || !constants.contains(node->output())) continue;
    // One at a time, so that no more than one float tensor and its codes exist beside the program.
    replace_by_codes(program, node, evaluate_constant(program, node->output()), readers);
    result.changed = true;
  }
  return result;
}

}  // namespace torquant
