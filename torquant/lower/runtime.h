#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "torquant/format/model.h"
#include "torquant/graph/program.h"

namespace torquant {

// A model and the memory that its spans point to.
struct RuntimeModel {
  format::Model model;
  std::deque<std::vector<int8_t>> weights;  // a deque keeps them in place
  std::deque<std::vector<uint8_t>> flags;
  std::deque<std::vector<int32_t>> integers;
  std::deque<std::vector<float>> numbers;
};

// A converted program as the runtime executes it: each convolution or linear layer with bias, residual, activation and
// requantization in one node, everything between quantize and dequantize nodes on uint8 codes. Sizes that may vary are
// the batch and one other of the inputs, the model's length. Throws Error that names every node for which the runtime
// has nothing. `source`: of the program's file, for the record.
RuntimeModel lower_to_runtime(Program converted, const std::string& source);

}  // namespace torquant
