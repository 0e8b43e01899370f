#include "torquant/runtime/session.h"

#include <sys/mman.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <new>

#include "torquant/format/tqm_file.h"
#include "torquant/runtime/limits.h"

namespace torquant::runtime {
namespace {

constexpr size_t kAlignment = 64;

// Zeros. The kernel gives new memory page by page, at a fault each; asked for all at once, in a tenth of the time.
void clear(uint8_t* memory, size_t bytes) {
#ifdef MADV_POPULATE_WRITE
  constexpr uintptr_t kPage = 4096;
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(memory) + kPage - 1) / kPage * kPage;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(memory) + bytes) / kPage * kPage;
  // Where the system cannot, the next line does it.
  if (begin < end) (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE);
#endif
  std::memset(memory, 0, bytes);
}

// What this runtime asks of a model beyond what files may hold.
Result<void> check_borders(const format::Model& model) {
  for (const bool is_input : {true, false}) {
    for (const format::ValueIndex index : is_input ? model.inputs : model.outputs) {
      const format::Value& value = model.values[index];
      const bool is_integers = value.type == format::ValueType::kInt64;
      if (value.type == format::ValueType::kFloat32 || (is_input && is_integers)) continue;
      return ErrorText{.where = (is_input ? "input " : "output ") + value.name,
                       .what = is_integers ? "is of int64" : "is of uint8",
                       .allowed = is_input ? "float32, int64" : "float32"};
    }
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const LoadedModel>> LoadedModel::load(const std::string& path) {
  Result<std::shared_ptr<const format::TqmFile>> file = format::TqmFile::open(path);
  if (!file.ok()) return file.error();
  if (const Result<void> checked = check_borders((*file)->model()); !checked.ok()) {
    ErrorText error = checked.error();
    error.where = path + ": " + error.where;
    return error;
  }
  return make(std::shared_ptr<const format::Model>(*file, &(*file)->model()));
}

Result<std::shared_ptr<const LoadedModel>> LoadedModel::from_memory(const void* data, size_t size) {
  if (const size_t rest = reinterpret_cast<uintptr_t>(data) % kAlignment; rest != 0) {
    return ErrorText{
        .where = "data",
        .what = "begins " + std::to_string(rest) + " bytes behind a multiple of " + std::to_string(kAlignment),
        .allowed = "addresses that are multiples of " + std::to_string(kAlignment),
        .hint = "aligned_alloc(64, …) and mmap give such memory"};
  }
  Result<format::Model> model = format::read_tqm(data, size);
  if (!model.ok()) return model.error();
  if (const Result<void> checked = check_borders(*model); !checked.ok()) return checked.error();
  return make(std::make_shared<const format::Model>(*std::move(model)));
}

Result<std::shared_ptr<const LoadedModel>> LoadedModel::make(std::shared_ptr<const format::Model> model) {
  const Result<CpuIsa> isa = choose_cpu_isa();
  if (!isa.ok()) return isa.error();
  std::shared_ptr<LoadedModel> loaded(new LoadedModel());
  loaded->isa_ = *isa;
  loaded->model_ = std::move(model);
  return std::shared_ptr<const LoadedModel>(std::move(loaded));
}

Result<std::shared_ptr<const BatchPlan>> LoadedModel::plan_for(size_t batch) const {
  const auto least = static_cast<size_t>(model_->least_batch), most = static_cast<size_t>(model_->most_batch);
  if (batch < least || batch > most) {
    return ErrorText{
        .where = "batch",
        .what = std::to_string(batch) + " images were asked for",
        .allowed = least == most ? std::to_string(least) : std::to_string(least) + " to " + std::to_string(most)};
  }
  const std::lock_guard lock(mutex_);
  std::shared_ptr<const BatchPlan>& plan = plans_[batch];
  if (plan != nullptr) return plan;
  auto made = std::make_shared<BatchPlan>(BatchPlan{.memory = plan_memory(*model_, batch), .steps = {}});
  if (const Result<void> checked = check_limits(*model_, made->memory); !checked.ok()) return checked.error();
  made->steps = make_steps(*model_, made->memory, isa_);
  plan = std::move(made);
  return plan;
}

void Session::Free::operator()(uint8_t* memory) const { ::operator delete(memory, std::align_val_t(kAlignment)); }

Result<std::unique_ptr<Session>> Session::make(std::shared_ptr<const LoadedModel> loaded, size_t batch,
                                               size_t threads) {
  if (threads < 1 || threads > kMostThreads) {
    return ErrorText{.where = "threads",
                     .what = std::to_string(threads) + " were asked for",
                     .allowed = "1 to " + std::to_string(kMostThreads)};
  }
  Result<std::shared_ptr<const BatchPlan>> plan = loaded->plan_for(batch);
  if (!plan.ok()) return plan.error();
  if (const size_t scratch = threads * (*plan)->steps.scratch_bytes; scratch > kMostScratch) {
    return ErrorText{.where = "threads",
                     .what = std::to_string(threads) + " need " + std::to_string(scratch) + " bytes of scratch memory",
                     .allowed = "up to " + std::to_string(kMostScratch)};
  }
  return std::unique_ptr<Session>(new Session(std::move(loaded), *std::move(plan), threads));
}

Session::Session(std::shared_ptr<const LoadedModel> loaded, std::shared_ptr<const BatchPlan> plan, size_t threads)
    : loaded_(std::move(loaded)), plan_(std::move(plan)), pool_(threads) {
  arena_bytes_ = (plan_->memory.arena_bytes + kAlignment - 1) / kAlignment * kAlignment;
  arena_.reset(static_cast<uint8_t*>(::operator new(memory_bytes(), std::align_val_t(kAlignment))));
  clear(arena_.get(), memory_bytes());
  // bind() puts the user's pointers in place of those of inputs and outputs.
  const std::vector<format::Value>& values = loaded_->model().values;
  for (size_t i = 0; i < values.size(); ++i) {
    plain_.push_back(values[i].is_constant() ? const_cast<float*>(values[i].constant.data())  // steps read it alone
                                             : static_cast<void*>(arena_.get() + plan_->memory.places[i].begin));
  }
}

Result<void> Session::bind(std::span<const void* const> inputs, std::span<float* const> outputs) {
  const format::Model& model = loaded_->model();
  const auto counted = [](const char* what, size_t given, size_t wanted) {
    return ErrorText{
        .where = "run", .what = std::to_string(given) + " " + what + " were given", .allowed = std::to_string(wanted)};
  };
  if (inputs.size() != model.inputs.size()) return counted("inputs", inputs.size(), model.inputs.size());
  if (outputs.size() != model.outputs.size()) return counted("outputs", outputs.size(), model.outputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] == nullptr) return ErrorText{.where = "run", .what = "input " + std::to_string(i) + " is null"};
    plain_[model.inputs[i]] = const_cast<void*>(inputs[i]);  // steps read it alone
  }
  if (Result<void> checked = check_ids(); !checked.ok()) return checked;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i] == nullptr) return ErrorText{.where = "run", .what = "output " + std::to_string(i) + " is null"};
    plain_[model.outputs[i]] = outputs[i];
  }
  return {};
}

