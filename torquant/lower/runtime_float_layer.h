#pragma once

#include <optional>
#include <unordered_map>

#include "torquant/lower/runtime_builder.h"
#include "torquant/lower/runtime_emit.h"

namespace torquant::runtime_lowering {

// Stands in the graph for a layer whose weight stayed in float, with the sum and the clamp behind it: inputs are
// `input` and, where one is added, `residual`. Never run.
inline const OpId kFloatLayer{"torquant.float_layer.default"};

// Puts one node in place of each linear layer and convolution of one or two dimensions whose weight is float32 and
// constant, with what can be fused of what follows: a sum with a tensor of its sizes, then a clamp.
void fuse_float_layers(Program& program, Facts& facts, RuntimeModel& made);

// Appends float layers, and what is computed on float images that lie as they do: with their channels last. Where such
// an image is read by a node that wants PyTorch's order, the builder moves it.
class FloatLayerEmitter {
 public:
  FloatLayerEmitter(const Program& program, const Facts& facts, ModelBuilder& builder)
      : program_(program), facts_(facts), builder_(builder) {}

  // False, and nothing appended, where `node` is none of them.
  bool emit(const Node& node);

 private:
  bool emit_layer(const Node& node);
  bool emit_map(const Node& node);
  bool emit_arithmetic(const Node& node);
  bool emit_pool(const Node& node);
  bool emit_mean(const Node& node);

  // A model's value of the numbers with channels last: nothing where they would have to be moved.
  std::optional<ValueIndex> image_in_place(const Value* value) const;
  // The same, moved where they have to be; nothing of what are no floats of the model.
  std::optional<ValueIndex> image(const Value* value);
  // A new value for the numbers of `value`, [N, C, ...], with channels last, which `value` is known by from now on.
  ValueIndex add_image(const Value& value);

  const Program& program_;
  const Facts& facts_;
  ModelBuilder& builder_;
  std::unordered_map<const Value*, ValueIndex> images_;  // that were moved
};

}  // namespace torquant::runtime_lowering
