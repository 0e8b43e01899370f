#include "torquant/pass/pipeline.h"

#include "torquant/graph/verifier.h"
#include "torquant/pass/canonicalize.h"
#include "torquant/pass/duplicate_dequantize.h"
#include "torquant/pass/fold_batch_norm.h"
#include "torquant/pass/fold_quantize.h"
#include "torquant/pass/reference_representation.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {
namespace {

// What every pass leaves is a whole program: debug builds look after each group of them.
void verify_in_debug_builds([[maybe_unused]] const Program& program) {
#ifndef NDEBUG
  verify(program);
#endif
}

}  // namespace

PassResult run_before_annotation(Program& program) {
  PassResult result;
  result.add(canonicalize(program));       // first: all other passes match canonical operators only
  result.add(remove_dead_nodes(program));  // a dead reader would keep a batch norm from folding
  result.add(fold_batch_norm(program));    // before annotation: a quantizer sees the weights that will be quantized
  result.add(remove_dead_nodes(program));
  result.add(remove_dead_state(program));
  verify_in_debug_builds(program);
  return result;
}

PassResult run_after_insertion(Program& program, bool fold_quantize) {
  PassResult result;
  result.add(duplicate_dequantize(program));  // while the annotated readers are still marked
  if (fold_quantize) result.add(fold_quantize_constants(program));
  result.add(remove_dead_nodes(program));
  result.add(remove_dead_state(program));  // last: drops the float weights
  verify_in_debug_builds(program);
  return result;
}

PassResult run_reference_representation(Program& program) {
  PassResult result = rewrite_as_reference_representation(program);  // behind folding: weights are codes already
  result.add(remove_dead_nodes(program));
  verify_in_debug_builds(program);
  return result;
}

}  // namespace torquant
