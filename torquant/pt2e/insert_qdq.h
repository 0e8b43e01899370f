#pragma once

#include "torquant/graph/program.h"
#include "torquant/pt2e/prepare.h"

namespace torquant {

// Replaces each torquant.observe node of `program` by a quantize and a dequantize node (torchao pt2e/convert.py):
// per tensor with the scale as a number, per channel with scales in buffers, dynamic (per tensor or token) with a
// choose_qparams node before.
void insert_quantize_dequantize(Program& program, const std::vector<PlacedObserver>& observers);

}  // namespace torquant
