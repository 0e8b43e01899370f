#include "torquant/kernels/attention/attention.h"

#include "torquant/runtime/step_internal.h"

namespace torquant::runtime {
namespace {

class AttentionStep : public Step {
 public:
  AttentionStep(const StepMaker& maker, const format::Attention& node) : node_(node), isa_(maker.isa) {
    const auto sizes = [&](format::ValueIndex value) { return maker.model.values[value].sizes; };
    const auto steps = [&](const std::vector<int64_t>& of) {
      const auto tokens = static_cast<size_t>(of[1]), row = static_cast<size_t>(of[2]);
      return AttentionSteps{.batch = tokens * row, .head = node.head_size, .token = row};
    };
    args_ = {.batch = maker.plan.batch,
             .heads = node.heads,
             .kv_heads = node.key_heads,
             .queries = static_cast<size_t>(sizes(node.output)[1]),
             .keys = static_cast<size_t>(sizes(node.key.of)[1]),
             .head_dim = node.head_size,
             .value_dim = node.head_size,
             .q = nullptr,
             .k = nullptr,
             .v = nullptr,
             .q_steps = steps(sizes(node.query.of)),
             .k_steps = steps(sizes(node.key.of)),
             .v_steps = steps(sizes(node.value.of)),
             .scale = node.scale,
             .causal = node.causal,
             .out = nullptr,
             .out_steps = steps(sizes(node.output))};
    args_.mask_steps = mask_steps(maker, node);
  }

  const char* kernel_name() const { return "attention_int8"; }
  // Of one thread alone: that includes what all share.
  size_t scratch_bytes() const override { return attention_scratch_bytes(args_, 1); }
  bool prepares() const override { return true; }

  void prepare(const Memory& memory, size_t part, size_t parts) const override {
    prepare_attention(args_of(memory), isa_, memory.scratch, part, parts);
  }
  void run(const Memory& memory, size_t part, size_t parts) const override {
    run_attention(args_of(memory), isa_, memory.scratch, part, parts);
  }

 private:
  AttentionArgs args_of(const Memory& memory) const {
    AttentionArgs args = args_;
    args.q = memory.floats(node_.query.of) + node_.query.begin;
    args.k = memory.floats(node_.key.of) + node_.key.begin;
    args.v = memory.floats(node_.value.of) + node_.value.begin;
    args.mask = node_.mask < 0 ? nullptr : memory.floats(static_cast<format::ValueIndex>(node_.mask));
    args.out = memory.floats(node_.output);
    return args;
  }

  const format::Attention& node_;
  CpuIsa isa_;
  AttentionArgs args_;
};

}  // namespace

AttentionSteps mask_steps(const StepMaker& maker, const format::Attention& node) {
  if (node.mask < 0) return {};
  const format::Value& value = maker.model.values[static_cast<format::ValueIndex>(node.mask)];
  std::vector<size_t> sizes(value.sizes.begin(), value.sizes.end());
  if (!value.is_constant()) sizes[0] = maker.plan.batch;
  const size_t row = sizes[3], head = sizes[2] * row, image = sizes[1] * head;
  return {.batch = sizes[0] == 1 ? 0 : image, .head = sizes[1] == 1 ? 0 : head, .token = sizes[2] == 1 ? 0 : row};
}

MadeStep make_step(const StepMaker& maker, const format::Attention& node) {
  return node.in_float ? make_float_step(maker, node) : made<AttentionStep>(maker, node);
}

}  // namespace torquant::runtime
