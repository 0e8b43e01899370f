#include "torquant/graph/stepwise_run.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include "torquant/core/error.h"
#include "torquant/graph/execution_plan.h"
#include "torquant/graph/input_check.h"

namespace torquant {

struct StepwiseRun::Impl {
  InterpreterOptions options;  // the plan refers to it
  ExecutionPlan plan;
  std::unordered_map<const Node*, size_t> position = {};  // of a node's step
  std::vector<Slots> samples = {};
  size_t next = 0;

  size_t position_of(const Node& node) const {
    const size_t found = position.at(&node);
    if (found < next) throw Error({.where = node.describe(), .what = "has run already"});
    return found;
  }
};

StepwiseRun::StepwiseRun(const Program& program, InterpreterOptions options,
                         const std::vector<std::vector<at::Tensor>>& samples)
    : impl_(new Impl{.options = std::move(options), .plan = {}}) {
  impl_->plan = make_plan(program.graph(), impl_->options);
  for (size_t i = 0; i < impl_->plan.steps.size(); ++i) impl_->position.emplace(impl_->plan.steps[i].node, i);
  Stack state;
  for (const Argument& input : program.graph().inputs()) {
    const at::Tensor* tensor = program.tensor_of(value_of(input));
    state.push_back(tensor == nullptr ? c10::IValue() : c10::IValue(*tensor));
  }
  const std::vector<Value*> user_inputs = program.user_inputs();
  for (const std::vector<at::Tensor>& sample : samples) {
    const Stack given(sample.begin(), sample.end());
    check_inputs(program, given);
    Stack inputs = state;
    for (size_t i = 0; i < user_inputs.size(); ++i) inputs[user_inputs[i]->input_index()] = given[i];
    impl_->samples.push_back(begin_run(impl_->plan, std::move(inputs)));
  }
}
StepwiseRun::StepwiseRun(StepwiseRun&&) noexcept = default;
StepwiseRun::~StepwiseRun() = default;

size_t StepwiseRun::sample_count() const { return impl_->samples.size(); }

void StepwiseRun::run_until(const Node& node) {
  const size_t end = impl_->position_of(node);
  Stack stack;
  for (; impl_->next < end; ++impl_->next) {
    for (Slots& slots : impl_->samples) {
      run_step(impl_->plan.steps[impl_->next], impl_->options.after_node, slots, stack);
    }
  }
}

at::Tensor StepwiseRun::argument(size_t sample, const Node& node, std::string_view name) {
  const ExecutionStep& step = impl_->plan.steps[impl_->position_of(node)];
  const std::optional<int> index =
      step.op == nullptr ? std::nullopt : step.op->schema().argumentIndexWithName(std::string(name));
  if (index) return fetch(step.args[*index], impl_->samples[sample], /*take=*/false).toTensor();
  throw Error({.where = node.describe(), .what = "has no argument " + std::string(name)});
}

}  // namespace torquant
