#include "torquant/runtime/step.h"

#include "torquant/kernels/image/image.h"
#include "torquant/kernels/thread_pool.h"
#include "torquant/runtime/step_internal.h"

namespace torquant::runtime {
namespace {

// Between floats and codes.
class ImageStep : public Step {
 public:
  ImageStep(const StepMaker& maker, const format::Quantize& node) : ImageStep(maker, node.input, node.output, true) {
    lo_ = node.lo, hi_ = node.hi;
  }
  ImageStep(const StepMaker& maker, const format::Dequantize& node)
      : ImageStep(maker, node.output, node.input, false) {}

  const char* kernel_name() const { return kernels_.name; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    // Numbers lie channel by channel: of a single plane a kernel takes all channels, of several each by itself.
    const size_t channels = place_.depth == 1 ? place_.channels : 1, pieces = place_.channels / channels * place_.depth;
    const size_t pixels = place_.height * place_.width;
    const PartRange rows = part_of(place_.height, 1, part, parts);
    for (size_t piece = 0; piece < place_.batch * pieces; ++piece) {
      const size_t image = piece / pieces, channel = piece % pieces / place_.depth, z = piece % place_.depth;
      const ImageArgs args{.channels = channels,
                           .height = rows.end - rows.begin,
                           .width = place_.width,
                           .numbers = memory.floats(floats_) + piece * channels * pixels + rows.begin * place_.width,
                           .channel_step = pixels,
                           .codes = memory.arena + place_.first_pixel(image * place_.depth + z) + channel +
                                    rows.begin * place_.row_bytes,
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

struct Make {
  const StepMaker& maker;

  MadeStep operator()(const format::Quantize& node) const { return made<ImageStep>(maker, node); }
  MadeStep operator()(const format::Dequantize& node) const { return made<ImageStep>(maker, node); }
  MadeStep operator()(const format::Layer& node) const {
    return node.depthwise ? make_depthwise_step(maker, node) : make_layer_step(maker, node);
  }
  MadeStep operator()(const auto& node) const { return make_step(maker, node); }
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
