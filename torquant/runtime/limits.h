#pragma once

#include <cstddef>

#include "torquant/core/result.h"
#include "torquant/format/model.h"
#include "torquant/runtime/memory_plan.h"

namespace torquant::runtime {

// What a run may cost at most. Far above real networks: a file made up for the purpose costs seconds and a few
// gigabytes, not hours and a machine's memory (docs/file_format.md).
constexpr size_t kMostArena = size_t{1} << 31;    // bytes; places of rows in it are 32 bits
constexpr size_t kMostPixels = size_t{1} << 26;   // of the outputs of all layers: steps keep 12 bytes for each
constexpr size_t kMostScratch = size_t{1} << 30;  // bytes, of all threads
constexpr double kMostWork = 1e13;                // 2,500 times ResNet-50

// The multiplications of a run of `batch` images, where each number read or written counts as 256 at least.
double work_of(const format::Model& model, size_t batch);

// Whether one run keeps to them; the error says which one it does not.
Result<void> check_limits(const format::Model& model, const MemoryPlan& plan);

}  // namespace torquant::runtime
