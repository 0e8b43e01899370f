#pragma once

#include "torquant/graph/program.h"

namespace torquant::reference {

// The patterns of reference_representation.h that end in one node: `node` is that last node (the quantize node; of a
// dynamic linear layer, the layer). True when it was replaced; the nodes of the pattern are dead then.
bool rewrite_dynamic_linear(Program& program, Node* node);
bool rewrite_static_layer(Program& program, Node* node);  // linear, convolution
bool rewrite_add(Program& program, Node* node);           // with and without ReLU
bool rewrite_max_pool(Program& program, Node* node);

// quantize and dequantize by themselves; nothing but int8.
bool rewrite_quantize(Program& program, Node* node);
bool rewrite_dequantize(Program& program, Node* node);

}  // namespace torquant::reference
