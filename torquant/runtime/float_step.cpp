#include <array>
#include <string>

#include "torquant/format/describe.h"
#include "torquant/kernels/rows/rows.h"
#include "torquant/kernels/thread_pool.h"
#include "torquant/runtime/step_internal.h"

namespace torquant::runtime {
namespace {

constexpr size_t kRank = format::kMostSizes;
constexpr size_t kGrain = 16;  // a cache line of floats: threads write none of another's

MapFunction map_function(format::FloatFunction function) {
#define TORQUANT_FUNCTION(name)     \
  case format::FloatFunction::name: \
    return MapFunction::name
  switch (function) {
    TORQUANT_FUNCTION(kClamp);
    TORQUANT_FUNCTION(kAdd);
    TORQUANT_FUNCTION(kSubtractFrom);
    TORQUANT_FUNCTION(kMultiply);
    TORQUANT_FUNCTION(kDivide);
    TORQUANT_FUNCTION(kDivideInto);
    TORQUANT_FUNCTION(kAbs);
    TORQUANT_FUNCTION(kExp);
    TORQUANT_FUNCTION(kLog);
    TORQUANT_FUNCTION(kSqrt);
    TORQUANT_FUNCTION(kLeakyRelu);
    TORQUANT_FUNCTION(kElu);
    TORQUANT_FUNCTION(kSigmoid);
    TORQUANT_FUNCTION(kHardsigmoid);
    TORQUANT_FUNCTION(kTanh);
    TORQUANT_FUNCTION(kSilu);
    TORQUANT_FUNCTION(kHardswish);
    TORQUANT_FUNCTION(kGelu);
    TORQUANT_FUNCTION(kGeluTanh);
    TORQUANT_FUNCTION(kMish);
    TORQUANT_FUNCTION(kSoftplus);
    TORQUANT_FUNCTION(kNotEqual);
  }
#undef TORQUANT_FUNCTION
  return MapFunction::kClamp;
}

BinaryFunction binary_function(format::FloatArithmetic arithmetic) {
  switch (arithmetic) {
    case format::FloatArithmetic::kAdd:
      return BinaryFunction::kAdd;
    case format::FloatArithmetic::kSubtract:
      return BinaryFunction::kSubtract;
    case format::FloatArithmetic::kMultiply:
      return BinaryFunction::kMultiply;
    case format::FloatArithmetic::kDivide:
      return BinaryFunction::kDivide;
  }
  return BinaryFunction::kAdd;
}

class FloatMapStep : public Step {
 public:
  FloatMapStep(const StepMaker& maker, const format::FloatMap& node)
      : node_(node),
        kernels_(select_rows_kernels(maker.isa)),
        function_(map_function(node.function)),
        count_(maker.elements_of(node.output)) {}

  std::string kernel_name() const { return "float_" + std::string(name_of(node_.function)); }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    const PartRange range = part_of(count_, kGrain, part, parts);
    kernels_.map({.count = range.end - range.begin,
                  .x = memory.floats(node_.input) + range.begin,
                  .y = memory.floats(node_.output) + range.begin,
                  .function = function_,
                  .a = node_.a,
                  .b = node_.b});
  }

 private:
  const format::FloatMap& node_;
  const RowsKernels& kernels_;
  MapFunction function_;
  size_t count_;
};

class FloatBinaryStep : public Step {
 public:
  FloatBinaryStep(const StepMaker& maker, const format::FloatBinary& node)
      : node_(node), kernels_(select_rows_kernels(maker.isa)), function_(binary_function(node.arithmetic)) {
    const auto sizes = [&](format::ValueIndex index) {
      const format::Value& value = maker.model.values[index];
      std::vector<int64_t> all = value.sizes;
      if (!value.is_constant()) all[0] = static_cast<int64_t>(maker.plan.batch);
      return all;
    };
    merge_dimensions(sizes(node.a), sizes(node.b), sizes(node.output));
  }

  std::string kernel_name() const { return "float_" + std::string(name_of(node_.arithmetic)); }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    const float *a = memory.floats(node_.a), *b = memory.floats(node_.b);
    float* y = memory.floats(node_.output);
    const size_t row = sizes_.back();
    if (rows() == 1) {  // of equal sizes, as a rule
      const PartRange range = part_of(row, kGrain, part, parts);
      run_row(a + range.begin * a_steps_.back(), b + range.begin * b_steps_.back(), y + range.begin,
              range.end - range.begin);
      return;
    }
    const PartRange range = part_of(rows(), 1, part, parts);
    for (size_t i = range.begin; i < range.end; ++i) {
      size_t rest = i, a_at = 0, b_at = 0;
      for (size_t d = kRank - 1; d-- > 0; rest /= sizes_[d]) {
        a_at += rest % sizes_[d] * a_steps_[d];
        b_at += rest % sizes_[d] * b_steps_[d];
      }
      run_row(a + a_at, b + b_at, y + i * row, row);
    }
  }

 private:
  size_t rows() const { return sizes_[0] * sizes_[1] * sizes_[2] * sizes_[3]; }

  void run_row(const float* a, const float* b, float* y, size_t count) const {
    if (count == 0) return;
    kernels_.binary({.count = count,
                     .a = a,
                     .b = b,
                     .one_a = a_steps_.back() == 0,
                     .one_b = b_steps_.back() == 0,
                     .y = y,
                     .function = function_});
  }

