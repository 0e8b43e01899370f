#pragma once

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>

#include <string>
#include <utility>
#include <vector>

#include "torquant/graph/interpreter.h"
#include "torquant/graph/program.h"

namespace torquant {

// Builds a small program, node by node, with the shapes that running it gives. Tensors are random but the same each
// time.
//
//   TestProgram net;
//   Value* x = net.input("x", {1, 3, 8, 8});
//   Value* y = net.op("aten.conv2d.default", {{"input", x}, {"weight", net.parameter("conv.weight", {4, 3, 3, 3})}});
//   Program program = net.returns({y});
class TestProgram {
 public:
  TestProgram() { at::manual_seed(7); }

  Value* input(const std::string& name, const std::vector<int64_t>& sizes, at::ScalarType dtype = at::kFloat) {
    examples_.push_back(at::randn(sizes).to(dtype));
    program_.input_specs().push_back({InputKind::kUser, ""});
    return program_.graph().add_input(name, meta_of(examples_.back()));
  }

  Value* parameter(const std::string& name, const std::vector<int64_t>& sizes, at::ScalarType dtype = at::kFloat) {
    return program_.add_parameter(name, at::randn(sizes).to(dtype));
  }
  // Between 0.5 and 1.5: a variance, a scale.
  Value* positive(const std::string& name, const std::vector<int64_t>& sizes) {
    return program_.add_buffer(name, at::rand(sizes) + 0.5);
  }
  Value* buffer(const std::string& name, at::Tensor tensor) { return program_.add_buffer(name, std::move(tensor)); }

  // `module` is its path, of type torch.nn.modules.Test unless `module_type` says another.
  Value* op(const std::string& op, std::vector<NamedArgument> args, const std::string& module = "",
            const std::string& module_type = "torch.nn.modules.Test", size_t outputs = 1) {
    Graph& graph = program_.graph();
    const size_t first = op.find('.') + 1;
    const std::string name = graph.unique_name(op.substr(first, op.find('.', first) - first));
    Node* node = graph.append(OpId(op), name, std::move(args));
    if (!module.empty()) node->set_metadata("nn_module_stack", ",," + module_type + ";x," + module + "," + module_type);
    for (size_t i = 0; i < outputs; ++i) {
      graph.add_output(node, i == 0 ? name : name + "_out" + std::to_string(i), TensorMeta{});
    }
    infer(node);
    return node->values()[0];
  }

  // conv2d → batch_norm, the shapes of one layer.
  Value* conv2d(Value* x, const std::string& module, int64_t out, int64_t kernel = 3) {
    const int64_t in = std::get<int64_t>(x->tensor().sizes[1]);
    return op("aten.conv2d.default",
              {{"input", x},
               {"weight", parameter(module + ".weight", {out, in, kernel, kernel})},
               {"bias", parameter(module + ".bias", {out})}},
              module, "torch.nn.modules.conv.Conv2d");
  }
  Value* linear(Value* x, const std::string& module, int64_t out, bool bias = true) {
    std::vector<NamedArgument> args = {
        {"input", x}, {"weight", parameter(module + ".weight", {out, std::get<int64_t>(x->tensor().sizes.back())})}};
    if (bias) args.push_back({"bias", parameter(module + ".bias", {out})});
    return op("aten.linear.default", std::move(args), module, "torch.nn.modules.linear.Linear");
  }
  Value* batch_norm(Value* x, const std::string& module, bool training = false) {
    const int64_t channels = std::get<int64_t>(x->tensor().sizes[1]);
    return op("aten.batch_norm.default",
              {{"input", x},
               {"weight", positive(module + ".weight", {channels})},
               {"bias", parameter(module + ".bias", {channels})},
               {"running_mean", buffer(module + ".running_mean", at::randn({channels}))},
               {"running_var", positive(module + ".running_var", {channels})},
               {"training", training},
               {"momentum", 0.1},
               {"eps", 1e-5},
               {"cudnn_enabled", false}},
              module, "torch.nn.modules.batchnorm.BatchNorm2d");
  }
  Value* relu(Value* x) { return op("aten.relu.default", {{"self", x}}); }

  // Ends the program. More than one call gives one program each with the outputs asked for.
  Program returns(const std::vector<Value*>& outputs) {
    set_outputs(outputs);
    return program_.clone();
  }

  const std::vector<at::Tensor>& examples() const { return examples_; }
  Program& program() { return program_; }

 private:
  void set_outputs(const std::vector<Value*>& outputs) {
    program_.graph().set_outputs({outputs.begin(), outputs.end()});
    program_.output_specs().assign(outputs.size(), OutputSpec{});
  }

  void infer(Node* node) {
    const at::NoGradGuard no_grad;
    set_outputs(node->values());
    std::vector<c10::IValue> inputs;
    for (const at::Tensor& example : examples_) inputs.emplace_back(example.clone());  // the program may write them
    const std::vector<c10::IValue> results = Interpreter(program_).run(std::move(inputs));
    for (size_t i = 0; i < results.size(); ++i) node->values()[i]->meta() = meta_of(results[i].toTensor());
  }

  Program program_;
  std::vector<at::Tensor> examples_;
};

// The outputs of `program`.
inline std::vector<at::Tensor> outputs_of(const Program& program, const std::vector<at::Tensor>& inputs) {
  const at::NoGradGuard no_grad;
  return Interpreter(program).forward(inputs);
}

// Its only node of that operator; null when there is none or more.
inline const Node* only_node(const Program& program, const std::string& op) {
  const Node* found = nullptr;
  for (const Node& node : program.graph()) {
    if (node.op().name() != op) continue;
    if (found != nullptr) return nullptr;
    found = &node;
  }
  return found;
}

inline size_t count_nodes(const Program& program, const std::string& op) {
  size_t count = 0;
  for (const Node& node : program.graph()) count += node.op().name() == op ? 1 : 0;
  return count;
}

}  // namespace torquant
