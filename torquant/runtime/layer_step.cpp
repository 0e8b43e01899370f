#include "torquant/kernels/igemm/igemm.h"
#include "torquant/kernels/thread_pool.h"
#include "torquant/kernels/winograd/winograd.h"
#include "torquant/runtime/step_internal.h"

namespace torquant::runtime {
namespace {

// Below this many rows a thread its columns are shared instead: the weights are then what costs.
constexpr size_t kFewRows = 24;
constexpr size_t kColumnGrain = 64;
// Whose reals are in scratch memory at once.
constexpr size_t kScratchRows = 64;

// A convolution or linear layer as one int8 matrix product a plane, or one for all where images are single pixels.
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
    const bool single_pixels = output_.pixels() == 1;
    planes_ = single_pixels ? 1 : output_.planes();
    for (size_t image = 0; image < (single_pixels ? output_.batch : 1); ++image) add_rows(image);

    const format::Windows& w = layer.windows;
    const PackedShape shape =
        packed_shape(layer, static_cast<int64_t>(input_.channels), static_cast<int64_t>(output_.channels));
    run_quads_ = shape.run_quads();
    const bool is_3x3 = shape.whole_rows && shape.runs() == 3 && w.kernel[0] == 3 && w.kernel[1] == 3 &&
                        w.stride[0] == 1 && w.stride[1] == 1 && w.dilation[0] == 1;
    if (is_3x3 && !to_reals_) winograd_ = select_winograd(maker.isa, input_.channels, output_.height, output_.width);
    for (size_t row = 0; row < kScratchRows && reals_of_images(); ++row)
      scratch_offset_.push_back(static_cast<int32_t>(row * output_.channels * sizeof(float)));
    for (size_t run = 0; run < shape.runs(); ++run) {
      const size_t row = shape.whole_rows ? run : run / shape.kernel_width,
                   x = shape.whole_rows ? 0 : run % shape.kernel_width;
      const size_t y = row % static_cast<size_t>(w.kernel[0]), z = row / static_cast<size_t>(w.kernel[0]);
      const size_t bytes = z * static_cast<size_t>(w.planes.dilation) * input_.plane_bytes +
                           y * static_cast<size_t>(w.dilation[0]) * input_.row_bytes +
                           x * static_cast<size_t>(w.dilation[1]) * input_.pixel_bytes;
      run_offset_.push_back(static_cast<int32_t>(bytes));
    }
  }