  // Dimensions that a and b repeat, or step through, alike are one. What is left are rows of the last one.
  void merge_dimensions(const std::vector<int64_t>& a, const std::vector<int64_t>& b,
                        const std::vector<int64_t>& output) {
    size_t to = kRank - 1, a_step = 1, b_step = 1;
    bool a_repeats = false, b_repeats = false, any = false;
    for (size_t d = output.size(); d-- > 0;) {
      if (output[d] == 1) continue;
      const bool a_one = a[d] == 1, b_one = b[d] == 1;
      if (any && (a_one != a_repeats || b_one != b_repeats)) --to;
      if (!any || a_one != a_repeats || b_one != b_repeats) {
        a_steps_[to] = a_one ? 0 : a_step;
        b_steps_[to] = b_one ? 0 : b_step;
      }
      any = true, a_repeats = a_one, b_repeats = b_one;
      sizes_[to] *= static_cast<size_t>(output[d]);
      a_step *= static_cast<size_t>(a[d]);
      b_step *= static_cast<size_t>(b[d]);
    }
  }

  const format::FloatBinary& node_;
  const RowsKernels& kernels_;
  BinaryFunction function_;
  std::array<size_t, kRank> sizes_ = {1, 1, 1, 1, 1}, a_steps_ = {0, 0, 0, 0, 1}, b_steps_ = {0, 0, 0, 0, 1};
};

class FloatMeanStep : public Step {
 public:
  FloatMeanStep(const StepMaker& maker, const format::FloatMean& node)
      : node_(node),
        kernels_(select_rows_kernels(maker.isa)),
        outputs_(maker.elements_of(node.output)),
        count_(maker.elements_of(node.input) / outputs_) {}

  const char* kernel_name() const { return "float_mean"; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    const PartRange range = part_of(outputs_, kGrain, part, parts);
    kernels_.mean({.rows = range.end - range.begin,
                   .columns = count_,
                   .x = memory.floats(node_.input) + range.begin * count_,
                   .x_step = count_,
                   .y = memory.floats(node_.output) + range.begin});
  }

 private:
  const format::FloatMean& node_;
  const RowsKernels& kernels_;
  size_t outputs_, count_;
};

class FloatConcatStep : public Step {
 public:
  FloatConcatStep(const StepMaker& maker, const format::Concat& node) : node_(node), batch_(maker.plan.batch) {
    for (const format::ValueIndex input : node.inputs) sizes_.push_back(maker.elements_of(input) / batch_);
    size_ = maker.elements_of(node.output) / batch_;
  }

  const char* kernel_name() const { return "float_concat"; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    for (size_t image = 0; image < batch_; ++image) {
      float* to = memory.floats(node_.output) + image * size_;
      for (size_t i = 0; i < sizes_.size(); ++i) {
        const PartRange range = part_of(sizes_[i], kGrain, part, parts);
        const float* from = memory.floats(node_.inputs[i]) + image * sizes_[i];
        std::copy(from + range.begin, from + range.end, to + range.begin);
        to += sizes_[i];
      }
    }
  }

 private:
  const format::Concat& node_;
  size_t batch_, size_;
  std::vector<size_t> sizes_;
};

class FloatRearrangeStep : public Step {
 public:
  FloatRearrangeStep(const StepMaker& maker, const format::Rearrange& node)
      : node_(node), batch_(maker.plan.batch), input_size_(maker.elements_of(node.input) / batch_) {
    from_ = rearranged_elements(node, maker.elements_of(node.output) / batch_);
  }

  const char* kernel_name() const { return "float_rearrange"; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    const PartRange range = part_of(from_.size(), kGrain, part, parts);
    for (size_t image = 0; image < batch_; ++image) {
      const float* x = memory.floats(node_.input) + image * input_size_;
      float* y = memory.floats(node_.output) + image * from_.size();
      for (size_t i = range.begin; i < range.end; ++i) y[i] = x[from_[i]];
    }
  }

 private:
  const format::Rearrange& node_;
  size_t batch_, input_size_;
  std::vector<uint32_t> from_;  // of an image
};

}  // namespace

std::vector<uint32_t> rearranged_elements(const format::Rearrange& node, size_t count) {
  std::vector<uint32_t> elements(count);
  std::vector<int64_t> digits(node.sizes.size(), 0);
  int64_t element = node.begin;
  for (uint32_t& each : elements) {
    each = static_cast<uint32_t>(element);
    for (size_t i = digits.size(); i-- > 0;) {
      element += node.steps[i];
      if (++digits[i] < node.sizes[i]) break;
      element -= node.sizes[i] * node.steps[i];
      digits[i] = 0;
    }
  }
  return elements;
}

MadeStep make_step(const StepMaker& maker, const format::FloatMap& node) { return made<FloatMapStep>(maker, node); }
MadeStep make_step(const StepMaker& maker, const format::FloatBinary& node) {
  return made<FloatBinaryStep>(maker, node);
}
MadeStep make_step(const StepMaker& maker, const format::FloatMean& node) { return made<FloatMeanStep>(maker, node); }
MadeStep make_float_step(const StepMaker& maker, const format::Concat& node) {
  return made<FloatConcatStep>(maker, node);
}
MadeStep make_float_step(const StepMaker& maker, const format::Rearrange& node) {
  return made<FloatRearrangeStep>(maker, node);
}

}  // namespace torquant::runtime
