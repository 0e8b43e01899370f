#include "torquant/runtime/session.h"

#include <sys/mman.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <new>

#include "torquant/format/at_length.h"
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

Result<std::shared_ptr<const format::Model>> LoadedModel::model_of(int64_t length) const {
  if (!model_->has_length() && length == model_->least_length) return model_;
  Result<format::ModelOfLength> made = format::at_length(*model_, length);
  if (!made.ok()) return made.error();
  const auto kept = std::make_shared<const format::ModelOfLength>(*std::move(made));
  return std::shared_ptr<const format::Model>(kept, &kept->model);
}

Result<std::shared_ptr<const BatchPlan>> LoadedModel::plan_for(RunSize size) const {
  const auto least = static_cast<size_t>(model_->least_batch), most = static_cast<size_t>(model_->most_batch);
  if (size.batch < least || size.batch > most) {
    return ErrorText{
        .where = "batch",
        .what = std::to_string(size.batch) + " images were asked for",
        .allowed = least == most ? std::to_string(least) : std::to_string(least) + " to " + std::to_string(most)};
  }
  if (size.length == 0) size.length = model_->least_length;
  const std::lock_guard lock(mutex_);
  const std::pair key{size.batch, size.length};
  if (const auto found = plans_.find(key); found != plans_.end()) return found->second;
  Result<std::shared_ptr<const format::Model>> model = model_of(size.length);
  if (!model.ok()) return model.error();
  auto made =
      std::make_shared<BatchPlan>(BatchPlan{.model = *model, .memory = plan_memory(**model, size.batch), .steps = {}});
  if (const Result<void> checked = check_limits(*made->model, made->memory); !checked.ok()) return checked.error();
  made->steps = make_steps(*made->model, made->memory, isa_);
  if (plans_.size() == kMostPlans) plans_.clear();
  return plans_[key] = std::move(made);
}

void Session::Free::operator()(uint8_t* memory) const { ::operator delete(memory, std::align_val_t(kAlignment)); }

namespace {

Result<std::shared_ptr<const BatchPlan>> plan_for(const LoadedModel& loaded, RunSize size, size_t threads) {
  Result<std::shared_ptr<const BatchPlan>> plan = loaded.plan_for(size);
  if (!plan.ok()) return plan;
  if (const size_t scratch = threads * (*plan)->steps.scratch_bytes; scratch > kMostScratch) {
    return ErrorText{.where = "threads",
                     .what = std::to_string(threads) + " need " + std::to_string(scratch) + " bytes of scratch memory",
                     .allowed = "up to " + std::to_string(kMostScratch)};
  }
  return plan;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::make(std::shared_ptr<const LoadedModel> loaded, RunSize size,
                                               size_t threads) {
  if (threads < 1 || threads > kMostThreads) {
    return ErrorText{.where = "threads",
                     .what = std::to_string(threads) + " were asked for",
                     .allowed = "1 to " + std::to_string(kMostThreads)};
  }
  Result<std::shared_ptr<const BatchPlan>> plan = runtime::plan_for(*loaded, size, threads);
  if (!plan.ok()) return plan.error();
  return std::unique_ptr<Session>(new Session(std::move(loaded), *std::move(plan), threads));
}

Session::Session(std::shared_ptr<const LoadedModel> loaded, std::shared_ptr<const BatchPlan> plan, size_t threads)
    : loaded_(std::move(loaded)), pool_(threads) {
  take(std::move(plan));
}

Result<void> Session::resize(RunSize size) {
  Result<std::shared_ptr<const BatchPlan>> plan = runtime::plan_for(*loaded_, size, threads());
  if (!plan.ok()) return plan.error();
  if (*plan != plan_) take(*std::move(plan));
  return {};
}

void Session::take(std::shared_ptr<const BatchPlan> plan) {
  const size_t arena_bytes = (plan->memory.arena_bytes + kAlignment - 1) / kAlignment * kAlignment;
  const size_t bytes = arena_bytes + threads() * plan->steps.scratch_bytes;
  std::vector<void*> plain(plan->model->values.size());
  if (bytes > memory_bytes_ || arena_ == nullptr) {
    arena_.reset(static_cast<uint8_t*>(::operator new(bytes, std::align_val_t(kAlignment))));
    memory_bytes_ = bytes;
  }
  clear(arena_.get(), bytes);
  arena_bytes_ = arena_bytes;
  plan_ = std::move(plan);
  // bind() puts the user's pointers in place of those of inputs and outputs.
  const std::vector<format::Value>& values = model().values;
  for (size_t i = 0; i < values.size(); ++i) {
    plain[i] = values[i].is_constant() ? const_cast<float*>(values[i].constant.data())  // steps read it alone
                                       : static_cast<void*>(arena_.get() + plan_->memory.places[i].begin);
  }
  plain_ = std::move(plain);
}

Result<void> Session::bind(std::span<const void* const> inputs, std::span<float* const> outputs) {
  const format::Model& model = this->model();
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
  const format::Model& model = this->model();
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
