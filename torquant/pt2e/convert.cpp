#include "torquant/pt2e/convert.h"

#include "torquant/pass/pipeline.h"
#include "torquant/pass/remove_dead.h"
#include "torquant/pt2e/insert_qdq.h"

namespace torquant {
namespace {

// What passes told each other about nodes is no part of the result.
void remove_own_metadata(Graph& graph) {
  for (Node& node : graph) {
    std::erase_if(node.metadata(), [](const auto& entry) { return entry.first.starts_with("torquant."); });
  }
}

}  // namespace

ConvertedProgram convert_pt2e(PreparedProgram prepared, const ConvertOptions& options) {
  const std::vector<PlacedObserver> observers = prepared.observers();
  ConvertedProgram converted{.program = {}, .report = prepared.report()};
  converted.program = std::move(prepared).release();
  if (!options.keep_example_inputs) converted.program.remainder().sample_inputs.clear();
  remove_dead_nodes(converted.program);  // an observer that nobody reads need not have seen data
  insert_quantize_dequantize(converted.program, observers);
  PassResult passes = run_after_insertion(converted.program, options.fold_quantize);
  if (options.use_reference_representation) passes.add(run_reference_representation(converted.program));
  remove_own_metadata(converted.program.graph());
  converted.report.refusals.insert(converted.report.refusals.end(), passes.refusals.begin(), passes.refusals.end());
  return converted;
}

}  // namespace torquant
