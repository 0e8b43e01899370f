#pragma once

#include "torquant/graph/program.h"
#include "torquant/lower/runtime_builder.h"
#include "torquant/lower/runtime_emit.h"

namespace torquant::runtime_lowering {

// Appends what computes on rows of floats: embeddings, layer norm and RMS norm with a sum in front of them, dynamically
// quantized linear layers.
class RowEmitter {
 public:
  RowEmitter(const Facts& facts, ModelBuilder& builder) : facts_(facts), builder_(builder) {}

  // False, and nothing appended, where `node` is none of these.
  bool emit(const Node& node);
  // Whether it has noted `value`, to make it part of the node that reads it.
  bool keeps(const Value* value) const { return sums_.contains(value); }

 private:
  struct Sum {
    ValueIndex a, b;
  };

  bool emit_embedding(const Node& node);
  bool emit_norm(const Node& node);
  bool emit_dynamic_linear(const Node& node);
  // A sum that a norm alone reads is the norm's own.
  bool keep_sum(const Node& node);
  std::optional<std::vector<float>> weights(const Node& node, const char* name, int64_t columns) const;

  const Facts& facts_;
  ModelBuilder& builder_;
  std::unordered_map<const Value*, Sum> sums_;
};

}  // namespace torquant::runtime_lowering
