#include "torquant/kernels/thread_pool.h"
#include "torquant/kernels/windows/windows.h"
#include "torquant/runtime/step_internal.h"

namespace torquant::runtime {
namespace {

using Run = void (*)(const WindowsArgs&);

// Depthwise convolutions and pools; threads share rows of pixels.
class WindowsStep : public Step {
 public:
  WindowsStep(const StepMaker& maker, const format::FloatLayer& layer)
      : WindowsStep(maker, layer.input, layer.output, layer.windows, select_windows_kernels(maker.isa).depthwise,
                    "depthwise_") {
    args_.weights = layer.weights.data(), args_.bias = layer.bias.data();
    args_.lo = layer.lo, args_.hi = layer.hi;
    residual_ = layer.residual;
  }
  WindowsStep(const StepMaker& maker, const format::FloatPool& pool)
      : WindowsStep(maker, pool.input, pool.output, pool.windows, kernel_of(maker, pool.pooling),
                    pool.pooling == format::FloatPooling::kMax ? "max_" : "mean_") {}

  const std::string& kernel_name() const { return name_; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    const PartRange range = part_of(images_ * output_height_, 1, part, parts);
    for (size_t row = range.begin; row < range.end; row += rows_of_image(row, range)) {
      const size_t image = row / output_height_, y = row % output_height_;
      const size_t at = image * output_height_ * args_.output_width * args_.channels;
      WindowsArgs args = args_;
      args.input = memory.floats(input_) + image * args.height * args.width * args.channels;
      args.output = memory.floats(output_) + at;
      if (residual_ >= 0) args.residual = memory.floats(static_cast<format::ValueIndex>(residual_)) + at;
      args.row_begin = y, args.row_end = y + rows_of_image(row, range);
      run_(args);
    }
  }

 private:
  WindowsStep(const StepMaker& maker, format::ValueIndex input, format::ValueIndex output,
              const format::Windows& windows, Run run, const char* what)
      : input_(input), output_(output), run_(run) {
    const format::FloatImage in = float_image_of(maker.model.values[input]),
                             out = float_image_of(maker.model.values[output]);
    const auto axis = [](const format::Windows::Axis& of) {
      return WindowsArgs::Axis{static_cast<size_t>(of.kernel), static_cast<size_t>(of.stride),
                               static_cast<size_t>(of.padding), static_cast<size_t>(of.dilation)};
    };
    images_ = maker.plan.batch * static_cast<size_t>(in.depth);
    output_height_ = static_cast<size_t>(out.height);
    args_.channels = static_cast<size_t>(in.channels);
    args_.height = static_cast<size_t>(in.height), args_.width = static_cast<size_t>(in.width);
    args_.rows = axis(windows.rows()), args_.columns = axis(windows.columns());
    args_.output_width = static_cast<size_t>(out.width);
    name_ = std::string(what) + "windows_" + select_windows_kernels(maker.isa).name;
  }

  static Run kernel_of(const StepMaker& maker, format::FloatPooling pooling) {
    const WindowsKernels& kernels = select_windows_kernels(maker.isa);
    return pooling == format::FloatPooling::kMax ? kernels.max : kernels.mean;
  }

  // Rows from `row` on that are in one image.
  size_t rows_of_image(size_t row, PartRange range) const {
    return std::min(range.end - row, output_height_ - row % output_height_);
  }

  format::ValueIndex input_, output_;
  int64_t residual_ = -1;
  Run run_;
  size_t images_, output_height_;
  WindowsArgs args_ = {};
  std::string name_;
};

}  // namespace

MadeStep make_depthwise_step(const StepMaker& maker, const format::FloatLayer& node) {
  return made<WindowsStep>(maker, node);
}
MadeStep make_step(const StepMaker& maker, const format::FloatPool& node) { return made<WindowsStep>(maker, node); }

}  // namespace torquant::runtime
