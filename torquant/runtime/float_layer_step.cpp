#include <algorithm>
#include <cstring>

#include "torquant/kernels/fgemm/fgemm.h"
#include "torquant/kernels/thread_pool.h"
#include "torquant/runtime/step_internal.h"

namespace torquant::runtime {
namespace {

constexpr size_t kColumnGrain = 32;
// Of what is read for some rows of the output: it stays in the second-level cache while all weights pass by.
constexpr size_t kBlockFloats = size_t{96} << 10;
// Rows that are this far apart, or a multiple of it, share the few places of the first-level cache that one has.
constexpr size_t kCacheWay = 1024;
constexpr size_t kLine = 16;

// A convolution or linear layer as one matrix product for some rows of the output at a time. Where windows leave the
// image, what these rows read is copied first, with zeros around it: once, for all columns.
class FloatLayerStep : public Step {
 public:
  FloatLayerStep(const StepMaker& maker, const format::FloatLayer& layer)
      : layer_(layer), kernel_(select_fgemm(maker.isa)), groups_(static_cast<size_t>(layer.groups)) {
    const format::Value &input = maker.model.values[layer.input], &output = maker.model.values[layer.output];
    const format::FloatImage in = float_image_of(input), out = float_image_of(output);
    const format::Windows::Axis rows = layer.windows.rows(), columns = layer.windows.columns();
    inputs_ = static_cast<size_t>(in.channels), outputs_ = static_cast<size_t>(out.channels);
    images_ = maker.plan.batch * static_cast<size_t>(out.depth);
    height_ = static_cast<size_t>(in.height), width_ = static_cast<size_t>(in.width);
    output_height_ = static_cast<size_t>(out.height), output_width_ = static_cast<size_t>(out.width);
    is_rows_ = layer.windows.taps() == 1 && rows.stride == 1 && columns.stride == 1;
    if (is_rows_) {  // all images are one, of single pixels
      output_height_ *= images_ * output_width_, output_width_ = 1, images_ = 1;
      height_ = output_height_, width_ = 1;
    }
    const auto reach = [](const format::Windows::Axis& axis) {
      return static_cast<size_t>((axis.kernel - 1) * axis.dilation + 1);
    };
    stride_ = static_cast<size_t>(rows.stride), reach_ = reach(rows);
    top_ = static_cast<size_t>(rows.padding), left_ = static_cast<size_t>(columns.padding);
    const size_t column_stride = static_cast<size_t>(columns.stride);
    const size_t read_width = (output_width_ - 1) * column_stride + reach(columns);
    const size_t read_height = (output_height_ - 1) * stride_ + reach_;
    copies_ = top_ + left_ > 0 || read_width > width_ || read_height > height_ ||
              (is_rows_ && inputs_ % kCacheWay == 0 && outputs_ >= inputs_ / 8);
    line_ = width_ * inputs_;
    if (copies_) line_ = std::max(read_width, left_ + width_) * inputs_ + (is_rows_ ? kLine : 0);

    const size_t lines = std::max(reach_, kBlockFloats / line_);
    block_rows_ = std::min(output_height_, (lines - reach_) / stride_ + 1);
    for (size_t y = 0; y < block_rows_; ++y) {
      for (size_t x = 0; x < output_width_; ++x)
        input_offset_.push_back(static_cast<int32_t>(y * stride_ * line_ + x * column_stride * inputs_));
    }
    const auto kernel_height = static_cast<size_t>(rows.kernel), kernel_width = static_cast<size_t>(columns.kernel);
    const bool whole_rows = columns.dilation == 1 && groups_ == 1;
    run_length_ = whole_rows ? kernel_width * inputs_ : inputs_ / groups_;
    for (size_t ky = 0; ky < kernel_height; ++ky) {
      for (size_t kx = 0; kx < (whole_rows ? 1 : kernel_width); ++kx) {
        const size_t pixels = kx * static_cast<size_t>(columns.dilation);
        run_offset_.push_back(static_cast<int32_t>(ky * static_cast<size_t>(rows.dilation) * line_ + pixels * inputs_));
      }
    }
  }

