#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "torquant/data/dataset.h"

namespace torquant {

// The numbers 0 … size - 1 in an order that depends on `seed` alone, the same on every platform: Fisher-Yates from the
// last place down, place i exchanged with place splitmix64() % (i + 1).
std::vector<int64_t> permutation(int64_t size, uint64_t seed);

// The samples of `data` in the order permutation(data.size(), seed); its name says so.
std::unique_ptr<Dataset> shuffled(std::unique_ptr<Dataset> data, uint64_t seed);

}  // namespace torquant
