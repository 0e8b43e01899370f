#pragma once

#include <cstdint>

#include "torquant/graph/node.h"

namespace torquant {

// A node that people count as a layer of a network: one with a weight, or a product of two activations.
bool is_layer(const Node& node);

// Multiply-accumulates at the example sizes: what each output (of a transposed convolution: each input) element takes.
// 0 where sizes are unknown, and for what is no product.
int64_t multiply_accumulates(const Node& node);

}  // namespace torquant
