#pragma once

#include <cstdint>
#include <memory>

#include "torquant/data/dataset.h"
#include "torquant/graph/program.h"

namespace torquant {

// Made-up inputs for a program, `samples` of them, each one call at the sizes of the example that was exported: floats
// normally distributed with mean 0 and deviation 1, integers and bools 0 or 1, which every table and mask takes. Sample
// i depends on the program's inputs and on i alone.
// They exercise a flow; ranges calibrated on them are those of noise. Throws Error for an input that is no tensor of
// such a type, or whose sizes are unknown.
std::unique_ptr<Dataset> make_synthetic_dataset(const Program& program, int64_t samples);

}  // namespace torquant