  const char* kernel_name() const { return winograd_ != nullptr ? winograd_->name : kernel_.name; }
  size_t scratch_bytes() const override {
    if (winograd_ != nullptr) return winograd_scratch_bytes(input_.channels);
    return reals_of_images() ? kScratchRows * output_.channels * sizeof(float) : 0;
  }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    for (size_t group = 0; group < static_cast<size_t>(layer_.groups); ++group) run_group(memory, group, part, parts);
    if (!to_reals_) fill_border(output_, memory.arena, zero_point_, part, parts);
  }

 private:
  void run_group(const Memory& memory, size_t group, size_t part, size_t parts) const {
    const auto groups = static_cast<size_t>(layer_.groups);
    const size_t rows = input_offset_.size(), columns = output_.channels / groups, inputs = input_.channels / groups;
    const size_t tiles = winograd_ != nullptr ? winograd_tiles(output_.height, output_.width) : 0;
    PartRange row_range{0, rows}, tile_range{0, tiles}, column_range{0, columns};
    if (winograd_ == nullptr && rows >= kFewRows * parts) {
      row_range = part_of(rows, kernel_.row_tile, part, parts);
    } else if (tiles >= kWinogradTiles * parts) {
      tile_range = part_of(tiles, 1, part, parts);
    } else {
      column_range = part_of(columns, kColumnGrain, part, parts);
    }
    // `first` is a column of the group, `panel` one of all.
    const size_t first = column_range.begin, panel = group * ((columns + 15) / 16) + first / 16;
    const size_t panel_bytes = run_offset_.size() * run_quads_ * 64, column = group * columns + first;
    if (row_range.begin >= row_range.end || first >= column_range.end) return;
    const format::Windows& w = layer_.windows;
    const size_t padding = static_cast<size_t>(w.padding[0]) * input_.row_bytes +
                           static_cast<size_t>(w.padding[1]) * input_.pixel_bytes +
                           static_cast<size_t>(w.planes.padding) * input_.plane_bytes;
    for (size_t plane = 0; plane < planes_; ++plane) {
      const size_t image = plane / output_.depth, z = plane % output_.depth * static_cast<size_t>(w.planes.stride);
      const size_t pixel = input_.first_pixel(image * input_.depth) + z * input_.plane_bytes;
      const IgemmArgs args{
          .rows = row_range.end - row_range.begin,
          .columns = column_range.end - first,
          .input = memory.arena + pixel + group * inputs - padding,
          .input_offset = input_offset_.data() + row_range.begin,
          .runs = run_offset_.size(),
          .run_quads = run_quads_,
          .run_offset = run_offset_.data(),
          .weights = layer_.weights.data() + panel * panel_bytes,
          .pairs_fit = layer_.pairs_fit.data() + panel,
          .start = layer_.start.data() + panel * 16,
          .multiplier = layer_.multiplier.data() + panel * 16,
          .offset = layer_.offset.data() + panel * 16,
          .lo = layer_.lo,
          .hi = layer_.hi,
          .to_reals = to_reals_,
          .output = output_of(memory, plane, column),
          .output_offset = output_offset_.data() + row_range.begin,
          .residual = residual_ == nullptr ? nullptr : memory.arena + residual_->first_pixel(plane) + column,
          .residual_offset = residual_offset_.data() + (residual_ == nullptr ? 0 : row_range.begin),
          .residual_multiplier = layer_.residual_multiplier};
      if (winograd_ != nullptr) {
        winograd_->run({.product = args,
                        .width = output_.width,
                        .first_tile = tile_range.begin,
                        .tiles = tile_range.end - tile_range.begin,
                        .scratch = memory.scratch + part * memory.scratch_step});
      } else if (reals_of_images()) {
        run_to_reals(args, memory, plane, row_range.begin, column, part);
      } else {
        kernel_.run(args);
      }
    }
  }

  // Reals are handed out in PyTorch's order: some rows at a time are computed into scratch memory and written from
  // there.
  void run_to_reals(IgemmArgs args, const Memory& memory, size_t plane, size_t row, size_t column, size_t part) const {
    const size_t image = plane / output_.depth, z = plane % output_.depth;
    const size_t pixels = output_.pixels(), first = z * output_.height * output_.width + row, left = args.rows;
    uint8_t* scratch = memory.scratch + part * memory.scratch_step;
    const auto* computed = reinterpret_cast<const float*>(scratch);
    float* reals = memory.floats(layer_.output) + (image * output_.channels + column) * pixels + first;
    args.output = scratch;
    args.output_offset = scratch_offset_.data();
    for (size_t done = 0; done < left; done += args.rows) {
      args.rows = std::min(kScratchRows, left - done);
      kernel_.run(args);
      for (size_t n = 0; n < args.columns; ++n) {
        for (size_t i = 0; i < args.rows; ++i) reals[n * pixels + done + i] = computed[i * output_.channels + n];
      }
      args.input_offset += args.rows;
    }
  }

  bool reals_of_images() const { return to_reals_ && output_.pixels() > 1; }

  uint8_t* output_of(const Memory& memory, size_t plane, size_t column) const {
    if (!to_reals_) return memory.arena + output_.first_pixel(plane) + column;
    return reinterpret_cast<uint8_t*>(memory.floats(layer_.output) + column);
  }

  void add_rows(size_t image) {
    const auto offset = [&](const Place& place, size_t y, size_t x) {
      return static_cast<int32_t>(image * place.bytes() / place.batch + y * place.row_bytes + x * place.pixel_bytes);
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
  const WinogradKernel* winograd_ = nullptr;  // instead, where it gains
  const Place& input_;
  const Place& output_;
  bool to_reals_;
  const Place* residual_ = nullptr;
  uint8_t zero_point_;
  size_t planes_, run_quads_;
  std::vector<int32_t> input_offset_, run_offset_, output_offset_, residual_offset_, scratch_offset_;
};

}  // namespace

MadeStep make_layer_step(const StepMaker& maker, const format::Layer& layer) { return made<IgemmStep>(maker, layer); }

}  // namespace torquant::runtime
