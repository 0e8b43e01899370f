#include "torquant/core/packed_weights.h"
#include "torquant/kernels/igemm/igemm.h"
#include "torquant/kernels/rows/rows.h"
#include "torquant/kernels/thread_pool.h"
#include "torquant/runtime/step_internal.h"

namespace torquant::runtime {
namespace {

class NormalizeStep : public Step {
 public:
  NormalizeStep(const StepMaker& maker, const format::Normalize& node)
      : node_(node),
        kernels_(select_rows_kernels(maker.isa)),
        columns_(static_cast<size_t>(maker.model.values[node.output].sizes.back())),
        rows_(maker.elements_of(node.output) / columns_) {}

  std::string kernel_name() const { return std::string(node_.rms ? "rms_norm_" : "layer_norm_") + kernels_.name; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    const PartRange range = part_of(rows_, 1, part, parts);
    const size_t first = range.begin * columns_;
    const auto residual = static_cast<format::ValueIndex>(node_.residual);
    kernels_.normalize({.rows = range.end - range.begin,
                        .columns = columns_,
                        .x = memory.floats(node_.input) + first,
                        .x_step = columns_,
                        .residual = node_.residual < 0 ? nullptr : memory.floats(residual) + first,
                        .residual_step = columns_,
                        .weight = node_.weight.empty() ? nullptr : node_.weight.data(),
                        .bias = node_.bias.empty() ? nullptr : node_.bias.data(),
                        .epsilon = node_.epsilon,
                        .rms = node_.rms,
                        .y = memory.floats(node_.output) + first,
                        .y_step = columns_});
  }

 private:
  const format::Normalize& node_;
  const RowsKernels& kernels_;
  size_t columns_, rows_;
};

class RotateStep : public Step {
 public:
  RotateStep(const StepMaker& maker, const format::Rotate& node)
      : node_(node), kernels_(select_rows_kernels(maker.isa)), batch_(maker.plan.batch) {
    const std::vector<int64_t>& sizes = maker.model.values[node.input.of].sizes;
    tokens_ = static_cast<size_t>(sizes[1]), row_ = static_cast<size_t>(sizes[2]);
  }

  std::string kernel_name() const { return std::string("rotate_") + kernels_.name; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    const PartRange range = part_of(tokens_, 1, part, parts);  // of each sequence
    const size_t size = node_.head_size, columns = node_.heads * size;
    for (size_t image = 0; image < batch_; ++image) {
      const size_t first = image * tokens_ + range.begin;
      kernels_.rotate({.rows = range.end - range.begin,
                       .heads = node_.heads,
                       .size = size,
                       .x = memory.floats(node_.input.of) + first * row_ + node_.input.begin,
                       .x_step = row_,
                       .cos = memory.floats(node_.cos) + range.begin * size,
                       .sin = memory.floats(node_.sin) + range.begin * size,
                       .y = memory.floats(node_.output) + first * columns,
                       .y_step = columns});
    }
  }

 private:
  const format::Rotate& node_;
  const RowsKernels& kernels_;
  size_t batch_, tokens_, row_;  // row: floats of the input's
};

// Rows are quantized some at a time into scratch memory, which the matrix product reads while it is in the cache.
class DynamicLinearStep : public Step {
 public:
  DynamicLinearStep(const StepMaker& maker, const format::DynamicLinear& node)
      : node_(node),
        rows_kernels_(select_rows_kernels(maker.isa)),
        kernel_(select_igemm(maker.isa)),
        inputs_(static_cast<size_t>(maker.model.values[node.input].sizes.back())),
        outputs_(static_cast<size_t>(maker.model.values[node.output].sizes.back())),
        rows_(maker.elements_of(node.output) / outputs_),
        shape_{.channels = outputs_, .inputs = inputs_},
        codes_step_(shape_.run_quads() * 4),
        block_rows_(std::min(rows_, kMostBlockRows)) {
    for (size_t row = 0; row < block_rows_; ++row) {
      input_offset_.push_back(static_cast<int32_t>(row * codes_step_));
      output_offset_.push_back(static_cast<int32_t>(row * outputs_ * sizeof(float)));
    }
  }

  const char* kernel_name() const { return kernel_.name; }
  size_t scratch_bytes() const override {
    return block_rows_ * (codes_step_ + sizeof(float) + sizeof(int32_t)) + kReadBehind;
  }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    PartRange rows{0, rows_}, columns{0, outputs_};
    if (rows_ >= kFewRows * parts) {
      rows = part_of(rows_, kernel_.row_tile, part, parts);
    } else {  // the weights are what costs: each thread reads some
      columns = part_of(outputs_, kColumnGrain, part, parts);
    }
    if (columns.begin >= columns.end) return;
    uint8_t* scratch = memory.scratch + part * memory.scratch_step;
    auto* scale = reinterpret_cast<float*>(scratch);
    auto* zero_point = reinterpret_cast<int32_t*>(scale + block_rows_);
    auto* codes = reinterpret_cast<uint8_t*>(zero_point + block_rows_);
    const size_t panel = columns.begin / 16;
    for (size_t row = rows.begin; row < rows.end; row += block_rows_) {
      const size_t count = std::min(block_rows_, rows.end - row);
      rows_kernels_.quantize({.rows = count,
                              .columns = inputs_,
                              .x = memory.floats(node_.input) + row * inputs_,
                              .x_step = inputs_,
                              .codes = codes,
                              .codes_step = codes_step_,
                              .scale = scale,
                              .zero_point = zero_point});
      float* output = memory.floats(node_.output) + row * outputs_ + columns.begin;
      kernel_.run({.rows = count,
                   .columns = columns.end - columns.begin,
                   .input = codes,
                   .input_offset = input_offset_.data(),
                   .runs = 1,
                   .run_quads = shape_.run_quads(),
                   .run_offset = &kNoOffset,
                   .weights = node_.weights.data() + panel * shape_.run_quads() * 64,
                   .pairs_fit = node_.pairs_fit.data() + panel,
                   .start = zeros_.data(),
                   .multiplier = node_.multiplier.data() + columns.begin,
                   .offset = node_.offset.data() + columns.begin,
                   .lo = 0,
                   .hi = 255,
                   .to_reals = true,
                   .output = reinterpret_cast<uint8_t*>(output),
                   .output_offset = output_offset_.data(),
                   .residual = nullptr,
                   .residual_offset = nullptr,
                   .residual_multiplier = 0,
                   .row_scale = scale,
                   .row_zero_point = zero_point,
                   .column_sum = node_.column_sum.data() + columns.begin});
    }
  }

 private:
  static constexpr size_t kMostBlockRows = 128, kFewRows = 24, kColumnGrain = 64;
  static constexpr size_t kReadBehind = 64;
  static constexpr int32_t kNoOffset = 0;

  const format::DynamicLinear& node_;
  const RowsKernels& rows_kernels_;
  const IgemmKernel& kernel_;
  size_t inputs_, outputs_, rows_;
  PackedShape shape_;
  size_t codes_step_, block_rows_;
  std::vector<int32_t> input_offset_, output_offset_;
  std::vector<int32_t> zeros_ = std::vector<int32_t>(shape_.panels() * 16, 0);
};

}  // namespace

MadeStep make_step(const StepMaker& maker, const format::Normalize& node) { return made<NormalizeStep>(maker, node); }
MadeStep make_step(const StepMaker& maker, const format::Rotate& node) { return made<RotateStep>(maker, node); }
MadeStep make_step(const StepMaker& maker, const format::DynamicLinear& node) {
  return made<DynamicLinearStep>(maker, node);
}

}  // namespace torquant::runtime
