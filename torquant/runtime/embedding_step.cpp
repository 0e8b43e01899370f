#include <algorithm>

#include "torquant/kernels/thread_pool.h"
#include "torquant/runtime/step_internal.h"

namespace torquant::runtime {
namespace {

constexpr size_t kGrain = 16;  // a cache line of floats: threads write none of another's

class FromIntegersStep : public Step {
 public:
  FromIntegersStep(const StepMaker& maker, const format::FromIntegers& node)
      : node_(node), count_(maker.elements_of(node.output)) {}

  const char* kernel_name() const { return "from_integers"; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    const PartRange range = part_of(count_, kGrain, part, parts);
    const int64_t* x = memory.integers(node_.input);
    float* y = memory.floats(node_.output);
    for (size_t i = range.begin; i < range.end; ++i) y[i] = static_cast<float>(x[i]);
  }

 private:
  const format::FromIntegers& node_;
  size_t count_;
};

// Session::check_ids() has seen that the table has every row.
class EmbeddingStep : public Step {
 public:
  EmbeddingStep(const StepMaker& maker, const format::Embedding& node)
      : node_(node),
        rows_(maker.elements_of(node.input)),
        columns_(static_cast<size_t>(maker.model.values[node.output].sizes.back())) {}

  const char* kernel_name() const { return "embedding"; }

  void run(const Memory& memory, size_t part, size_t parts) const override {
    const PartRange range = part_of(rows_, 1, part, parts);
    for (size_t i = range.begin; i < range.end; ++i) {
      const auto row = static_cast<size_t>(memory.integers(node_.input)[i]);
      std::copy_n(node_.table.data() + row * columns_, columns_, memory.floats(node_.output) + i * columns_);
    }
  }

 private:
  const format::Embedding& node_;
  size_t rows_, columns_;
};

}  // namespace

MadeStep make_step(const StepMaker& maker, const format::FromIntegers& node) {
  return made<FromIntegersStep>(maker, node);
}
MadeStep make_step(const StepMaker& maker, const format::Embedding& node) { return made<EmbeddingStep>(maker, node); }

}  // namespace torquant::runtime
