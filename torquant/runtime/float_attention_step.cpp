#include <algorithm>
#include <limits>

#include "torquant/kernels/fgemm/fgemm.h"
#include "torquant/kernels/rows/rows.h"
#include "torquant/kernels/thread_pool.h"
#include "torquant/runtime/step_internal.h"

namespace torquant::runtime {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr size_t kBlockRows = 36;  // queries whose scores are there at once; three tiles of the widest kernel
constexpr int32_t kNoOffset = 0;

size_t in_panels(size_t count) { return (count + 15) / 16 * 16; }

// Attention as two matrix products of each head (K13), whose weights are its keys and its values. Threads share heads.
class FloatAttentionStep : public Step {
 public:
  FloatAttentionStep(const StepMaker& maker, const format::Attention& node)
      : node_(node),
        product_(select_fgemm(maker.isa)),
        rows_(select_rows_kernels(maker.isa)),
        mask_steps_(mask_steps(maker, node)),
        batch_(maker.plan.batch),
        size_(node.head_size) {
    const auto sizes = [&](format::ValueIndex value) { return maker.model.values[value].sizes; };
    queries_ = static_cast<size_t>(sizes(node.output)[1]), keys_ = static_cast<size_t>(sizes(node.key.of)[1]);
    const auto row = [&](format::ValueIndex value) { return static_cast<size_t>(sizes(value)[2]); };
    query_step_ = row(node.query.of), key_step_ = row(node.key.of), value_step_ = row(node.value.of);
    output_step_ = row(node.output);
    for (size_t i = 0; i < std::min(kBlockRows, queries_); ++i) {
      query_offset_.push_back(static_cast<int32_t>(i * query_step_));
      score_offset_.push_back(static_cast<int32_t>(i * in_panels(keys_)));
    }
  }

  std::string kernel_name() const { return std::string("attention_float_") + rows_.name; }
  size_t scratch_bytes() const override { return sizeof(float) * (scores_at() + kBlockRows * in_panels(keys_)); }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    auto* scratch = reinterpret_cast<float*>(memory.scratch + part * memory.scratch_step);
    std::fill(scratch, scratch + keys_at(), 0.0f);
    const PartRange heads = part_of(batch_ * node_.heads, 1, part, parts);
    for (size_t i = heads.begin; i < heads.end; ++i) {
      const size_t image = i / node_.heads, head = i % node_.heads, shared_by = node_.heads / node_.key_heads;
      if (i == heads.begin || head % shared_by == 0) pack(memory, image, head / shared_by, scratch);
      for (size_t query = 0; query < queries_; query += kBlockRows)
        run_block(memory, image, head, query, std::min(kBlockRows, queries_ - query), scratch);
    }
  }

 private:
  // Where pieces of the scratch memory begin: zeros, keys, values, scores.
  size_t keys_at() const { return std::max(in_panels(keys_), in_panels(size_)); }
  size_t values_at() const { return keys_at() + in_panels(keys_) * size_; }
  size_t scores_at() const { return values_at() + in_panels(size_) * keys_; }

  // Keys and values of a head as weights (core/packed_floats.h).
  void pack(const Memory& memory, size_t image, size_t head, float* scratch) const {
    const float* k = memory.floats(node_.key.of) + image * keys_ * key_step_ + node_.key.begin + head * size_;
    const float* v = memory.floats(node_.value.of) + image * keys_ * value_step_ + node_.value.begin + head * size_;
    float *keys = scratch + keys_at(), *values = scratch + values_at();
    for (size_t j = 0; j < in_panels(keys_); ++j) {
      float* to = keys + j / 16 * size_ * 16 + j % 16;
      for (size_t d = 0; d < size_; ++d) to[d * 16] = j < keys_ ? k[j * key_step_ + d] * node_.scale : 0;
    }
    for (size_t d = 0; d < size_; d += 16) {
      const size_t count = std::min<size_t>(16, size_ - d);
      for (size_t j = 0; j < keys_; ++j, values += 16) {
        std::copy_n(v + j * value_step_ + d, count, values);
        std::fill(values + count, values + 16, 0.0f);
      }
    }
  }

  void run_block(const Memory& memory, size_t image, size_t head, size_t query, size_t count, float* scratch) const {
    const float* q = memory.floats(node_.query.of) + (image * queries_ + query) * query_step_ + node_.query.begin;
    const float* mask = node_.mask < 0 ? nullptr : memory.floats(static_cast<format::ValueIndex>(node_.mask));
    const size_t in_mask = image * mask_steps_.batch + head * mask_steps_.head + query * mask_steps_.token;
    float *scores = scratch + scores_at(), *output = memory.floats(node_.output) + head * size_;
    const size_t step = in_panels(keys_);
    product_.run({.rows = count,
                  .columns = keys_,
                  .input = q + head * size_,
                  .input_offset = query_offset_.data(),
                  .runs = 1,
                  .run_length = size_,
                  .run_offset = &kNoOffset,
                  .weights = scratch + keys_at(),
                  .bias = scratch,
                  .lo = -kInfinity,
                  .hi = kInfinity,
                  .output = scores,
                  .output_step = step,
                  .residual = mask == nullptr ? nullptr : mask + in_mask,
                  .residual_step = mask_steps_.token});
    for (size_t i = 0; node_.causal && i < count; ++i) {
      const size_t visible = std::min(keys_, query + i + 1);
      std::fill(scores + i * step + visible, scores + i * step + keys_, -kInfinity);
    }
    rows_.softmax(
        {.rows = count, .columns = keys_, .x = scores, .x_step = step, .y = scores, .y_step = step, .log = false});
    product_.run({.rows = count,
                  .columns = size_,
                  .input = scores,
                  .input_offset = score_offset_.data(),
                  .runs = 1,
                  .run_length = keys_,
                  .run_offset = &kNoOffset,
                  .weights = scratch + values_at(),
                  .bias = scratch,
                  .lo = -kInfinity,
                  .hi = kInfinity,
                  .output = output + (image * queries_ + query) * output_step_,
                  .output_step = output_step_,
                  .residual = nullptr,
                  .residual_step = 0});
  }

  const format::Attention& node_;
  const FgemmKernel& product_;
  const RowsKernels& rows_;
  AttentionSteps mask_steps_;
  size_t batch_, size_, queries_, keys_;
  size_t query_step_, key_step_, value_step_, output_step_;  // floats from token to token
  std::vector<int32_t> query_offset_, score_offset_;
};

}  // namespace

MadeStep make_float_step(const StepMaker& maker, const format::Attention& node) {
  return made<FloatAttentionStep>(maker, node);
}

}  // namespace torquant::runtime
