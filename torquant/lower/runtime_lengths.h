#pragma once

#include <c10/util/FunctionRef.h>

#include <cstdint>
#include <optional>
#include <string>

#include "torquant/lower/runtime.h"

namespace torquant::runtime_lowering {

// The one size of a program's inputs that varies and is not the batch, the first size of the first input.
struct Length {
  std::string symbol;
  int64_t least, most;
};

constexpr int64_t kMostLength = 4096;  // where the program names no less: what depends on the length is kept for it

// Nothing where all other sizes are numbers. Throws Error where several vary.
std::optional<Length> find_length(const Program& program);

// The model for all lengths, from what `lower` gives for a few: what differs between them has to grow with the length,
// and constants have to be the beginnings of each other. Throws Error that names what does not.
RuntimeModel lower_for_lengths(const Length& length, c10::function_ref<RuntimeModel(int64_t)> lower);

}  // namespace torquant::runtime_lowering
