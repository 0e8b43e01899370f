#include "torquant/lower/map_codes.h"

#include <ATen/ops/arange.h>

#include <string>
#include <unordered_set>
#include <vector>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/grid.h"
#include "torquant/pass/constant_values.h"

namespace torquant {
namespace {

const OpId kMapCodes{"torquant.map_codes.default"};

// What it computes of a number depends on no other number.
bool is_elementwise(const Node& node) {
  static const std::unordered_set<std::string> kOps = {
      "add.Tensor",      "clamp.default",       "div.Tensor",        "elu.default",      "exp.default",
      "gelu.default",    "hardsigmoid.default", "hardswish.default", "hardtanh.default", "leaky_relu.default",
      "mish.default",    "mul.Tensor",          "neg.default",       "relu.default",     "relu6.default",
      "sigmoid.default", "silu.default",        "softplus.default",  "sub.Tensor",       "tanh.default"};
  constexpr std::string_view kAten = "aten.";
  const std::string& name = node.op().name();
  return name.starts_with(kAten) && kOps.contains(name.substr(kAten.size())) && node.inputs().size() == 1 &&
         node.output() != nullptr;
}

// The operators between dequantize and quantize, from the last to the first.
struct Chain {
  OnGrid input;
  Value* numbers;  // of the dequantize node
  std::vector<Node*> nodes;
};

std::optional<Chain> read_chain(Node* quantize) {
  const std::optional<OnGrid> end = read_quantize(quantize);
  if (!end || end->grid.dtype != at::kByte) return std::nullopt;
  std::vector<Node*> nodes;
  Value* numbers = end->input;
  while (numbers->producer() != nullptr && is_elementwise(*numbers->producer())) {
    if (sole_reader(numbers) == nullptr) return std::nullopt;
    nodes.push_back(numbers->producer());
    numbers = nodes.back()->inputs()[0];
  }
  const std::optional<OnGrid> input = dequantized(numbers);
  if (!input || input->grid.dtype != at::kByte) return std::nullopt;
  return Chain{*input, numbers, std::move(nodes)};
}

}  // namespace

PassResult map_codes(Program& program) {
  PassResult result;
  Graph& graph = program.graph();
  std::vector<Node*> ends;  // a match erases what stands before one of them, and no quantize node
  for (Node& node : graph) {
    if (read_quantize(&node)) ends.push_back(&node);
  }
  for (Node* last : ends) {
    const std::optional<Chain> chain = read_chain(last);
    if (!chain) continue;
    Node* first = chain->nodes.empty() ? last : chain->nodes.back();
    Value* codes = program.add_buffer(program.unique_state_name("all_codes"), at::arange(256, at::kByte));
    first->replace_input(chain->numbers, insert_dequantize(first, codes, chain->input.grid));
    Value* table = program.add_buffer(program.unique_state_name(last->name() + "_table"),
                                      evaluate_constant(program, last->output()).contiguous());
    last->set_args({{"x", chain->input.input}, {"table", table}});
    last->set_op(kMapCodes);
    for (Node* node : chain->nodes) graph.erase(node);
    result.changed = true;
  }
  return result;
}

}  // namespace torquant
