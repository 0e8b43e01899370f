#include "torquant/runtime/step.h"

#include "torquant/core/requantize.h"
#include "torquant/kernels/add/add.h"
#include "torquant/kernels/image/image.h"
#include "torquant/kernels/pool/pool.h"
#include "torquant/kernels/thread_pool.h"
#include "torquant/runtime/step_internal.h"

namespace torquant::runtime {
namespace {

// Between floats of the user's and codes of the arena.
class ImageStep : public Step {
 public:
  ImageStep(const StepMaker& maker, const format::Quantize& node) : ImageStep(maker, node.input, node.output, true) {
    lo_ = node.lo, hi_ = node.hi;
  }
  ImageStep(const StepMaker& maker, const format::Dequantize& node)
      : ImageStep(maker, node.output, node.input, false) {}

  const char* kernel_name() const { return kernels_.name; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    for (size_t image = 0; image < place_.batch; ++image) {
      if (image % parts != part) continue;  // one image is too little to share
      const ImageArgs args{.channels = place_.channels,
                           .height = place_.height,
                           .width = place_.width,
                           .numbers = memory.floats[floats_] + image * place_.channels * place_.height * place_.width,
                           .codes = memory.arena + place_.first_pixel(image),
                           .row_bytes = place_.row_bytes,
                           .pixel_bytes = place_.pixel_bytes,
                           .scale = static_cast<float>(grid_.scale),
                           .inverse_scale = static_cast<float>(1.0 / grid_.scale),
                           .zero_point = grid_.zero_point,
                           .lo = lo_,
                           .hi = hi_};
      quantizes_ ? kernels_.quantize(args) : kernels_.dequantize(args);
    }
    if (quantizes_) fill_border(place_, memory.arena, static_cast<uint8_t>(grid_.zero_point), part, parts);
  }

 private:
  ImageStep(const StepMaker& maker, format::ValueIndex floats, format::ValueIndex codes, bool quantizes)
      : kernels_(select_image_kernels(maker.isa)),
        place_(maker.place(codes)),
        grid_(maker.grid(codes)),
        floats_(floats),
        quantizes_(quantizes) {}

  const ImageKernels& kernels_;
  const Place& place_;
  TensorGrid grid_;
  format::ValueIndex floats_;
  bool quantizes_;
  uint8_t lo_ = 0, hi_ = 255;
};

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
    const auto size = [](int64_t number) { return static_cast<size_t>(number); };
    const PartRange rows = part_of(output_.height, 1, part, parts);
    for (size_t image = 0; image < output_.batch; ++image) {
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
                    .input = memory.arena + input_.first_pixel(image),
                    .in_row_bytes = input_.row_bytes,
                    .in_pixel_bytes = input_.pixel_bytes,
                    .out_width = output_.width,
                    .out_begin = rows.begin,
                    .out_end = rows.end,
                    .output = memory.arena + output_.first_pixel(image),
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
    const auto count = static_cast<int64_t>(input_.height * input_.width);
    how_ = mean_requantization(maker.grid(node.input), count, maker.grid(node.output));
    start_ = -static_cast<int32_t>(count) * maker.grid(node.input).zero_point;
  }

