#pragma once

#include <vector>

#include "torquant/format/model.h"

namespace torquant {

// A part of a model, as a model of its own whose inputs and outputs are reals.
struct StageModel {
  format::Model model;
  std::vector<format::ValueIndex> inputs;  // of the whole model, in the order of the part's inputs
  std::vector<size_t> nodes;               // of the whole model that are in it, in order
};

// Node `node`, and those before it whose output is not among the values that are `known`: codes that it reads come in
// as reals, its own go out as reals.
StageModel model_of_stage(const format::Model& whole, size_t node, const std::vector<bool>& known);

// The whole model with what each of its nodes gives as an output, in order.
StageModel model_that_shows_all(const format::Model& whole);

}  // namespace torquant
