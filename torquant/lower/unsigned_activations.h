#pragma once

#include "torquant/graph/program.h"
#include "torquant/lower/grid.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// What int8 codes grow by to be uint8 codes of the same numbers.
inline constexpr int64_t kUnsignedShift = 128;
// The grid of the grown codes.
Grid make_unsigned(const Grid& grid);

// Moves int8 activations by 128 into uint8, the only activations that LibTorch's oneDNN convolutions take: codes, zero
// point and range grow by 128, the numbers they mean stay the same to the bit. A value that something else than
// dequantize nodes reads stays as it is.
PassResult make_activations_unsigned(Program& program);

}  // namespace torquant
