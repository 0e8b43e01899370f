#pragma once

#include <string>
#include <vector>

#include "torquant/graph/program.h"

namespace torquant {

// A program that has inputs, x0, x1, … of these types, and nothing else.
inline Program input_program(const std::vector<TensorMeta>& inputs) {
  Program program;
  for (size_t i = 0; i < inputs.size(); ++i) {
    program.graph().add_input("x" + std::to_string(i), inputs[i]);
    program.input_specs().push_back({});
  }
  return program;
}

}  // namespace torquant
