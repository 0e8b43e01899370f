#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "torquant/graph/interpreter.h"

namespace torquant {

// Runs a program on several samples side by side, stopping where one wants to look: each node runs on all samples
// before the next one does. State that is written in place between two stops is seen by the nodes that follow.
// Holds the live values of all samples at once.
class StepwiseRun {
 public:
  // samples[i]: the user inputs of sample i, checked as Interpreter::run does. `program` must outlive the run.
  StepwiseRun(const Program& program, InterpreterOptions options, const std::vector<std::vector<at::Tensor>>& samples);
  StepwiseRun(StepwiseRun&&) noexcept;
  ~StepwiseRun();

  size_t sample_count() const;
  // Runs what stands before `node`. A node that ran already is an Error.
  void run_until(const Node& node);
  // The argument `name`, a tensor, of an operator that is still to run and whose inputs have been computed.
  at::Tensor argument(size_t sample, const Node& node, std::string_view name);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace torquant
