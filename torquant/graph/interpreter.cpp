#include "torquant/graph/interpreter.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "torquant/core/error.h"
#include "torquant/graph/execution_plan.h"
#include "torquant/graph/input_check.h"
#include "torquant/graph/verifier.h"

namespace torquant {
namespace {

using c10::IValue;

// What an output is written to: a tensor of the state, or what the caller passes for an input. The caller gets an
// output that has neither.
struct Target {
  at::Tensor state = {};
  const Value* input = nullptr;
};

Target target_of(const Program& program, const OutputSpec& spec) {
  switch (spec.kind) {
    case OutputKind::kBufferMutation:
    case OutputKind::kParameterMutation:
      if (const at::Tensor* state = program.find_state(spec.target)) return {.state = *state};
      throw Error({.where = "outputs",
                   .what = fmt::format("the program writes to \"{}\", which it does not hold", spec.target)});
    case OutputKind::kUserInputMutation: {
      const Value* input = program.graph().find_value(spec.target);
      if (input != nullptr && input->producer() == nullptr && input->is_tensor()) return {.input = input};
      throw Error(
          {.where = "outputs",
           .what = fmt::format("the program writes to \"{}\", which is no tensor among its inputs", spec.target)});
    }
    case OutputKind::kUser:
    case OutputKind::kLoss:
    case OutputKind::kGradientToParameter:
    case OutputKind::kGradientToUserInput:
    case OutputKind::kToken:
      return {};
  }
  return {};
}

void write(const at::Tensor& target, const IValue& value, const OutputSpec& spec) {
  const at::NoGradGuard no_grad;
  try {
    target.copy_(value.toTensor());
  } catch (const c10::Error& error) {
    throw Error({.where = fmt::format("outputs: the new value of \"{}\"", spec.target),
                 .what = error.what_without_backtrace()});
  }
}

}  // namespace

struct Interpreter::Impl {
  Impl(const Program& program, InterpreterOptions given)
      : program(program), options(std::move(given)), plan(make_plan(program.graph(), options)) {
    verify_spec_counts(program);
    for (const Argument& input : program.graph().inputs()) {
      const at::Tensor* tensor = program.tensor_of(value_of(input));
      inputs.push_back(tensor == nullptr ? IValue() : IValue(*tensor));
    }
    for (const OutputSpec& spec : program.output_specs()) targets.push_back(target_of(program, spec));
  }

  const Program& program;
  InterpreterOptions options;
  ExecutionPlan plan;           // refers to the options
  Stack inputs;                 // of the graph: the state, and None where each run puts the caller's
  std::vector<Target> targets;  // of the graph's outputs
};

Interpreter::Interpreter(const Program& program, InterpreterOptions options)
    : impl_(std::make_unique<Impl>(program, std::move(options))) {}
Interpreter::Interpreter(Interpreter&&) noexcept = default;
Interpreter::~Interpreter() = default;

std::vector<IValue> Interpreter::run(std::vector<IValue> inputs) {
  const Program& program = impl_->program;
  check_inputs(program, inputs);
  Stack all = impl_->inputs;
  const std::vector<Value*> user_inputs = program.user_inputs();
  for (size_t i = 0; i < user_inputs.size(); ++i) all[user_inputs[i]->input_index()] = std::move(inputs[i]);
  std::vector<at::Tensor> targets;  // undefined for an output that the caller gets
  for (const auto& [state, input] : impl_->targets) {
    targets.push_back(input == nullptr ? state : all[input->input_index()].toTensor());
  }
  Stack results = run_plan(impl_->plan, impl_->options.after_node, std::move(all));
  std::vector<IValue> outputs;
  for (size_t i = 0; i < results.size(); ++i) {
    if (targets[i].defined()) {
      write(targets[i], results[i], program.output_specs()[i]);
    } else {
      outputs.push_back(std::move(results[i]));
    }
  }
  return outputs;
}

std::vector<at::Tensor> Interpreter::forward(const std::vector<at::Tensor>& inputs) {
  std::vector<at::Tensor> outputs;
  for (IValue& output : run({inputs.begin(), inputs.end()})) {
    if (!output.isTensor())
      throw Error({.where = "outputs", .what = "the program returns something else than tensors"});
    outputs.push_back(std::move(output).toTensor());
  }
  return outputs;
}

}  // namespace torquant
