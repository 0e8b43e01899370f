#include "torquant/lower/onednn.h"

#include <unordered_set>

#include "torquant/graph/layers.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/clamp_codes.h"
#include "torquant/lower/compute_on_codes.h"
#include "torquant/lower/map_codes.h"
#include "torquant/lower/move_codes.h"
#include "torquant/lower/multiply_on_codes.h"
#include "torquant/lower/onednn_epilogue.h"
#include "torquant/lower/onednn_layer.h"
#include "torquant/lower/onednn_operator.h"
#include "torquant/lower/unsigned_activations.h"
#include "torquant/pass/canonicalize.h"
#include "torquant/pass/constant_values.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {
namespace {

const OpId kContiguous{"aten.contiguous.default"};

std::vector<std::string> float_operators(const Graph& graph) {
  std::vector<std::string> operators;
  for (const Node& node : graph) {
    const bool of_floats =
        node.output() != nullptr && node.output()->is_tensor() && at::isFloatingType(node.output()->tensor().dtype);
    const bool is_reported = is_layer(node) || onednn::is_operator(node.op()) || node.op() == kMatmulCodes;
    const bool computes = !ops::is_dequantize(node.op()) && node.op() != kContiguous;
    if (of_floats && computes && !is_reported) operators.push_back(node.describe());
  }
  return operators;
}

// What the layer became; or nothing, and in `reason` why it stays in float.
std::optional<std::string> lower_layer(Program& program, const std::unordered_set<const Value*>& constants, Node* node,
                                       std::string& reason) {
  const std::optional<onednn::Layer> layer = onednn::read_layer(program, constants, node, reason);
  if (!layer) return std::nullopt;
  const onednn::Epilogue epilogue = onednn::read_epilogue(*layer, onednn::Backend::kOneDnn);
  onednn::replace_by_operator(program, *layer, epilogue);
  return epilogue.describe();
}

}  // namespace

LoweredProgram lower_to_onednn(Program converted) {
  LoweredProgram lowered{.program = std::move(converted), .report = {}};
  Program& program = lowered.program;
  onednn::check_operators();
  canonicalize(program);  // archives converted elsewhere, and what an in-place operator would hide
  make_activations_unsigned(program);
  clamp_codes(program);  // before layers, which store the codes that are left
  quantize_before_moving(program);
  move_codes(program);
  const std::unordered_set<const Value*> constants = constant_values(program);  // of the nodes that are there now
  std::vector<Node*> layers;  // a layer erases itself and what it fuses, never another layer
  for (Node& node : program.graph()) {
    if (is_layer(node)) layers.push_back(&node);
  }
  for (Node* node : layers) {
    LoweredLayer& layer =
        lowered.report.layers.emplace_back(LoweredLayer{.node = node->describe(), .macs = multiply_accumulates(*node)});
    const std::optional<std::string> becomes = node->op() == ops::kMatmul || node->op() == ops::kBmm
                                                   ? multiply_on_codes(node, layer.reason)
                                                   : lower_layer(program, constants, node, layer.reason);
    layer.lowered = becomes.has_value();
    layer.becomes = becomes.value_or("");
  }
  compute_on_codes(program);
  map_codes(program);
  move_codes(program);
  onednn::overwrite_residuals(program.graph());
  remove_dead_nodes(program);
  remove_dead_state(program);
  lowered.report.float_operators = float_operators(program.graph());
  return lowered;
}

double LoweringReport::percent_of_macs() const {
  double percent = 0;
  for (const LoweredLayer& layer : layers) percent += layer.lowered ? percent_of_macs(layer) : 0;
  return percent;
}

double LoweringReport::percent_of_macs(const LoweredLayer& layer) const {
  int64_t all = 0;
  for (const LoweredLayer& each : layers) all += each.macs;
  return all == 0 ? 0 : 100.0 * static_cast<double>(layer.macs) / static_cast<double>(all);
}

}  // namespace torquant
