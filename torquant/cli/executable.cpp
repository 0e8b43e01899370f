#include "torquant/cli/executable.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <array>
#include <fstream>

#include "torquant/cli/inputs.h"
#include "torquant/core/error.h"
#include "torquant/format/at_length.h"
#include "torquant/format/describe.h"
#include "torquant/graph/interpreter.h"
#include "torquant/runtime/session.h"

namespace torquant::cli {
namespace {

template <class T>
T value_of(Result<T> result) {
  if (!result.ok()) throw Error(result.error());
  return *std::move(result);
}

class ProgramExecutable : public Executable {
 public:
  ProgramExecutable(std::string path, const std::string& lower)
      : path_(std::move(path)), program_(load_lowered(path_, lower)), interpreter_(program_) {}

  const Program& program() const override { return program_; }
  std::vector<c10::IValue> run(const std::vector<c10::IValue>& inputs) override {
    try {
      return interpreter_.run(inputs);
    } catch (const Error& error) {
      throw error.within(path_);
    }
  }
  std::vector<NodeTime> profile(const std::vector<c10::IValue>&) override {
    throw Error(
        {.where = path_, .what = "is a program", .allowed = "a .tqm model", .hint = "torquant lower makes one"});
  }

 private:
  std::string path_;
  Program program_;
  Interpreter interpreter_;
};

at::ScalarType dtype_of(const format::Value& value) {
  return value.type == format::ValueType::kInt64 ? at::kLong : at::kFloat;
}

// A program with the inputs of `model`, and nothing else.
Program program_of(const format::Model& model) {
  Program program;
  const SymbolicDim batch = {.expr = SymExpr::symbol("batch"), .hint = model.least_batch};
  const SymbolicDim length = {.expr = SymExpr::symbol("length"), .hint = model.least_length};
  if (model.most_batch > model.least_batch) program.ranges()["batch"] = {model.least_batch, model.most_batch};
  if (model.has_length()) program.ranges()["length"] = {model.least_length, model.most_length};
  for (const format::ValueIndex input : model.inputs) {
    const std::vector<int64_t>&stored = model.values[input].sizes, &growth = model.values[input].growth;
    std::vector<Dim> sizes(stored.begin(), stored.end());
    for (size_t i = 0; i < growth.size(); ++i)
      sizes[i] = add(mul(length, growth[i]), stored[i] - growth[i] * model.least_length);
    if (model.most_batch > model.least_batch) sizes[0] = batch;
    program.input_specs().push_back({InputKind::kUser, ""});
    program.graph().add_input(model.values[input].name,
                              contiguous_meta(dtype_of(model.values[input]), std::move(sizes)));
  }
  return program;
}

class ModelExecutable : public Executable {
 public:
  explicit ModelExecutable(const std::string& path)
      : loaded_(value_of(runtime::LoadedModel::load(path))), program_(program_of(loaded_->model())) {}

  const Program& program() const override { return program_; }

  std::vector<c10::IValue> run(const std::vector<c10::IValue>& inputs) override {
    const Call call = prepare(inputs);
    if (const Result<void> done = session_->run(call.from, call.to); !done.ok()) throw Error(done.error());
    return call.outputs;
  }

  std::vector<NodeTime> profile(const std::vector<c10::IValue>& inputs) override {
    const Call call = prepare(inputs);
    const format::Model& model = session_->model();
    std::vector<double> seconds(model.nodes.size(), 0);
    if (const Result<void> done = session_->profile(call.from, call.to, seconds); !done.ok()) throw Error(done.error());
    const runtime::BatchPlan& plan = session_->plan();
    std::vector<NodeTime> nodes;
    for (size_t i = 0; i < seconds.size(); ++i) {
      const int64_t macs = multiply_accumulates(model, model.nodes[i].operation);
      nodes.push_back({.node = model.nodes[i].name,
                       .kernel = plan.steps.kernels[i],
                       .macs = macs * static_cast<int64_t>(plan.memory.batch),
                       .in_float = computes_in_float(model.nodes[i].operation),
                       .seconds = seconds[i]});
    }
    return nodes;
  }
  std::optional<size_t> memory_bytes() const override {
    return session_ == nullptr ? std::nullopt : std::optional(session_->memory_bytes());
  }
  std::optional<CpuIsa> isa() const override { return loaded_->isa(); }

