#include "torquant/core/requantize.h"
#include "torquant/kernels/pool/average_pool.h"
#include "torquant/kernels/pool/pool.h"
#include "torquant/kernels/thread_pool.h"
#include "torquant/runtime/step_internal.h"

namespace torquant::runtime {
namespace {

size_t size(int64_t number) { return static_cast<size_t>(number); }

class MaxPoolStep : public Step {
 public:
  MaxPoolStep(const StepMaker& maker, const format::MaxPool& node)
      : kernels_(select_pool_kernels(maker.isa)),
        windows_(node.windows),
        input_(maker.place(node.input)),
        output_(maker.place(node.output)) {
    zero_point_ = static_cast<uint8_t>(maker.grid(node.output).zero_point);
  }

  const char* kernel_name() const { return kernels_.name; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    const PartRange rows = part_of(output_.height, 1, part, parts);
    for (size_t plane = 0; plane < output_.planes(); ++plane) {
      kernels_.max({.channels = output_.channels,
                    .in_height = input_.height,
                    .in_width = input_.width,
                    .kernel_height = size(windows_.kernel[0]),
                    .kernel_width = size(windows_.kernel[1]),
                    .stride_height = size(windows_.stride[0]),
                    .stride_width = size(windows_.stride[1]),
                    .padding_height = size(windows_.padding[0]),
                    .padding_width = size(windows_.padding[1]),
                    .dilation_height = size(windows_.dilation[0]),
                    .dilation_width = size(windows_.dilation[1]),
                    .input = memory.arena + input_.first_pixel(plane),
                    .in_row_bytes = input_.row_bytes,
                    .in_pixel_bytes = input_.pixel_bytes,
                    .out_width = output_.width,
                    .out_begin = rows.begin,
                    .out_end = rows.end,
                    .output = memory.arena + output_.first_pixel(plane),
                    .out_row_bytes = output_.row_bytes,
                    .out_pixel_bytes = output_.pixel_bytes});
    }
    fill_border(output_, memory.arena, zero_point_, part, parts);
  }

 private:
  const PoolKernels& kernels_;
  const format::Windows& windows_;
  const Place& input_;
  const Place& output_;
  uint8_t zero_point_;
};

class GlobalAveragePoolStep : public Step {
 public:
  GlobalAveragePoolStep(const StepMaker& maker, const format::GlobalAveragePool& node)
      : kernels_(select_pool_kernels(maker.isa)),
        node_(node),
        input_(maker.place(node.input)),
        output_(maker.place(node.output)) {
    const auto count = static_cast<int64_t>(input_.pixels());
    how_ = mean_requantization(maker.grid(node.input), count, maker.grid(node.output));
    start_ = -static_cast<int32_t>(count) * maker.grid(node.input).zero_point;
  }

  const char* kernel_name() const { return kernels_.name; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    for (size_t image = 0; image < output_.batch; ++image) {
      const PartRange channels = part_of(output_.channels, 64, part, parts);
      if (channels.begin == channels.end) continue;
      kernels_.global_average({.channels = channels.end - channels.begin,
                               .planes = input_.depth,
                               .height = input_.height,
                               .width = input_.width,
                               .input = memory.arena + input_.first_pixel(image * input_.depth) + channels.begin,
                               .plane_bytes = input_.plane_bytes,
                               .row_bytes = input_.row_bytes,
                               .pixel_bytes = input_.pixel_bytes,
                               .start = start_,
                               .multiplier = how_.multiplier,
                               .offset = how_.offset,
                               .lo = node_.lo,
                               .hi = node_.hi,
                               .output = memory.arena + output_.first_pixel(image) + channels.begin});
    }
  }

 private:
  const PoolKernels& kernels_;
  const format::GlobalAveragePool& node_;
  const Place& input_;
  const Place& output_;
  Requantization how_;
  int32_t start_;
};

class AveragePoolStep : public Step {
 public:
  AveragePoolStep(const StepMaker& maker, const format::AveragePool& node)
      : node_(node),
        input_(maker.place(node.input)),
        output_(maker.place(node.output)),
        zero_point_(maker.grid(node.input).zero_point),
        output_zero_point_(static_cast<uint8_t>(maker.grid(node.output).zero_point)) {
    const int64_t area = node.windows.kernel[0] * node.windows.kernel[1];
    how_ = mean_requantization(maker.grid(node.input), area, maker.grid(node.output));
  }

  const char* kernel_name() const { return "average_pool"; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    const PartRange rows = part_of(output_.height, 1, part, parts);
    for (size_t plane = 0; plane < output_.planes(); ++plane) {
      average_pool({.channels = output_.channels,
                    .in_height = input_.height,
                    .in_width = input_.width,
                    .kernel_height = size(node_.windows.kernel[0]),
                    .kernel_width = size(node_.windows.kernel[1]),
                    .stride_height = size(node_.windows.stride[0]),
                    .stride_width = size(node_.windows.stride[1]),
                    .padding_height = size(node_.windows.padding[0]),
                    .padding_width = size(node_.windows.padding[1]),
                    .input = memory.arena + input_.first_pixel(plane),
                    .in_row_bytes = input_.row_bytes,
                    .in_pixel_bytes = input_.pixel_bytes,
                    .zero_point = zero_point_,
                    .multiplier = how_.multiplier,
                    .offset = how_.offset,
                    .lo = node_.lo,
                    .hi = node_.hi,
                    .out_width = output_.width,
                    .out_begin = rows.begin,
                    .out_end = rows.end,
                    .output = memory.arena + output_.first_pixel(plane),
                    .out_row_bytes = output_.row_bytes,
                    .out_pixel_bytes = output_.pixel_bytes});
    }
    fill_border(output_, memory.arena, output_zero_point_, part, parts);
  }

 private:
  const format::AveragePool& node_;
  const Place& input_;
  const Place& output_;
  Requantization how_;
  int32_t zero_point_;
  uint8_t output_zero_point_;
};

}  // namespace

MadeStep make_step(const StepMaker& maker, const format::MaxPool& node) { return made<MaxPoolStep>(maker, node); }
MadeStep make_step(const StepMaker& maker, const format::GlobalAveragePool& node) {
  return made<GlobalAveragePoolStep>(maker, node);
}
MadeStep make_step(const StepMaker& maker, const format::AveragePool& node) {
  return made<AveragePoolStep>(maker, node);
}

}  // namespace torquant::runtime
