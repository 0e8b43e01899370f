#pragma once

#include <ATen/core/ivalue.h>

#include <memory>
#include <string>
#include <vector>

#include "torquant/graph/program.h"

namespace torquant::cli {

// What `run`, `eval` and `bench` call: a program, as it is or lowered, or a model of the runtime.
class Executable {
 public:
  virtual ~Executable() = default;

  // Of a model: its inputs alone.
  virtual const Program& program() const = 0;
  std::vector<std::string> input_names() const;
  // Throws Error where the inputs do not fit.
  virtual std::vector<c10::IValue> run(const std::vector<c10::IValue>& inputs) = 0;
};

// A .tqm file, or a .pt2 archive with `lower` as load_lowered() takes it.
std::unique_ptr<Executable> load_executable(const std::string& path, const std::string& lower);

// Whether the file at `path` begins as .tqm files do.
bool is_tqm(const std::string& path);

}  // namespace torquant::cli
