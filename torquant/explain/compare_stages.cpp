#include "torquant/explain/compare_stages.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "torquant/core/error.h"
#include "torquant/explain/stage_model.h"
#include "torquant/format/at_length.h"
#include "torquant/format/describe.h"
#include "torquant/format/tqm_file.h"
#include "torquant/graph/interpreter.h"
#include "torquant/graph/neighbours.h"
#include "torquant/lower/clamp_codes.h"
#include "torquant/lower/grid.h"
#include "torquant/pass/canonicalize.h"
#include "torquant/runtime/session.h"

namespace torquant {
namespace {

using format::Model;
using format::ValueIndex;
using format::ValueType;

template <class T>
T value_of(Result<T> result) {
  if (!result.ok()) throw Error(result.error());
  return *std::move(result);
}

std::vector<int64_t> sizes_of(const format::Value& value, int64_t batch) {
  std::vector<int64_t> sizes = value.sizes;
  sizes[0] = batch;
  return sizes;
}

// The outputs of one run, float32; inputs as the model says.
std::vector<at::Tensor> run_model(const Model& model, const std::vector<at::Tensor>& inputs, int64_t batch) {
  const std::string bytes = value_of(format::write_tqm(model));
  const at::Tensor memory = at::empty({static_cast<int64_t>(bytes.size())}, at::kByte);  // aligned
  std::memcpy(memory.mutable_data_ptr(), bytes.data(), bytes.size());
  const auto loaded = value_of(runtime::LoadedModel::from_memory(memory.const_data_ptr(), bytes.size()));
  const auto session = value_of(runtime::Session::make(loaded, static_cast<size_t>(batch),
                                                       static_cast<size_t>(std::max(1, at::get_num_threads()))));
  std::vector<const void*> from;
  std::vector<float*> to;
  std::vector<at::Tensor> outputs;
  for (const at::Tensor& input : inputs) from.push_back(input.const_data_ptr());
  for (const ValueIndex output : model.outputs) {
    outputs.push_back(at::empty(sizes_of(model.values[output], batch), at::kFloat));
    to.push_back(outputs.back().mutable_data_ptr<float>());
  }
  if (const Result<void> done = session->run(from, to); !done.ok()) throw Error(done.error());
  return outputs;
}

// The program's value that a model's value of that name stands for. Of floats it is what they are once a clamp that
// alone reads them is done, and quantized where they are: lowering computes all that in one node.
const Value* stands_for(const Graph& graph, const format::Value& value) {
  const Value* found = graph.find_value(value.name);
  if (found == nullptr) found = graph.find_value(quantized_numbers(value.name));
  if (found == nullptr || !found->is_tensor() || value.type == ValueType::kFloat32) return found;
  if (found->tensor().dtype != at::kFloat) return found;
  if (const Node* reader = sole_reader(found); reader != nullptr && read_limits(*reader)) found = reader->output();
  const Node* reader = sole_reader(found);
  const std::optional<OnGrid> quantize = read_quantize(reader);
  return quantize && quantize->grid.scale == value.grid.scale ? reader->output() : found;
}

// What `tensor`, the program's value, is in the model: reals, of codes those on the model's grid. Undefined where its
// codes have another scale or number.
at::Tensor as_in_model(const Value& source, const at::Tensor& tensor, const format::Value& value,
                       const std::vector<int64_t>& sizes) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  if (tensor.numel() != count) return {};
  const at::Tensor flat = tensor.contiguous().reshape(sizes);
  if (value.type == ValueType::kFloat32) return flat.scalar_type() == at::kFloat ? flat.clone() : at::Tensor();
  const double scale = value.grid.scale;
  if (flat.scalar_type() == at::kFloat) {  // Q10
    const float inv_scale = static_cast<float>(1.0 / scale);
    const at::Tensor codes = flat.mul(inv_scale).round_().add_(value.grid.zero_point).clamp_(0, 255);
    return codes.sub_(value.grid.zero_point).mul_(static_cast<float>(scale));
  }
  const std::optional<OnGrid> quantize = read_quantize(source.producer());
  if (!quantize || quantize->grid.scale != scale) return {};
  return flat.to(at::kFloat).sub_(quantize->grid.zero_point).mul_(static_cast<float>(scale));
}

class Comparison {
 public:
  Comparison(const Model& model, const std::vector<at::Tensor>& inputs)
      : model_(model), batch_(inputs[0].dim() == 0 ? 0 : inputs[0].size(0)), expected_(model.values.size()) {
    for (size_t i = 0; i < inputs.size(); ++i) expected_[model.inputs[i]] = inputs[i].contiguous();
  }

  std::vector<Stage> run(const Program& program) {
    see_program(program);
    std::vector<Stage> stages;
    for (size_t i = 0; i < model_.nodes.size(); ++i) {
      const format::Value& value = value_of_node(i);
      stages.push_back({.node = model_.nodes[i].name,
                        .operation = std::string(format::kind_of(model_.nodes[i].operation)),
                        .value = value.name,
                        .sizes = sizes_of(value, batch_),
                        .is_codes = value.type == ValueType::kUint8});
      run_alone(i, stages.back());
    }
    run_chain(stages);
    return stages;
  }

