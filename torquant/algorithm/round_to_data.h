#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

struct RoundToDataOptions {
  std::function<bool(const Node&)> selects = nullptr;  // which layers; all if null
  // After each layer. May throw, and then leaves the layers to come as they were.
  std::function<void(size_t done, size_t total)> after_layer = nullptr;
  // Called between steps of at most about a second. May throw likewise.
  std::function<void()> poll = nullptr;
};

struct RoundToDataResult {
  size_t layers = 0;                   // whose codes were chosen anew
  std::vector<Refusal> refusals = {};  // those that keep theirs, with the reason
};

// Chooses the int8 weights of a converted program anew, layer by layer from the input on, so that each layer's output
// comes as near to the float program's as its scales allow on `samples` (docs/semantics.md, W1 to W3). Scales, zero
// points and activations stay as they are; a bias takes up what is left of the mean.
//
// `reference`: the float program with the same layers under the same names: a prepared program, whose observers are
// passed by. `samples`: user inputs, as for calibration; all of them are held with their live activations at once.
// One thread, so that the bytes do not depend on how many there are.
RoundToDataResult round_to_data(Program& converted, const Program& reference,
                                const std::vector<std::vector<at::Tensor>>& samples,
                                const RoundToDataOptions& options = {});

}  // namespace torquant