 private:
  // Tensors of a run, and where they lie.
  struct Call {
    std::vector<at::Tensor> inputs;
    std::vector<const void*> from;
    std::vector<float*> to;
    std::vector<c10::IValue> outputs;
  };

  Call prepare(const std::vector<c10::IValue>& inputs) {
    Call call;
    const std::vector<format::ValueIndex>& expected = loaded_->model().inputs;
    const runtime::RunSize size = size_of(inputs);
    for (size_t i = 0; i < inputs.size(); ++i) {
      const at::Tensor tensor = inputs[i].toTensor();
      const std::vector<int64_t> sizes = sizes_of(expected.at(i), size);
      const at::ScalarType dtype = dtype_of(value(expected[i]));
      if (tensor.scalar_type() != dtype || tensor.sizes() != at::IntArrayRef(sizes)) {
        throw Error({.where = "input " + value(expected[i]).name,
                     .what = fmt::format("is {} {}", c10::toString(tensor.scalar_type()), c10::str(tensor.sizes())),
                     .allowed = fmt::format("{} {}", c10::toString(dtype), c10::str(at::IntArrayRef(sizes)))});
      }
      call.inputs.push_back(tensor.contiguous());
      call.from.push_back(call.inputs.back().const_data_ptr());
    }
    for (const format::ValueIndex output : loaded_->model().outputs) {
      const at::Tensor tensor = at::empty(sizes_of(output, size), at::kFloat);
      call.to.push_back(tensor.mutable_data_ptr<float>());
      call.outputs.emplace_back(tensor);
    }
    if (session_ == nullptr) {
      session_ = value_of(runtime::Session::make(loaded_, size, static_cast<size_t>(at::get_num_threads())));
    } else if (const Result<void> done = session_->resize(size); !done.ok()) {
      throw Error(done.error());
    }
    return call;
  }

  const format::Value& value(format::ValueIndex index) const { return loaded_->model().values[index]; }

  // What the first sizes say; prepare() compares all of them.
  runtime::RunSize size_of(const std::vector<c10::IValue>& inputs) const {
    const format::Model& model = loaded_->model();
    const at::Tensor first = inputs.at(0).toTensor();
    int64_t length = model.least_length;
    for (size_t i = 0; i < inputs.size(); ++i)
      length = std::max(length, length_of(model, value(model.inputs.at(i)), inputs[i].toTensor().sizes().vec()));
    return {static_cast<size_t>(first.dim() > 0 ? first.size(0) : 0), length};
  }
  std::vector<int64_t> sizes_of(format::ValueIndex index, const runtime::RunSize& size) const {
    return sizes_at(loaded_->model(), value(index), static_cast<int64_t>(size.batch), size.length);
  }

  std::shared_ptr<const runtime::LoadedModel> loaded_;
  Program program_;
  std::unique_ptr<runtime::Session> session_;
};

}  // namespace

std::vector<std::string> Executable::input_names() const {
  std::vector<std::string> names;
  for (const Value* input : program().user_inputs()) names.push_back(input->name());
  return names;
}

bool is_tqm(const std::string& path) {
  std::array<char, 12> head{};
  std::ifstream file(path, std::ios::binary);
  return file.read(head.data(), head.size()) && std::string(head.data() + 8, 4) == "TQM1";
}

std::unique_ptr<Executable> load_executable(const std::string& path, const std::string& lower) {
  if (!is_tqm(path)) return std::make_unique<ProgramExecutable>(path, lower);
  if (!lower.empty()) throw Error({.where = path, .what = "is lowered already", .hint = "leave --lower out"});
  return std::make_unique<ModelExecutable>(path);
}

}  // namespace torquant::cli