  const char* kernel_name() const { return kernel_.name; }
  size_t scratch_bytes() const override { return copies_ ? lines_of(block_rows_) * line_ * sizeof(float) : 0; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    const size_t rows = images_ * output_height_;
    PartRange row_range{0, rows}, columns{0, outputs_};
    if (by_columns(parts)) {
      columns = part_of(outputs_, kColumnGrain, part, parts);
    } else {
      row_range = part_of(rows, is_rows_ ? kernel_.row_tile : 1, part, parts);
    }
    if (columns.begin >= columns.end) return;
    for (size_t row = row_range.begin; row < row_range.end;) {
      const size_t y = row % output_height_;
      const size_t count = std::min({block_rows_, row_range.end - row, output_height_ - y});
      const float* image = memory.floats(layer_.input) + row / output_height_ * height_ * width_ * inputs_;
      const float* from = image + y * stride_ * line_;
      if (copies_) {
        auto* copy = reinterpret_cast<float*>(memory.scratch + part * memory.scratch_step);
        copy_lines(image, y * stride_, lines_of(count), copy);
        from = copy;
      }
      for (size_t group = 0; group < groups_; ++group) run_block(memory, from, row, count, group, columns);
      row += count;
    }
  }

 private:
  // Where weights are more than numbers, each thread reads some of them; else each reads some rows.
  bool by_columns(size_t parts) const {
    const size_t numbers = images_ * height_ * width_ * inputs_;
    return groups_ == 1 && outputs_ >= kColumnGrain * parts &&
           (layer_.weights.size() > numbers || images_ * output_height_ < parts);
  }

  size_t lines_of(size_t output_rows) const { return (output_rows - 1) * stride_ + reach_; }

  // Lines `first` and following, counted from the first one of zeros above the image.
  void copy_lines(const float* image, size_t first, size_t count, float* to) const {
    const size_t numbers = width_ * inputs_, in_front = left_ * inputs_;
    for (size_t i = 0; i < count; ++i, to += line_) {
      const size_t y = first + i - top_;  // wraps around above the image
      if (y >= height_) {
        std::fill(to, to + line_, 0.0f);
        continue;
      }
      std::fill(to, to + in_front, 0.0f);
      std::memcpy(to + in_front, image + y * numbers, numbers * sizeof(float));
      std::fill(to + in_front + numbers, to + line_, 0.0f);
    }
  }

  void run_block(const Memory& memory, const float* from, size_t row, size_t count, size_t group,
                 PartRange columns) const {
    const size_t channels = outputs_ / groups_, panels = (channels + 15) / 16, depth = run_offset_.size() * run_length_;
    const size_t panel = group * panels + columns.begin / 16;
    const size_t at = row * output_width_ * outputs_ + group * channels + columns.begin;
    kernel_.run({.rows = count * output_width_,
                 .columns = std::min(columns.end, channels) - columns.begin,
                 .input = from + group * (inputs_ / groups_),
                 .input_offset = input_offset_.data(),
                 .runs = run_offset_.size(),
                 .run_length = run_length_,
                 .run_offset = run_offset_.data(),
                 .weights = layer_.weights.data() + panel * depth * 16,
                 .bias = layer_.bias.data() + panel * 16,
                 .lo = layer_.lo,
                 .hi = layer_.hi,
                 .output = memory.floats(layer_.output) + at,
                 .output_step = outputs_,
                 .residual = layer_.residual < 0 ? nullptr
                                                 : memory.floats(static_cast<format::ValueIndex>(layer_.residual)) + at,
                 .residual_step = outputs_});
  }

  const format::FloatLayer& layer_;
  const FgemmKernel& kernel_;
  size_t groups_, inputs_, outputs_, images_;
  size_t height_, width_, output_height_, output_width_;
  size_t stride_, reach_, top_, left_;  // of rows; zeros in front
  bool is_rows_, copies_;
  size_t line_, block_rows_;  // floats from a row of pixels to the next one; rows of the output at a time
  size_t run_length_;
  std::vector<int32_t> input_offset_, run_offset_;
};

}  // namespace

MadeStep make_step(const StepMaker& maker, const format::FloatLayer& node) {
  return node.depthwise ? make_depthwise_step(maker, node) : made<FloatLayerStep>(maker, node);
}

}  // namespace torquant::runtime