// Integers are the user's alone, so what tables do not have can be told before the run.
Result<void> Session::check_ids() const {
  const format::Model& model = loaded_->model();
  for (const format::Node& node : model.nodes) {
    const auto* embedding = std::get_if<format::Embedding>(&node.operation);
    if (embedding == nullptr) continue;
    const auto* ids = static_cast<const int64_t*>(plain_[embedding->input]);
    const Place& place = plan_->memory.places[embedding->input];
    const size_t columns = static_cast<size_t>(model.values[embedding->output].sizes.back());
    const auto rows = static_cast<int64_t>(embedding->table.size() / columns);
    for (size_t i = 0; i < place.batch * place.channels * place.pixels(); ++i) {
      if (ids[i] >= 0 && ids[i] < rows) continue;
      return ErrorText{.where = "input " + model.values[embedding->input].name,
                       .what = "holds " + std::to_string(ids[i]) + " at place " + std::to_string(i),
                       .allowed = "0 to " + std::to_string(rows - 1) + ", the rows of " + node.name};
    }
  }
  return {};
}

Memory Session::memory() const {
  return {.arena = arena_.get(),
          .scratch = arena_.get() + arena_bytes_,
          .scratch_step = plan_->steps.scratch_bytes,
          .plain = plain_};
}

// The share of one thread; returns when all have done theirs.
void Session::run_step(const Step& step, const Memory& memory, size_t part) {
  if (step.prepares()) {
    step.prepare(memory, part, pool_.threads());
    pool_.meet();
  }
  step.run(memory, part, pool_.threads());
  pool_.meet();
}

Result<void> Session::run(std::span<const void* const> inputs, std::span<float* const> outputs) {
  if (Result<void> bound = bind(inputs, outputs); !bound.ok()) return bound;
  const Memory memory = this->memory();
  pool_.run([&](size_t part) {
    for (const std::unique_ptr<Step>& step : plan_->steps.steps) {
      if (step != nullptr) run_step(*step, memory, part);
    }
  });
  return {};
}

Result<void> Session::profile(std::span<const void* const> inputs, std::span<float* const> outputs,
                              std::span<double> seconds) {
  using Clock = std::chrono::steady_clock;
  if (Result<void> bound = bind(inputs, outputs); !bound.ok()) return bound;
  const Memory memory = this->memory();
  pool_.run([&](size_t part) {
    for (size_t i = 0; i < plan_->steps.steps.size(); ++i) {
      const Step* step = plan_->steps.steps[i].get();
      if (step == nullptr) continue;
      const Clock::time_point begin = Clock::now();
      run_step(*step, memory, part);
      if (part == 0) seconds[i] += std::chrono::duration<double>(Clock::now() - begin).count();
    }
  });
  return {};
}

}  // namespace torquant::runtime
