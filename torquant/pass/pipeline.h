#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// The one place that says which passes run and in what order.

// What every quantizer relies on: canonical operators, no dead code, batch norms folded.
PassResult run_before_annotation(Program& program);

// From inserted quantize / dequantize pairs to what is saved.
PassResult run_after_insertion(Program& program, bool fold_quantize);

// From quantize / dequantize pairs around float operators to integer arithmetic, where there is one.
PassResult run_reference_representation(Program& program);

}  // namespace torquant
