#include "torquant/kernels/depthwise/depthwise.h"
#include "torquant/kernels/thread_pool.h"
#include "torquant/runtime/step_internal.h"

namespace torquant::runtime {
namespace {

constexpr size_t kChannelGrain = 64;

class DepthwiseStep : public Step {
 public:
  DepthwiseStep(const StepMaker& maker, const format::Layer& layer)
      : layer_(layer),
        kernel_(select_depthwise(maker.isa)),
        input_(maker.place(layer.input)),
        output_(maker.place(layer.output)),
        zero_point_(static_cast<uint8_t>(maker.grid(layer.output).zero_point)) {
    if (layer.residual >= 0) residual_ = &maker.place(static_cast<format::ValueIndex>(layer.residual));
  }

  const char* kernel_name() const { return kernel_.name; }
  size_t scratch_bytes() const override { return depthwise_scratch_bytes(sizes()); }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    PartRange rows{0, output_.height}, channels{0, output_.channels};
    // Threads take blocks of channels or rows of the output, by which of them the busiest has less to do. With rows it
    // also reads some of its neighbour's, at the cost of about half a row of outputs.
    const size_t blocks = (output_.channels + kChannelGrain - 1) / kChannelGrain;
    const size_t most_channels = (blocks + parts - 1) / parts * kChannelGrain;
    const size_t most_rows = (output_.height + parts - 1) / parts;
    if (most_channels * output_.height * 2 <= output_.channels * (most_rows * 2 + 1)) {
      channels = part_of(output_.channels, kChannelGrain, part, parts);
    } else {
      rows = part_of(output_.height, 1, part, parts);
    }
    if (rows.begin < rows.end && channels.begin < channels.end) {
      for (size_t image = 0; image < output_.planes(); ++image) run_part(memory, image, rows, channels, part);
    }
    fill_border(output_, memory.arena, zero_point_, part, parts);
  }

 private:
  DepthwiseArgs sizes() const {
    const auto size = [](int64_t number) { return static_cast<size_t>(number); };
    const format::Windows& w = layer_.windows;
    DepthwiseArgs args{};
    args.channels = output_.channels;
    args.output_height = output_.height, args.output_width = output_.width;
    args.kernel_height = size(w.kernel[0]), args.kernel_width = size(w.kernel[1]);
    args.stride_height = size(w.stride[0]), args.stride_width = size(w.stride[1]);
    args.dilation_height = size(w.dilation[0]), args.dilation_width = size(w.dilation[1]);
    return args;
  }

  void run_part(const Memory& memory, size_t image, PartRange rows, PartRange channels, size_t part) const {
    const format::Windows& w = layer_.windows;
    const size_t first = channels.begin;
    const auto at = [&](const Place& place, size_t row) {
      return memory.arena + place.first_pixel(image) + row * place.row_bytes + first;
    };
    const size_t padding =
        static_cast<size_t>(w.padding[0]) * input_.row_bytes + static_cast<size_t>(w.padding[1]) * input_.pixel_bytes;
    DepthwiseArgs args = sizes();
    args.channels = channels.end - first;
    args.output_height = rows.end - rows.begin;
    args.input = at(input_, rows.begin * args.stride_height) - padding;
    args.input_row_step = input_.row_bytes, args.input_pixel_step = input_.pixel_bytes;
    args.weights = layer_.weights.data() + first;
    args.weight_step = (output_.channels + 15) / 16 * 16;
    args.start = layer_.start.data() + first;
    args.multiplier = layer_.multiplier.data() + first;
    args.offset = layer_.offset.data() + first;
    args.lo = layer_.lo, args.hi = layer_.hi;
    args.output = at(output_, rows.begin);
    args.output_row_step = output_.row_bytes, args.output_pixel_step = output_.pixel_bytes;
    if (residual_ != nullptr) {
      args.residual = at(*residual_, rows.begin);
      args.residual_row_step = residual_->row_bytes, args.residual_pixel_step = residual_->pixel_bytes;
      args.residual_multiplier = layer_.residual_multiplier;
    }
    args.scratch = memory.scratch + part * memory.scratch_step;
    kernel_.run(args);
  }

  const format::Layer& layer_;
  const DepthwiseKernel& kernel_;
  const Place& input_;
  const Place& output_;
  const Place* residual_ = nullptr;
  uint8_t zero_point_;
};

}  // namespace

MadeStep make_depthwise_step(const StepMaker& maker, const format::Layer& layer) {
  return made<DepthwiseStep>(maker, layer);
}

}  // namespace torquant::runtime
