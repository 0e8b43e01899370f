#pragma once

#include <optional>
#include <string>

#include "torquant/graph/node.h"
#include "torquant/graph/op_id.h"

namespace torquant {

// The product that gives float32.
inline const OpId kMatmulCodes{"torquant.matmul_codes.default"};

// A product (matmul, bmm) of two dequantized uint8 activations, with the quantize node behind it where there is one,
// becomes torquant::matmul_codes. Gives what it became, "uint8 × uint8 → float32"; or nothing, and in `reason` why it
// stays in float.
std::optional<std::string> multiply_on_codes(Node* product, std::string& reason);

}  // namespace torquant
