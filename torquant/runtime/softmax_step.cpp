#include <algorithm>
#include <limits>

#include "torquant/kernels/rows/rows.h"
#include "torquant/kernels/thread_pool.h"
#include "torquant/runtime/step_internal.h"

namespace torquant::runtime {
namespace {

constexpr size_t kGrain = 16;  // a cache line of floats: threads write none of another's

// Along columns: y[i * step + c], i from 0 to count - 1. Rows of up to kColumns numbers are computed with at once.
struct SoftmaxColumns {
  const RowsKernels& kernels;
  size_t count, step;
  bool log;

  static constexpr size_t kColumns = 128;

  void run(const float* x, float* y, size_t columns) const {
    float most[kColumns], sum[kColumns] = {}, power[kColumns];
    std::copy_n(x, columns, most);
    for (size_t i = 1; i < count; ++i) {
      for (size_t c = 0; c < columns; ++c) most[c] = std::max(most[c], x[i * step + c]);
    }
    for (size_t c = 0; c < columns; ++c) most[c] = most[c] == -std::numeric_limits<float>::infinity() ? 0 : most[c];
    for (size_t i = 0; i < count; ++i) {
      float* row = y + i * step;
      combine(BinaryFunction::kSubtract, x + i * step, most, row, columns);
      map(MapFunction::kExp, row, log ? power : row, columns);
      combine(BinaryFunction::kAdd, sum, log ? power : row, sum, columns);
    }
    if (log) {
      map(MapFunction::kLog, sum, sum, columns);
    } else {
      for (size_t c = 0; c < columns; ++c) sum[c] = sum[c] == 0 ? 0 : 1 / sum[c];
    }
    for (size_t i = 0; i < count; ++i)
      combine(log ? BinaryFunction::kSubtract : BinaryFunction::kMultiply, y + i * step, sum, y + i * step, columns);
  }

 private:
  void map(MapFunction function, const float* x, float* y, size_t columns) const {
    kernels.map({.count = columns, .x = x, .y = y, .function = function, .a = 0, .b = 0});
  }
  void combine(BinaryFunction function, const float* a, const float* b, float* y, size_t columns) const {
    kernels.binary({.count = columns, .a = a, .b = b, .one_a = false, .one_b = false, .y = y, .function = function});
  }
};

class SoftmaxStep : public Step {
 public:
  SoftmaxStep(const StepMaker& maker, const format::Softmax& node)
      : node_(node), kernels_(select_rows_kernels(maker.isa)) {
    const std::vector<int64_t>& sizes = maker.model.values[node.input].sizes;
    outer_ = maker.plan.batch;
    for (size_t d = 1; d < sizes.size(); ++d)
      (d < node.dim ? outer_ : d == node.dim ? count_ : inner_) *= static_cast<size_t>(sizes[d]);
  }

  const char* kernel_name() const { return node_.log ? "log_softmax" : "softmax"; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    const PartRange range = part_of(outer_ * inner_, inner_ == 1 ? 1 : kGrain, part, parts);
    const float* x = memory.floats(node_.input);
    float* y = memory.floats(node_.output);
    if (inner_ == 1) return run_rows(x, y, range);
    const SoftmaxColumns softmax{kernels_, count_, inner_, node_.log};
    for (size_t column = range.begin; column < range.end;) {
      const size_t first = column % inner_, at = column / inner_ * count_ * inner_ + first;
      const size_t columns = std::min({inner_ - first, range.end - column, SoftmaxColumns::kColumns});
      softmax.run(x + at, y + at, columns);
      column += columns;
    }
  }

 private:
  void run_rows(const float* x, float* y, const PartRange& range) const {
    kernels_.softmax({.rows = range.end - range.begin,
                      .columns = count_,
                      .x = x + range.begin * count_,
                      .x_step = count_,
                      .y = y + range.begin * count_,
                      .y_step = count_,
                      .log = node_.log});
  }

  const format::Softmax& node_;
  const RowsKernels& kernels_;
  size_t outer_, count_ = 1, inner_ = 1;  // [outer, count, inner] is the input
};

}  // namespace

MadeStep make_step(const StepMaker& maker, const format::Softmax& node) { return made<SoftmaxStep>(maker, node); }

}  // namespace torquant::runtime
