#include "torquant/runtime/session.h"

#include <cstdlib>
#include <cstring>

#include "torquant/format/tqm_file.h"

namespace torquant::runtime {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kMostThreads = 256;
constexpr size_t kMostArena = size_t{1} << 31;  // places of rows in it are 32 bits

// What this runtime asks of a model beyond what files may hold.
Result<void> check_borders(const format::Model& model) {
  for (const bool is_input : {true, false}) {
    for (const format::ValueIndex index : is_input ? model.inputs : model.outputs) {
      const format::Value& value = model.values[index];
      if (value.type == format::ValueType::kFloat32) continue;
      return ErrorText{
          .where = (is_input ? "input " : "output ") + value.name, .what = "is of uint8", .allowed = "float32"};
    }
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const LoadedModel>> LoadedModel::load(const std::string& path) {
  Result<std::shared_ptr<const format::TqmFile>> file = format::TqmFile::open(path);
  if (!file.ok()) return file.error();
  const Result<CpuIsa> isa = choose_cpu_isa();
  if (!isa.ok()) return isa.error();
  std::shared_ptr<LoadedModel> loaded(new LoadedModel());
  loaded->isa_ = *isa;
  loaded->model_ = std::shared_ptr<const format::Model>(*file, &(*file)->model());
  const auto within = [&](ErrorText error) {
    error.where = path + ": " + error.where;
    return error;
  };
  if (const Result<void> checked = check_borders(loaded->model()); !checked.ok()) return within(checked.error());
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
  if (made->memory.arena_bytes > kMostArena) {
    return ErrorText{
        .where = "batch",
        .what = std::to_string(batch) + " images need " + std::to_string(made->memory.arena_bytes) + " bytes at a time",
        .allowed = std::to_string(kMostArena)};
  }
  made->steps = make_steps(*model_, made->memory, isa_);
  plan = std::move(made);
  return plan;
}

void Session::Free::operator()(uint8_t* memory) const { std::free(memory); }

Result<std::unique_ptr<Session>> Session::make(std::shared_ptr<const LoadedModel> loaded, size_t batch,
                                               size_t threads) {
  if (threads < 1 || threads > kMostThreads) {
    return ErrorText{.where = "threads",
                     .what = std::to_string(threads) + " were asked for",
                     .allowed = "1 to " + std::to_string(kMostThreads)};
  }
  Result<std::shared_ptr<const BatchPlan>> plan = loaded->plan_for(batch);
  if (!plan.ok()) return plan.error();
  std::unique_ptr<Session> session(new Session(std::move(loaded), *std::move(plan), threads));
  if (session->arena_ == nullptr) {
    return ErrorText{.where = "session",
                     .what = "there is no memory for " + std::to_string(session->plan().memory.arena_bytes) + " bytes"};
  }
  return session;
}

Session::Session(std::shared_ptr<const LoadedModel> loaded, std::shared_ptr<const BatchPlan> plan, size_t threads)
    : loaded_(std::move(loaded)), plan_(std::move(plan)), pool_(threads) {
  arena_bytes_ = (plan_->memory.arena_bytes + kAlignment - 1) / kAlignment * kAlignment;
  const size_t bytes = arena_bytes_ + threads * plan_->steps.scratch_bytes;
  arena_.reset(static_cast<uint8_t*>(std::aligned_alloc(kAlignment, bytes)));
  if (arena_ != nullptr) std::memset(arena_.get(), 0, bytes);
  floats_.assign(loaded_->model().values.size(), nullptr);
}

Result<void> Session::run(std::span<const float* const> inputs, std::span<float* const> outputs) {
  const format::Model& model = loaded_->model();
  const auto counted = [](const char* what, size_t given, size_t wanted) {
    return ErrorText{
        .where = "run", .what = std::to_string(given) + " " + what + " were given", .allowed = std::to_string(wanted)};
  };
  if (inputs.size() != model.inputs.size()) return counted("inputs", inputs.size(), model.inputs.size());
  if (outputs.size() != model.outputs.size()) return counted("outputs", outputs.size(), model.outputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] == nullptr) return ErrorText{.where = "run", .what = "input " + std::to_string(i) + " is null"};
    floats_[model.inputs[i]] = const_cast<float*>(inputs[i]);  // steps read it alone
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i] == nullptr) return ErrorText{.where = "run", .what = "output " + std::to_string(i) + " is null"};
    floats_[model.outputs[i]] = outputs[i];
  }
  const Memory memory{.arena = arena_.get(),
                      .scratch = arena_.get() + arena_bytes_,
                      .scratch_step = plan_->steps.scratch_bytes,
                      .floats = floats_};
  for (const std::unique_ptr<Step>& step : plan_->steps.steps) {
    if (step == nullptr) continue;
    pool_.run([&](size_t part) { step->run(memory, part, pool_.threads()); });
  }
  return {};
}

}  // namespace torquant::runtime
