#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "torquant/core/result.h"
#include "torquant/format/model.h"
#include "torquant/kernels/thread_pool.h"
#include "torquant/runtime/step.h"

namespace torquant::runtime {

// How much one run computes.
struct RunSize {
  RunSize(size_t images, int64_t run_length = 0) : batch(images), length(run_length) {}
  size_t batch;
  int64_t length;  // 0: the model's least
};

// A model for runs of one size: kernels are chosen, memory is planned. Never changes.
struct BatchPlan {
  std::shared_ptr<const format::Model> model;  // of the run's length
  MemoryPlan memory;
  Steps steps;
};

// A model that is ready to run; its file stays mapped. Any number of sessions in any threads share one.
class LoadedModel {
 public:
  // The file at `path`; for the CPU it runs on, or what TORQUANT_FORCE_ISA says.
  static Result<std::shared_ptr<const LoadedModel>> load(const std::string& path);
  // The bytes of such a file, which begin at a multiple of 64 and must outlive model and sessions.
  static Result<std::shared_ptr<const LoadedModel>> from_memory(const void* data, size_t size);

  const format::Model& model() const { return *model_; }
  // Made when first asked for; the latest ones are kept. An error where the model does not take such runs, or one would
  // cost more than limits.h allows.
  Result<std::shared_ptr<const BatchPlan>> plan_for(RunSize size) const;
  CpuIsa isa() const { return isa_; }

 private:
  LoadedModel() = default;
  static constexpr size_t kMostPlans = 64;  // of sequences all lengths come
  static Result<std::shared_ptr<const LoadedModel>> make(std::shared_ptr<const format::Model> model);
  Result<std::shared_ptr<const format::Model>> model_of(int64_t length) const;

  std::shared_ptr<const format::Model> model_;  // keeps the file
  mutable std::mutex mutex_;                    // of the plans
  mutable std::map<std::pair<size_t, int64_t>, std::shared_ptr<const BatchPlan>> plans_;
  CpuIsa isa_ = CpuIsa::kScalar;
};

// One run at a time, on memory and threads of its own; runs allocate nothing.
class Session {
 public:
  static constexpr size_t kMostThreads = 256;

  // std::bad_alloc and std::system_error, where memory or threads run out, are the standard library's and pass through.
  static Result<std::unique_ptr<Session>> make(std::shared_ptr<const LoadedModel> loaded, RunSize size, size_t threads);

  // Lets the runs that follow have another size. Threads stay, and so does memory that suffices. On an error nothing
  // has changed.
  Result<void> resize(RunSize size);

  // Pointers to float32 or int64, as the model says, in PyTorch's order, by input and output of the model; sizes are
  // the model's. On an error nothing was written.
  Result<void> run(std::span<const void* const> inputs, std::span<float* const> outputs);

  // The same, and adds to seconds[i] what node i took; [nodes of the model].
  Result<void> profile(std::span<const void* const> inputs, std::span<float* const> outputs, std::span<double> seconds);

  size_t threads() const { return pool_.threads(); }
  // What it allocated for itself.
  size_t memory_bytes() const { return memory_bytes_; }
  // Of the length of its runs.
  const format::Model& model() const { return *plan_->model; }
  const BatchPlan& plan() const { return *plan_; }

 private:
  Session(std::shared_ptr<const LoadedModel> loaded, std::shared_ptr<const BatchPlan> plan, size_t threads);

  void take(std::shared_ptr<const BatchPlan> plan);
  Result<void> bind(std::span<const void* const> inputs, std::span<float* const> outputs);
  Result<void> check_ids() const;
  Memory memory() const;
  void run_step(const Step& step, const Memory& memory, size_t part);

  struct Free {
    void operator()(uint8_t* memory) const;
  };

  std::shared_ptr<const LoadedModel> loaded_;
  std::shared_ptr<const BatchPlan> plan_;
  ThreadPool pool_;
  size_t arena_bytes_ = 0, memory_bytes_ = 0;
  std::unique_ptr<uint8_t, Free> arena_;  // and each thread's scratch memory behind it
  std::vector<void*> plain_;              // by value
};

}  // namespace torquant::runtime