 private:
  const format::Value& value_of_node(size_t node) const {
    return model_.values[output_of(model_.nodes[node].operation)];
  }

  // Fills expected_, on a run of the program.
  void see_program(const Program& program) {
    std::unordered_multimap<const Value*, ValueIndex> wanted;
    for (const format::Node& node : model_.nodes) {
      const ValueIndex index = output_of(node.operation);
      if (const Value* source = stands_for(program.graph(), model_.values[index])) wanted.emplace(source, index);
    }
    const auto keep = [&](const Value* source, const at::Tensor& tensor) {
      const auto [first, last] = wanted.equal_range(source);
      for (auto it = first; it != last; ++it) {
        const format::Value& value = model_.values[it->second];
        expected_[it->second] = as_in_model(*source, tensor, value, sizes_of(value, batch_));
      }
    };
    const auto after_node = [&](const Node& node, std::span<const c10::IValue> outputs) {
      if (node.output() != nullptr && outputs[0].isTensor()) keep(node.output(), outputs[0].toTensor());
    };
    std::vector<at::Tensor> inputs;
    for (const ValueIndex input : model_.inputs) inputs.push_back(expected_[input].clone());
    (void)Interpreter(program, {.handlers = {}, .after_node = after_node}).forward(inputs);
    const std::vector<Value*> of_program = program.user_inputs();
    for (size_t i = 0; i < of_program.size(); ++i) keep(of_program[i], expected_[model_.inputs[i]]);
  }

  void run_alone(size_t node, Stage& stage) const {
    const ValueIndex output = output_of(model_.nodes[node].operation);
    if (!expected_[output].defined()) return;
    std::vector<bool> known;
    for (const at::Tensor& tensor : expected_) known.push_back(tensor.defined());
    const StageModel alone = model_of_stage(model_, node, known);
    std::vector<at::Tensor> inputs;
    for (const ValueIndex input : alone.inputs) inputs.push_back(expected_[input]);
    stage.alone = difference(output, run_model(alone.model, inputs, batch_)[0]);
    for (const size_t other : alone.nodes) {
      if (other != node) stage.with.push_back(other);
      stage.has_attention |= std::holds_alternative<format::Attention>(model_.nodes[other].operation);
    }
  }

  void run_chain(std::vector<Stage>& stages) const {
    const StageModel chain = model_that_shows_all(model_);
    std::vector<at::Tensor> inputs;
    for (const ValueIndex input : chain.inputs) inputs.push_back(expected_[input]);
    const std::vector<at::Tensor> outputs = run_model(chain.model, inputs, batch_);
    for (const size_t node : chain.nodes) {
      const ValueIndex output = output_of(model_.nodes[node].operation);
      if (expected_[output].defined()) stages[node].in_chain = difference(output, outputs[node]);
    }
  }

  Difference difference(ValueIndex index, const at::Tensor& reals) const {
    const at::Tensor& wanted = expected_[index];
    const at::Tensor error = reals.sub(wanted).to(at::kDouble);
    const double noise = error.square().sum().item<double>();
    const double signal = wanted.to(at::kDouble).square().sum().item<double>();
    Difference result{.sqnr = noise == 0 ? INFINITY : 10 * std::log10(signal / noise)};
    if (model_.values[index].type == ValueType::kFloat32) {
      result.differing = error.ne(0).sum().item<int64_t>();
      return result;
    }
    const at::Tensor steps = error.div(model_.values[index].grid.scale).round().abs();
    result.differing = steps.ne(0).sum().item<int64_t>();
    result.steps = static_cast<int64_t>(steps.max().item<double>());
    return result;
  }

  const Model& model_;
  const int64_t batch_;
  std::vector<at::Tensor> expected_;  // by the model's values: the program's, as reals; undefined where it has none
};

}  // namespace

bool Stage::holds() const {
  if (!alone) return true;
  return is_codes ? alone->steps <= 1 : alone->sqnr >= least_sqnr();
}

std::vector<Stage> compare_stages(const Program& converted, const Model& model, const std::vector<at::Tensor>& inputs) {
  const at::NoGradGuard no_grad;
  if (inputs.size() != model.inputs.size()) {
    throw Error({.where = "compare",
                 .what = fmt::format("{} inputs were given", inputs.size()),
                 .allowed = fmt::format("{}, as the model has", model.inputs.size())});
  }
  Program program = converted.clone();
  canonicalize(program);  // as lowering does: names of nodes are those behind it
  int64_t length = model.least_length;
  for (size_t i = 0; i < inputs.size(); ++i)
    length = std::max(length, length_of(model, model.values[model.inputs[i]], inputs[i].sizes().vec()));
  const format::ModelOfLength of_inputs = value_of(format::at_length(model, length));
  return Comparison(of_inputs.model, inputs).run(program);
}

}  // namespace torquant
