#include "torquant/kernels/igemm/igemm.h"
#include "torquant/kernels/thread_pool.h"
#include "torquant/runtime/step_internal.h"

namespace torquant::runtime {
namespace {

// Below this many rows a thread its columns are shared instead: the weights are then what costs.
constexpr size_t kFewRows = 24;
constexpr size_t kColumnGrain = 64;

// A convolution or linear layer as one int8 matrix product an image, or one for all where images are single pixels.
class IgemmStep : public Step {
 public:
  IgemmStep(const StepMaker& maker, const format::Layer& layer)
      : layer_(layer),
        kernel_(select_igemm(maker.isa)),
        input_(maker.place(layer.input)),
        output_(maker.place(layer.output)),
        to_reals_(maker.model.values[layer.output].type == format::ValueType::kFloat32) {
    zero_point_ = static_cast<uint8_t>(maker.grid(layer.output).zero_point);
    if (layer.residual >= 0) residual_ = &maker.place(static_cast<format::ValueIndex>(layer.residual));
    const bool single_pixels = output_.height * output_.width == 1;
    images_ = single_pixels ? 1 : output_.batch;
    for (size_t image = 0; image < (single_pixels ? output_.batch : 1); ++image) add_rows(image);

    const format::Windows& w = layer.windows;
    const PackedShape shape =
        packed_shape(layer, static_cast<int64_t>(input_.channels), static_cast<int64_t>(output_.channels));
    run_quads_ = shape.run_quads();
    for (size_t run = 0; run < shape.runs(); ++run) {
      const size_t y = shape.whole_rows ? run : run / shape.kernel_width,
                   x = shape.whole_rows ? 0 : run % shape.kernel_width;
      const size_t bytes = y * static_cast<size_t>(w.dilation[0]) * input_.row_bytes +
                           x * static_cast<size_t>(w.dilation[1]) * input_.pixel_bytes;
      run_offset_.push_back(static_cast<int32_t>(bytes));
    }
  }

  const char* kernel_name() const { return kernel_.name; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    const size_t rows = input_offset_.size(), columns = output_.channels;
    PartRange row_range{0, rows}, column_range{0, columns};
    if (rows >= kFewRows * parts) {
      row_range = part_of(rows, kernel_.row_tile, part, parts);
    } else {
      column_range = part_of(columns, kColumnGrain, part, parts);
    }
    const size_t first = column_range.begin, panel = first / 16, panel_bytes = run_offset_.size() * run_quads_ * 64;
    for (size_t image = 0; image < images_ && row_range.begin < row_range.end && first < column_range.end; ++image) {
      const size_t padding = static_cast<size_t>(layer_.windows.padding[0]) * input_.row_bytes +
                             static_cast<size_t>(layer_.windows.padding[1]) * input_.pixel_bytes;
      kernel_.run({.rows = row_range.end - row_range.begin,
                   .columns = column_range.end - first,
                   .input = memory.arena + input_.first_pixel(image) - padding,
                   .input_offset = input_offset_.data() + row_range.begin,
                   .runs = run_offset_.size(),
                   .run_quads = run_quads_,
                   .run_offset = run_offset_.data(),
                   .weights = layer_.weights.data() + panel * panel_bytes,
                   .pairs_fit = layer_.pairs_fit.data() + panel,
                   .start = layer_.start.data() + first,
                   .multiplier = layer_.multiplier.data() + first,
                   .offset = layer_.offset.data() + first,
                   .lo = layer_.lo,
                   .hi = layer_.hi,
                   .to_reals = to_reals_,
                   .output = output_of(memory, image, first),
                   .output_offset = output_offset_.data() + row_range.begin,
                   .residual = residual_ == nullptr ? nullptr : memory.arena + residual_->first_pixel(image) + first,
                   .residual_offset = residual_offset_.data() + (residual_ == nullptr ? 0 : row_range.begin),
                   .residual_multiplier = layer_.residual_multiplier});
    }
    if (!to_reals_) fill_border(output_, memory.arena, zero_point_, part, parts);
  }

 private:
  uint8_t* output_of(const Memory& memory, size_t image, size_t column) const {
    if (!to_reals_) return memory.arena + output_.first_pixel(image) + column;
    return reinterpret_cast<uint8_t*>(memory.floats[layer_.output] + column);
  }

  void add_rows(size_t image) {
    const auto offset = [&](const Place& place, size_t y, size_t x) {
      return static_cast<int32_t>(image * place.image_bytes + y * place.row_bytes + x * place.pixel_bytes);
    };
    for (size_t y = 0; y < output_.height; ++y) {
      for (size_t x = 0; x < output_.width; ++x) {
        input_offset_.push_back(offset(input_, y * static_cast<size_t>(layer_.windows.stride[0]),
                                       x * static_cast<size_t>(layer_.windows.stride[1])));
        output_offset_.push_back(to_reals_ ? static_cast<int32_t>(image * output_.channels * sizeof(float))
                                           : offset(output_, y, x));
        if (residual_ != nullptr) residual_offset_.push_back(offset(*residual_, y, x));
      }
    }
  }

  const format::Layer& layer_;
  const IgemmKernel& kernel_;
  const Place& input_;
  const Place& output_;
  bool to_reals_;
  const Place* residual_ = nullptr;
  uint8_t zero_point_;
  size_t images_, run_quads_;
  std::vector<int32_t> input_offset_, run_offset_, output_offset_, residual_offset_;
};

}  // namespace

MadeStep make_layer_step(const StepMaker& maker, const format::Layer& layer) {
  auto step = std::make_unique<IgemmStep>(maker, layer);
  const char* kernel = step->kernel_name();
  return {std::move(step), kernel};
}

}  // namespace torquant::runtime
