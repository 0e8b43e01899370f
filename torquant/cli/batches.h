#pragma once

#include <cstdint>
#include <optional>

#include "torquant/data/dataset.h"
#include "torquant/graph/program.h"

namespace torquant::cli {

// How the samples of a data set are grouped into calls of a program.
struct BatchPlan {
  int64_t samples_per_call = 1;
  int64_t fixed_rows = 0;  // of axis 0 of the program's first input when export fixed it; else 0
};

// `wanted`: what the user asked for. Else the rows that export fixed, or, where the batch is dynamic, up to `preferred`
// samples within its range.
BatchPlan plan_batches(const Program& program, const Dataset& dataset, std::optional<int64_t> wanted,
                       int64_t preferred);

// The batch with its last row repeated until there are `rows`: a short last batch for a program of a fixed batch.
Sample padded(Sample batch, int64_t rows);

}  // namespace torquant::cli