  const char* kernel_name() const { return kernels_.name; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    for (size_t image = 0; image < output_.batch; ++image) {
      const PartRange channels = part_of(output_.channels, 64, part, parts);
      if (channels.begin == channels.end) continue;
      kernels_.global_average({.channels = channels.end - channels.begin,
                               .height = input_.height,
                               .width = input_.width,
                               .input = memory.arena + input_.first_pixel(image) + channels.begin,
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

class AddStep : public Step {
 public:
  AddStep(const StepMaker& maker, const format::Add& node)
      : kernel_(select_add(maker.isa)),
        node_(node),
        a_(maker.place(node.a)),
        b_(maker.place(node.b)),
        output_(maker.place(node.output)) {
    how_ = sum_requantization(maker.grid(node.a), maker.grid(node.b), maker.grid(node.output));
    b_multiplier_ = residual_multiplier(maker.grid(node.b), maker.grid(node.output));
    zero_point_ = static_cast<uint8_t>(maker.grid(node.output).zero_point);
  }

  const char* kernel_name() const { return kernel_.name; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    const PartRange rows = part_of(output_.batch * output_.height, 1, part, parts);
    for (size_t row = rows.begin; row < rows.end; ++row) {
      const size_t image = row / output_.height, y = row % output_.height;
      const auto at = [&](const Place& place) { return memory.arena + place.first_pixel(image) + y * place.row_bytes; };
      kernel_.run({.count = output_.width * output_.pixel_bytes,
                   .a = at(a_),
                   .b = at(b_),
                   .output = at(output_),
                   .a_multiplier = how_.multiplier,
                   .b_multiplier = b_multiplier_,
                   .offset = how_.offset,
                   .lo = node_.lo,
                   .hi = node_.hi});
    }
    fill_border(output_, memory.arena, zero_point_, part, parts);
  }

 private:
  const AddKernel& kernel_;
  const format::Add& node_;
  const Place& a_;
  const Place& b_;
  const Place& output_;
  Requantization how_;
  float b_multiplier_;
  uint8_t zero_point_;
};

// Channels last to PyTorch's order. Small: what is flattened is what classifiers end with.
class FlattenStep : public Step {
 public:
  FlattenStep(const Place& input, const Place& output) : input_(input), output_(output) {}

  void run(const Memory& memory, size_t part, size_t parts) const override {
    for (size_t image = part; image < input_.batch; image += parts) {
      uint8_t* to = memory.arena + output_.first_pixel(image);
      for (size_t c = 0; c < input_.channels; ++c) {
        for (size_t y = 0; y < input_.height; ++y) {
          const uint8_t* from = memory.arena + input_.first_pixel(image) + y * input_.row_bytes + c;
          for (size_t x = 0; x < input_.width; ++x) *to++ = from[x * input_.pixel_bytes];
        }
      }
    }
  }

 private:
  const Place& input_;
  const Place& output_;
};

template <class Made, class Node>
MadeStep make(const StepMaker& maker, const Node& node) {
  auto step = std::make_unique<Made>(maker, node);
  const char* kernel = step->kernel_name();
  return {std::move(step), kernel};
}

struct Make {
  const StepMaker& maker;

  MadeStep operator()(const format::Quantize& node) const { return make<ImageStep>(maker, node); }
  MadeStep operator()(const format::Dequantize& node) const { return make<ImageStep>(maker, node); }
  MadeStep operator()(const format::Layer& node) const {
    return node.depthwise ? make_depthwise_step(maker, node) : make_layer_step(maker, node);
  }
  MadeStep operator()(const format::MaxPool& node) const { return make<MaxPoolStep>(maker, node); }
  MadeStep operator()(const format::GlobalAveragePool& node) const { return make<GlobalAveragePoolStep>(maker, node); }
  MadeStep operator()(const format::Add& node) const { return make<AddStep>(maker, node); }
  MadeStep operator()(const format::Flatten& node) const {
    const Place &input = maker.place(node.input), &output = maker.place(node.output);
    if (input.begin == output.begin && input.height * input.width == 1)
      return {nullptr, "none"};  // it is there already
    return {std::make_unique<FlattenStep>(input, output), "scalar"};
  }
};

}  // namespace

Steps make_steps(const format::Model& model, const MemoryPlan& plan, CpuIsa isa) {
  const StepMaker maker{model, plan, isa};
  Steps steps;
  for (const format::Node& node : model.nodes) {
    MadeStep made = std::visit(Make{maker}, node.operation);
    if (made.step != nullptr)
      steps.scratch_bytes = std::max(steps.scratch_bytes, (made.step->scratch_bytes() + 63) / 64 * 64);
    steps.steps.push_back(std::move(made.step));
    steps.kernels.push_back(made.kernel);
  }
  return steps;
}

}  // namespace torquant::runtime
