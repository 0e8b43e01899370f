#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "torquant/core/result.h"
#include "torquant/format/model.h"
#include "torquant/kernels/cpu_isa.h"
#include "torquant/runtime/memory_plan.h"

namespace torquant::runtime {

// The memory of one run. `plain`: by value of the model, what is no code: the user's of inputs and outputs, the model's
// of constants, pieces of the arena of other floats.
struct Memory {
  uint8_t* arena;
  uint8_t* scratch;  // of the first thread; the others' follow, scratch_step bytes apart
  size_t scratch_step;
  std::span<void* const> plain;

  float* floats(format::ValueIndex value) const { return static_cast<float*>(plain[value]); }
  const int64_t* integers(format::ValueIndex value) const { return static_cast<const int64_t*>(plain[value]); }
};

// One node, with everything that does not depend on the run worked out: which kernel, where its rows lie. Shared by all
// runs; `part` of `parts` threads does its share, and the next step begins when all have.
class Step {
 public:
  virtual ~Step() = default;
  virtual void run(const Memory& memory, size_t part, size_t parts) const = 0;
  // What all threads do before any of them runs.
  virtual bool prepares() const { return false; }
  virtual void prepare(const Memory& memory, size_t part, size_t parts) const { (void)memory, (void)part, (void)parts; }
  // What each thread needs of Memory::scratch.
  virtual size_t scratch_bytes() const { return 0; }
};

struct Steps {
  std::vector<std::unique_ptr<Step>> steps;  // by node; null where there is nothing to do
  std::vector<std::string> kernels;          // by node: the kernel's name
  size_t scratch_bytes = 0;                  // the most that any of them needs, a multiple of 64
};

// `model` and `plan` must outlive the steps.
Steps make_steps(const format::Model& model, const MemoryPlan& plan, CpuIsa isa);

}  // namespace torquant::runtime
