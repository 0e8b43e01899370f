#include "torquant/kernels/thread_pool.h"
#include "torquant/runtime/step_internal.h"

namespace torquant::runtime {
namespace {

// Channels last to PyTorch's order. Small: what is flattened is what classifiers end with.
class FlattenStep : public Step {
 public:
  FlattenStep(const Place& input, const Place& output) : input_(input), output_(output) {}

  void run(const Memory& memory, size_t part, size_t parts) const override {
    for (size_t image = part; image < input_.batch; image += parts) {
      uint8_t* to = memory.arena + output_.first_pixel(image);
      for (size_t c = 0; c < input_.channels; ++c) {
        for (size_t row = 0; row < input_.depth * input_.height; ++row) {
          const size_t plane = image * input_.depth + row / input_.height, y = row % input_.height;
          const uint8_t* from = memory.arena + input_.first_pixel(plane) + y * input_.row_bytes + c;
          for (size_t x = 0; x < input_.width; ++x) *to++ = from[x * input_.pixel_bytes];
        }
      }
    }
  }

 private:
  const Place& input_;
  const Place& output_;
};

// Channels behind channels. The grid is the same, so codes are copied.
class ConcatStep : public Step {
 public:
  ConcatStep(const StepMaker& maker, const format::Concat& node)
      : output_(maker.place(node.output)), zero_point_(static_cast<uint8_t>(maker.grid(node.output).zero_point)) {
    for (const format::ValueIndex input : node.inputs) inputs_.push_back(&maker.place(input));
  }

  const char* kernel_name() const { return "concat"; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    const PartRange rows = part_of(output_.planes() * output_.height, 1, part, parts);
    for (size_t row = rows.begin; row < rows.end; ++row) {
      const size_t plane = row / output_.height, y = row % output_.height;
      uint8_t* to = memory.arena + output_.first_pixel(plane) + y * output_.row_bytes;
      for (const Place* input : inputs_) {
        const uint8_t* from = memory.arena + input->first_pixel(plane) + y * input->row_bytes;
        for (size_t x = 0; x < output_.width; ++x) {
          std::memcpy(to + x * output_.pixel_bytes, from + x * input->pixel_bytes, input->channels);
        }
        to += input->channels;
      }
    }
    fill_border(output_, memory.arena, zero_point_, part, parts);
  }

 private:
  std::vector<const Place*> inputs_;
  const Place& output_;
  uint8_t zero_point_;
};

// Any movement of codes, by a table of where each comes from.
class RearrangeStep : public Step {
 public:
  RearrangeStep(const StepMaker& maker, const format::Rearrange& node)
      : input_(maker.place(node.input)),
        output_(maker.place(node.output)),
        zero_point_(static_cast<uint8_t>(maker.grid(node.output).zero_point)),
        from_(output_.channels * output_.pixels()) {
    std::vector<int64_t> digits(node.sizes.size(), 0);
    int64_t element = node.begin;
    for (size_t c = 0; c < output_.channels; ++c) {
      for (size_t pixel = 0; pixel < output_.pixels(); ++pixel) {
        from_[pixel * output_.channels + c] = bytes_to(static_cast<size_t>(element));
        for (size_t i = digits.size(); i-- > 0;) {
          element += node.steps[i];
          if (++digits[i] < node.sizes[i]) break;
          element -= node.sizes[i] * node.steps[i];
          digits[i] = 0;
        }
      }
    }
  }

  const char* kernel_name() const { return "rearrange"; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    const PartRange rows = part_of(output_.planes() * output_.height, 1, part, parts);
    for (size_t row = rows.begin; row < rows.end; ++row) {
      const size_t plane = row / output_.height, y = row % output_.height;
      const uint8_t* codes = memory.arena + input_.first_pixel(plane / output_.depth * input_.depth);
      uint8_t* to = memory.arena + output_.first_pixel(plane) + y * output_.row_bytes;
      const size_t row_of_image = plane % output_.depth * output_.height + y;
      const uint32_t* from = from_.data() + row_of_image * output_.width * output_.channels;
      for (size_t i = 0; i < output_.width * output_.channels; ++i) to[i] = codes[from[i]];
    }
    fill_border(output_, memory.arena, zero_point_, part, parts);
  }

 private:
  // From the first pixel to an element that is counted in PyTorch's order.
  uint32_t bytes_to(size_t element) const {
    const size_t x = element % input_.width, row = element / input_.width;
    const size_t y = row % input_.height, plane = row / input_.height;
    const size_t z = plane % input_.depth, c = plane / input_.depth;
    return static_cast<uint32_t>(z * input_.plane_bytes + y * input_.row_bytes + x * input_.pixel_bytes + c);
  }

  const Place& input_;
  const Place& output_;
  uint8_t zero_point_;
  std::vector<uint32_t> from_;  // by output code, channels last
};

}  // namespace

MadeStep make_step(const StepMaker& maker, const format::Flatten& node) {
  const Place &input = maker.place(node.input), &output = maker.place(node.output);
  if (input.begin == output.begin && input.pixels() == 1) return {nullptr, "none"};  // it is there already
  return {std::make_unique<FlattenStep>(input, output), "flatten"};
}
MadeStep make_step(const StepMaker& maker, const format::Concat& node) { return made<ConcatStep>(maker, node); }
MadeStep make_step(const StepMaker& maker, const format::Rearrange& node) { return made<RearrangeStep>(maker, node); }

}  // namespace torquant::runtime
