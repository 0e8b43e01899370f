#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "torquant/graph/graph.h"

namespace torquant {

enum class InputKind : uint8_t { kUser, kParameter, kBuffer, kTensorConstant, kConstant, kCustomObject, kToken };

// How one graph input is fed; the i-th spec belongs to the i-th input of the graph.
struct InputSpec {
  InputKind kind = InputKind::kUser;
  std::string target = {};  // the name in the state ("conv.weight"), or of a constant input
  bool persistent = true;   // of a buffer: saved with the weights
};

enum class OutputKind : uint8_t {
  kUser,
  kLoss,
  kBufferMutation,
  kParameterMutation,
  kUserInputMutation,
  kGradientToParameter,
  kGradientToUserInput,
  kToken,
};

// What one graph output is; the i-th spec belongs to the i-th output of the graph.
struct OutputSpec {
  OutputKind kind = OutputKind::kUser;
  std::string target = {};  // the mutated buffer, parameter or input
};

// One tensor that the program owns.
struct StateTensor {
  std::string name;  // "layer1.0.conv1.weight"
  at::Tensor tensor;
  bool is_parameter = false;  // else a buffer or constant
};

// The values that a symbol of the program may take, both ends included.
struct SymbolRange {
  std::optional<int64_t> min;
  std::optional<int64_t> max;
};

// What an archive says beyond the graph, kept as it was so that writing loses nothing.
struct ArchiveRemainder {
  // JSON texts by their place in models/<name>.json ("module_call_graph", "guards_code", ...).
  std::map<std::string, std::string> json;
  std::string sample_inputs;                                     // the record's bytes: a torch.save of (args, kwargs)
  std::vector<std::pair<std::string, std::string>> extra_files;  // extra/<name> -> bytes
  std::string model_name = "model";
};

// An exported program (torch.export.ExportedProgram): a graph, the tensors it reads, and its signature.
// Movable; the graph keeps its address.
class Program {
 public:
  Program() : graph_(std::make_unique<Graph>()) {}

  Graph& graph() { return *graph_; }
  const Graph& graph() const { return *graph_; }

  std::vector<InputSpec>& input_specs() { return input_specs_; }
  const std::vector<InputSpec>& input_specs() const { return input_specs_; }
  std::vector<OutputSpec>& output_specs() { return output_specs_; }
  const std::vector<OutputSpec>& output_specs() const { return output_specs_; }

  // Parameters, buffers and constants by name, in the order of the archive. Tied weights share their storage.
  const std::vector<StateTensor>& state() const { return state_; }
  const at::Tensor* find_state(std::string_view name) const;
  // Exchanges the tensor of that name, or adds it at the end.
  void set_state(std::string_view name, at::Tensor tensor);
  void set_state(StateTensor entry);
  void erase_states(const std::unordered_set<std::string>& names);
  void erase_state(const std::string& name) { erase_states({name}); }
  // Gives the tensor and the inputs that read it another name; `to` must be free.
  void rename_state(const std::string& from, const std::string& to);

  std::map<std::string, SymbolRange>& ranges() { return ranges_; }
  const std::map<std::string, SymbolRange>& ranges() const { return ranges_; }

  ArchiveRemainder& remainder() { return remainder_; }
  const ArchiveRemainder& remainder() const { return remainder_; }

  // The inputs that a caller passes, in order.
  std::vector<Value*> user_inputs() const;

  // The spec of a graph input; null for a value that is none.
  const InputSpec* spec_of(const Value* input) const;
  // The tensor behind a parameter, buffer or constant input; null for anything else.
  const at::Tensor* tensor_of(const Value* input) const;

  // Adds a tensor and the graph input that reads it; the value's name is `prefix` + name with dots as underscores.
  Value* add_buffer(const std::string& name, at::Tensor tensor, bool persistent = true);
  Value* add_parameter(const std::string& name, at::Tensor tensor);
  // `wanted`, or the first of wanted_1, wanted_2, … that no tensor of the state has.
  std::string unique_state_name(const std::string& wanted) const;

  // Removes inputs that nothing reads, and their tensors where no other input reads these.
  void erase_inputs(const std::vector<Value*>& inputs);
  void erase_input(Value* input) { erase_inputs({input}); }

  // A copy that shares the tensors, not the graph.
  Program clone() const;

 private:
  Value* add_state_input(InputKind kind, const std::string& name, at::Tensor tensor, bool persistent,
                         const char* prefix);
  void index_state();

  std::unique_ptr<Graph> graph_;
  std::vector<InputSpec> input_specs_;
  std::vector<OutputSpec> output_specs_;
  std::vector<StateTensor> state_;
  std::unordered_map<std::string, size_t> state_index_;  // by name
  std::map<std::string, SymbolRange> ranges_;
  ArchiveRemainder remainder_;
};

// How many inputs of the graph read each tensor of the state: more than one where weights are tied by name.
std::unordered_map<std::string, size_t> count_state_readers(const Program& program);

}  // namespace torquant
