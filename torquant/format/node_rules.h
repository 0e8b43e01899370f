#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "torquant/format/model.h"

// What check_model() asks of each node. Private to format/.
namespace torquant::format {

// Offsets inside a tensor are 32 bits, a border included; far above what layers hold.
constexpr int64_t kMostElements = int64_t{1} << 28;

// What is wrong with an operation whose values are there and hold for themselves; "" where nothing is.
std::string node_problem(const Model& model, const Operation& operation);

// "[1, 3, 8, 8]"
std::string text_of(const std::vector<int64_t>& sizes);

}  // namespace torquant::format
