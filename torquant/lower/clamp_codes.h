#pragma once

#include <limits>
#include <optional>

#include "torquant/graph/program.h"
#include "torquant/lower/grid.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// The numbers that a clamp lets through.
struct Limits {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
};

// Of relu, relu6 or hardtanh; nothing for another node, or where a limit is NaN.
std::optional<Limits> read_limits(const Node& node);

// The grid whose codes are those of numbers within the limits: as rounding is monotonic, codes can be clamped instead.
Grid limited(const Grid& grid, const Limits& limits);

// dequantize → clamp → quantize, all on one grid, becomes a narrower range of the quantize node in front where nobody
// else reads that, and else a clamp of the codes. XNNPACKQuantizer observes convolutions before their ReLU6.
PassResult clamp_codes(Program& program);

}  // namespace torquant
