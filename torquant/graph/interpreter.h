#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "torquant/graph/program.h"

namespace torquant {

// Runs one node instead of the dispatcher: arguments stand on the stack in the order of the node, results replace them.
using NodeHandler = std::function<void(const Node& node, std::vector<c10::IValue>& stack)>;

// Sees each node after it ran, with its outputs (a Tensor[] counts as one). Observers, comparisons and progress hook in
// here.
using NodeHook = std::function<void(const Node& node, std::span<const c10::IValue> outputs)>;

struct InterpreterOptions {
  std::unordered_map<OpId, NodeHandler> handlers = {};
  NodeHook after_node = nullptr;
};

// Runs a program on LibTorch, node by node, through the dispatcher: any operator, any device, under autograd.
//
// Operators are resolved and arguments laid out once, here; a value is freed at its last use. Shares the program's
// tensors. The program must outlive the interpreter and not change. One run at a time.
class Interpreter {
 public:
  explicit Interpreter(const Program& program, InterpreterOptions options = {});
  Interpreter(Interpreter&&) noexcept;
  ~Interpreter();

  // The user outputs for the user inputs, both in the order of the program; buffers, parameters and inputs that the
  // program mutates are updated. Inputs are checked against the program: count, dtype, rank, sizes, ranges of symbolic
  // sizes. Throws Error that names the input, or the node whose operator failed.
  std::vector<c10::IValue> run(std::vector<c10::IValue> inputs);

  // The same for programs whose inputs and outputs are tensors.
  std::vector<at::Tensor> forward(const std::vector<at::Tensor>& inputs);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace torquant
