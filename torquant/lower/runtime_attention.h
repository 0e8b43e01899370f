#pragma once

#include "torquant/graph/program.h"
#include "torquant/lower/runtime_builder.h"

namespace torquant::runtime_lowering {

// Appends masks, which are floats of 0 and 1, and scaled dot product attention.
class AttentionEmitter {
 public:
  // in_float: whether attention is, too; else it is on integers.
  AttentionEmitter(ModelBuilder& builder, bool in_float) : builder_(builder), in_float_(in_float) {}

  // False, and nothing appended, where `node` is none of these.
  bool emit(const Node& node);

 private:
  struct Heads {
    format::HeadRows rows;
    int64_t count;  // of heads that differ
  };

  bool emit_conversion(const Node& node);
  bool emit_and(const Node& node);
  bool emit_not(const Node& node);
  bool emit_hiding(const Node& node);
  bool emit_rotation(const Node& node);
  bool emit_attention(const Node& node);
  // Where the rows lie of what attention takes as [N, heads, T, head_size].
  std::optional<Heads> rows_of(const Node& node, const Value* value, const char* name);
  // The mask as floats that are added; -1 for none; nothing where it cannot be made.
  std::optional<int64_t> mask_of(const Node& node, const Value* mask, bool& causal);

  ModelBuilder& builder_;
  bool in_float_;
  std::unordered_map<const Value*, ValueIndex> masks_, angles_;
};

}  // namespace torquant::runtime_lowering
