#pragma once

#include <ATen/core/ivalue.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "torquant/graph/program.h"
#include "torquant/kernels/cpu_isa.h"

namespace torquant::cli {

// What `run`, `eval` and `bench` call: a program, as it is or lowered, or a model of the runtime.
// What one node of a model took in a run.
struct NodeTime {
  std::string node;    // its name in the model
  std::string kernel;  // "none" where nothing is done
  int64_t macs;        // of the batch
  bool in_float;       // what the macs are
  double seconds;
};

class Executable {
 public:
  virtual ~Executable() = default;

  // Of a model: its inputs alone.
  virtual const Program& program() const = 0;
  std::vector<std::string> input_names() const;
  // Throws Error where the inputs do not fit.
  virtual std::vector<c10::IValue> run(const std::vector<c10::IValue>& inputs) = 0;
  // One run, node by node: of models alone; throws Error for a program.
  virtual std::vector<NodeTime> profile(const std::vector<c10::IValue>& inputs) = 0;
  // What a model's session keeps for itself; nothing of a program.
  virtual std::optional<size_t> memory_bytes() const { return std::nullopt; }
  // The kernels of a model; nothing of a program.
  virtual std::optional<CpuIsa> isa() const { return std::nullopt; }
};

// A .tqm file, or a .pt2 archive with `lower` as load_lowered() takes it.
std::unique_ptr<Executable> load_executable(const std::string& path, const std::string& lower);

// Whether the file at `path` begins as .tqm files do.
bool is_tqm(const std::string& path);

}  // namespace torquant::cli
