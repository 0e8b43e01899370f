#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "torquant/lower/runtime.h"

namespace torquant::runtime_lowering {

// Stands in the graph for a fused layer: inputs are `input` and, where one is added, `residual`. Never run.
inline const OpId kFusedLayer{"torquant.fused_layer.default"};

// What the graph does not say of its nodes.
struct Facts {
  struct Layer {
    format::Layer packed;  // all but the values
    TensorGrid grid;       // of its output
    std::string name;      // of its output, as it was before
  };
  std::unordered_map<const Node*, Layer> layers;
  struct Dynamic {
    format::DynamicLinear packed;  // all but the values
    std::string name;              // of its output, as it was before
  };
  std::unordered_map<const Node*, Dynamic> dynamic;
  struct FloatLayer {
    format::FloatLayer packed;  // all but the values
    std::string name = {};      // of its output, as it was before
    bool of_images = false;     // a convolution, whose values lie with their channels last
  };
  std::unordered_map<const Node*, FloatLayer> float_layers;
  bool all_in_float() const { return !float_layers.empty() && layers.empty() && dynamic.empty(); }
  std::unordered_map<const Value*, TensorGrid>
      grids;  // of what was a quantize node's output before it became a table's
};

// A layer that computes on codes only, with its weight: attention and embeddings have nodes of their own.
bool wants_codes(const Node& node);

// Appends the program to `made`; what the runtime has nothing for, to `problems`.
void emit_model(const Program& program, const Facts& facts, RuntimeModel& made, std::vector<std::string>& problems);

}  // namespace torquant::runtime_lowering
