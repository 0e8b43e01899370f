#pragma once

#include <ATen/core/ivalue.h>

#include <map>
#include <span>
#include <string>

#include "torquant/graph/program.h"

namespace torquant {

// Checks the user inputs of a run against the program and gives the value of each symbol of its sizes.
// Throws Error that names the input, the value and what is allowed.
std::map<std::string, int64_t> check_inputs(const Program& program, std::span<const c10::IValue> inputs);

// "batch (2 to 64)": the sizes an input may have, for messages and `inspect`.
std::string allowed_sizes(const Program& program, const TensorMeta& meta);

}  // namespace torquant
