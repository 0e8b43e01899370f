#pragma once

#include <cstdint>
#include <vector>

#include "torquant/core/result.h"
#include "torquant/format/model.h"

namespace torquant::format {

// A model whose sizes are all known but for the batch, and the constants that had to be copied for it.
struct ModelOfLength {
  Model model;
  std::vector<std::vector<float>> numbers;
};

// `model` for one length: number + growth * (length - least length) everywhere, constants cut at their ends. What it
// points to is the model's. An error where the length is not the model's, or check_model() finds one.
Result<ModelOfLength> at_length(const Model& model, int64_t length);

// The sizes of `value`, a value of `model`, for a batch and a length.
std::vector<int64_t> sizes_at(const Model& model, const Value& value, int64_t batch, int64_t length);

// The length at which input `value` has `sizes`; the least one where these say nothing of it.
int64_t length_of(const Model& model, const Value& value, const std::vector<int64_t>& sizes);

}  // namespace torquant::format
