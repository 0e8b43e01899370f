#include "torquant/core/requantize.h"
#include "torquant/kernels/add/add.h"
#include "torquant/kernels/multiply/multiply.h"
#include "torquant/kernels/thread_pool.h"
#include "torquant/runtime/step_internal.h"

namespace torquant::runtime {
namespace {

// What is done to each code by itself, or with its counterpart in another tensor: rows are shared among threads.
class ElementwiseStep : public Step {
 public:
  void run(const Memory& memory, size_t part, size_t parts) const override {
    const PartRange rows = part_of(output_.planes() * output_.height, 1, part, parts);
    for (size_t row = rows.begin; row < rows.end; ++row) {
      const size_t plane = row / output_.height, y = row % output_.height;
      const auto at = [&](const Place& place) { return memory.arena + place.first_pixel(plane) + y * place.row_bytes; };
      if (!repeats_) {
        run_codes(at(a_), at(b_), at(output_), output_.width * output_.channels);
        continue;
      }
      const uint8_t* pixel = memory.arena + b_.first_pixel(plane / output_.depth);
      for (size_t x = 0; x < output_.width; ++x) {
        run_codes(at(a_) + x * a_.pixel_bytes, pixel, at(output_) + x * output_.pixel_bytes, output_.channels);
      }
    }
    fill_border(output_, memory.arena, zero_point_, part, parts);
  }

 protected:
  ElementwiseStep(const StepMaker& maker, format::ValueIndex a, format::ValueIndex b, format::ValueIndex output)
      : a_(maker.place(a)),
        b_(maker.place(b)),
        output_(maker.place(output)),
        repeats_(b_.pixels() == 1 && output_.pixels() > 1),
        zero_point_(static_cast<uint8_t>(maker.grid(output).zero_point)) {}

  virtual void run_codes(const uint8_t* a, const uint8_t* b, uint8_t* output, size_t count) const = 0;

 private:
  const Place& a_;
  const Place& b_;  // a itself where there is one input
  const Place& output_;
  bool repeats_;  // b is a single pixel for all of an image
  uint8_t zero_point_;
};

class AddStep : public ElementwiseStep {
 public:
  AddStep(const StepMaker& maker, const format::Add& node)
      : ElementwiseStep(maker, node.a, node.b, node.output), kernel_(select_add(maker.isa)), node_(node) {
    how_ = sum_requantization(maker.grid(node.a), maker.grid(node.b), maker.grid(node.output));
    b_multiplier_ = residual_multiplier(maker.grid(node.b), maker.grid(node.output));
  }

  const char* kernel_name() const { return kernel_.name; }

 private:
  void run_codes(const uint8_t* a, const uint8_t* b, uint8_t* output, size_t count) const override {
    kernel_.run({.count = count,
                 .a = a,
                 .b = b,
                 .output = output,
                 .a_multiplier = how_.multiplier,
                 .b_multiplier = b_multiplier_,
                 .offset = how_.offset,
                 .lo = node_.lo,
                 .hi = node_.hi});
  }

  const AddKernel& kernel_;
  const format::Add& node_;
  Requantization how_;
  float b_multiplier_;
};

class MultiplyStep : public ElementwiseStep {
 public:
  MultiplyStep(const StepMaker& maker, const format::Multiply& node)
      : ElementwiseStep(maker, node.a, node.b, node.output),
        kernel_(select_multiply(maker.isa)),
        node_(node),
        a_zero_point_(maker.grid(node.a).zero_point),
        b_zero_point_(maker.grid(node.b).zero_point) {
    how_ = product_requantization(maker.grid(node.a), maker.grid(node.b), maker.grid(node.output));
  }

  const char* kernel_name() const { return kernel_.name; }

 private:
  void run_codes(const uint8_t* a, const uint8_t* b, uint8_t* output, size_t count) const override {
    kernel_.run({.count = count,
                 .a = a,
                 .b = b,
                 .output = output,
                 .a_zero_point = a_zero_point_,
                 .b_zero_point = b_zero_point_,
                 .multiplier = how_.multiplier,
                 .offset = how_.offset,
                 .lo = node_.lo,
                 .hi = node_.hi});
  }

  const MultiplyKernel& kernel_;
  const format::Multiply& node_;
  Requantization how_;
  int32_t a_zero_point_, b_zero_point_;
};

class MapCodesStep : public ElementwiseStep {
 public:
  MapCodesStep(const StepMaker& maker, const format::MapCodes& node)
      : ElementwiseStep(maker, node.input, node.input, node.output), table_(node.table.data()) {}

  const char* kernel_name() const { return "map_codes"; }

 private:
  void run_codes(const uint8_t* codes, const uint8_t*, uint8_t* output, size_t count) const override {
    for (size_t i = 0; i < count; ++i) output[i] = table_[codes[i]];
  }

  const uint8_t* table_;
};

}  // namespace

MadeStep make_step(const StepMaker& maker, const format::Add& node) { return made<AddStep>(maker, node); }
MadeStep make_step(const StepMaker& maker, const format::Multiply& node) { return made<MultiplyStep>(maker, node); }
MadeStep make_step(const StepMaker& maker, const format::MapCodes& node) { return made<MapCodesStep>(maker, node); }

}  // namespace torquant::runtime
