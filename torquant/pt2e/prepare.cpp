#include "torquant/pt2e/prepare.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "torquant/core/error.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/pass/constant_values.h"
#include "torquant/pass/duplicate_dequantize.h"
#include "torquant/pass/pipeline.h"
#include "torquant/pt2e/insert_observers.h"

namespace torquant {
namespace {

// The observers of parameters, buffers and what is computed from them alone.
std::unordered_set<const Node*> observers_of_constants(const Program& program) {
  const std::unordered_set<const Value*> constants = constant_values(program);
  std::unordered_set<const Node*> nodes;
  for (const Node& node : program.graph()) {
    if (node.op() == ops::kObserve && constants.contains(node.input("input"))) nodes.insert(&node);
  }
  return nodes;
}

size_t observer_index(const Node& node) { return static_cast<size_t>(int_arg(node, "observer")); }

}  // namespace

struct PreparedProgram::State {
  Program program;
  std::vector<PlacedObserver> observers;
  QuantizationReport report;
  std::unordered_set<const Node*> done = {};           // observers of constants: they saw their value already
  std::unique_ptr<Interpreter> interpreter = nullptr;  // made at the first run

  void observe(const Node& node, std::vector<c10::IValue>& stack) {
    stack.pop_back();  // the observer's index
    if (!done.contains(&node)) stack[0] = observers[observer_index(node)].observer->observe(stack[0].toTensor());
  }
};

PreparedProgram::PreparedProgram(Program program, std::vector<PlacedObserver> observers, QuantizationReport report)
    : state_(new State{std::move(program), std::move(observers), std::move(report)}) {
  state_->done = observers_of_constants(state_->program);
  // Those that fake-quantize give another value than they see: they run each time.
  std::erase_if(state_->done, [&](const Node* node) {
    return state_->observers[observer_index(*node)].spec.fake_quantize != FakeQuantizeType::kNone;
  });
}
PreparedProgram::PreparedProgram(PreparedProgram&&) noexcept = default;
PreparedProgram& PreparedProgram::operator=(PreparedProgram&&) noexcept = default;
PreparedProgram::~PreparedProgram() = default;

const Program& PreparedProgram::program() const { return state_->program; }
const std::vector<PlacedObserver>& PreparedProgram::observers() const { return state_->observers; }
const QuantizationReport& PreparedProgram::report() const { return state_->report; }

Program PreparedProgram::release() && {
  state_->interpreter.reset();
  return std::move(state_->program);
}

std::vector<c10::IValue> PreparedProgram::run(std::vector<c10::IValue> inputs) {
  if (state_->interpreter == nullptr) {
    InterpreterOptions options;
    options.handlers[ops::kObserve] = [state = state_.get()](const Node& node, std::vector<c10::IValue>& stack) {
      state->observe(node, stack);
    };
    state_->interpreter = std::make_unique<Interpreter>(state_->program, std::move(options));
  }
  return state_->interpreter->run(std::move(inputs));
}

std::vector<at::Tensor> PreparedProgram::forward(const std::vector<at::Tensor>& inputs) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> outputs;
  for (c10::IValue& output : run({inputs.begin(), inputs.end()})) outputs.push_back(std::move(output).toTensor());
  return outputs;
}

PreparedProgram prepare_pt2e(Program program, Quantizer& quantizer) {
  PassResult passes = run_before_annotation(program);
  quantizer.transform_for_annotation(program);
  Annotations annotations;
  quantizer.annotate(program, annotations);
  quantizer.validate(program, annotations);
  QuantizationReport report = make_report(program, annotations, quantizer.name());
  report.refusals = std::move(passes.refusals);
  if (annotations.size() == 0) {
    throw Error({.where = quantizer.name(),
                 .what = fmt::format("annotated none of the program's {} nodes, so nothing would be quantized",
                                     program.graph().size()),
                 .hint = "see `torquant plan` for the reason of each layer"});
  }
  for (Node& node : program.graph()) {
    const QuantizationAnnotation* annotation = annotations.find(&node);
    if (annotation != nullptr && !annotation->empty()) node.set_metadata(kAnnotatedKey, "true");
  }
  std::vector<PlacedObserver> observers =
      insert_observers(program, annotations, resolve_sharing(program.graph(), annotations));
  const at::NoGradGuard no_grad;
  for (const Node* node : observers_of_constants(program)) {
    observers[observer_index(*node)].observer->observe(evaluate_constant(program, node->input("input")));
  }
  return {std::move(program), std::move(observers), std::move(report)};
}

}  // namespace torquant
