// Models of the runtime: what is read can be written and read again, is planned, and gives the same bits with all
// instruction sets and numbers of threads.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>

#include "tests/fuzz/input.h"
#include "torquant/format/at_length.h"
#include "torquant/format/tqm_file.h"
#include "torquant/runtime/limits.h"
#include "torquant/runtime/session.h"

namespace torquant::fuzz {
namespace {

// What is too slow or too large to be run here, some milliseconds and megabytes.
constexpr double kMostWorkHere = 3e7;
constexpr size_t kMostArenaHere = 1 << 25;

// A copy at an address as mmap gives, with nothing readable behind its end.
class Aligned {
 public:
  Aligned(const void* data, size_t size) : size_(size), bytes_(operator new(size, std::align_val_t(64))) {
    if (size > 0) std::memcpy(bytes_, data, size);
  }
  ~Aligned() { operator delete(bytes_, std::align_val_t(64)); }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;

  const void* data() const { return bytes_; }
  size_t size() const { return size_; }

 private:
  size_t size_;
  void* bytes_;
};

using Numbers = std::vector<std::vector<float>>;

// Of one of the two types.
struct Input {
  std::vector<float> floats;
  std::vector<int64_t> integers;

  const void* data() const {
    return integers.empty() ? static_cast<const void*>(floats.data()) : static_cast<const void*>(integers.data());
  }
};

size_t elements_of(const format::Value& value, size_t batch) {
  size_t elements = batch;
  for (size_t i = 1; i < value.sizes.size(); ++i) elements *= static_cast<size_t>(value.sizes[i]);
  return elements;
}

// The outputs as bits: NaN is equal to itself then. All NaNs are one: which of two a sum hands on is the compiler's.
std::vector<std::vector<uint32_t>> run(const std::shared_ptr<const runtime::LoadedModel>& loaded, runtime::RunSize size,
                                       size_t threads, const std::vector<Input>& inputs) {
  const auto session = runtime::Session::make(loaded, size, threads);
  if (!session.ok()) return {};
  const format::Model& model = (*session)->model();
  Numbers outputs;
  for (const format::ValueIndex index : model.outputs)
    outputs.emplace_back(elements_of(model.values[index], size.batch));
  std::vector<const void*> from;
  std::vector<float*> to;
  for (const Input& input : inputs) from.push_back(input.data());
  for (std::vector<float>& output : outputs) to.push_back(output.data());
  const Result<void> done = (*session)->run(from, to);
  const bool is_of_ids = !done.ok() && done.error().allowed.find("the rows of") != std::string::npos;
  expect_that(done.ok() || is_of_ids, "a session does not run");
  if (!done.ok()) return {};
  std::vector<std::vector<uint32_t>> bits;
  for (std::vector<float>& output : outputs) {
    std::replace_if(
        output.begin(), output.end(), [](float x) { return std::isnan(x); }, std::numeric_limits<float>::quiet_NaN());
    bits.emplace_back(output.size());
    if (!output.empty()) std::memcpy(bits.back().data(), output.data(), output.size() * sizeof(float));
  }
  return bits;
}

float number_of(std::mt19937& random) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kSpecial[] = {0, -0.0f, kInfinity, -kInfinity, NAN, 1e30f, -1e30f, 1e-42f};
  if (random() % 16 == 0) return kSpecial[random() % std::size(kSpecial)];
  return (static_cast<float>(random() % 4000) - 2000) / 100;
}

std::shared_ptr<const runtime::LoadedModel> load(const Aligned& file, const char* isa) {
  setenv("TORQUANT_FORCE_ISA", isa, 1);
  const auto loaded = runtime::LoadedModel::from_memory(file.data(), file.size());
  return loaded.ok() ? *loaded : nullptr;
}

// Whether no panel of weights claims to fit into AVX2's 16 bits that does not. Files are not searched for that: such a
// one gives wrong numbers with AVX2, and nothing worse.
bool tells_the_truth(const format::Model& model) {
  for (const format::Node& node : model.nodes) {
    if (const auto* linear = std::get_if<format::DynamicLinear>(&node.operation)) {
      const auto size = [&](format::ValueIndex value) { return static_cast<size_t>(model.values[value].sizes.back()); };
      const std::vector<uint8_t> fit =
          pairs_fit({.channels = size(linear->output), .inputs = size(linear->input)}, linear->weights.data());
      for (size_t panel = 0; panel < fit.size(); ++panel) {
        if (linear->pairs_fit[panel] != 0 && fit[panel] == 0) return false;
      }
    }
    const auto* layer = std::get_if<format::Layer>(&node.operation);
    if (layer == nullptr || layer->depthwise) continue;
    const PackedShape shape =
        format::packed_shape(*layer, model.values[layer->input].sizes[1], model.values[layer->output].sizes[1]);
    for (size_t group = 0; group < static_cast<size_t>(layer->groups); ++group) {
      const std::vector<uint8_t> fit = pairs_fit(shape, layer->weights.data() + group * shape.bytes());
      for (size_t panel = 0; panel < fit.size(); ++panel) {
        if (layer->pairs_fit[group * fit.size() + panel] != 0 && fit[panel] == 0) return false;
      }
    }
  }
  return true;
}

void check_runs(const Aligned& file, const format::Model& any, runtime::RunSize size) {
  const Result<format::ModelOfLength> made = format::at_length(any, size.length);
  expect_that(made.ok(), "a model does not take its own lengths");
  const format::Model& model = made->model;
  const size_t batch = size.batch;
  if (runtime::work_of(model, batch) > kMostWorkHere) return;
  const runtime::MemoryPlan plan = runtime::plan_memory(model, batch);
  if (!runtime::check_limits(model, plan).ok() || plan.arena_bytes > kMostArenaHere) return;
  std::mt19937 random(1);
  for (const bool zeros : {true, false}) {
    std::vector<Input> inputs;
    for (const format::ValueIndex index : model.inputs) {
      const size_t elements = elements_of(model.values[index], batch);
      Input& input = inputs.emplace_back();
      if (model.values[index].type == format::ValueType::kInt64) {
        input.integers.resize(elements);
        if (!zeros) std::generate(input.integers.begin(), input.integers.end(), [&] { return random() % 11; });
      } else {
        input.floats.resize(elements);
        if (!zeros) std::generate(input.floats.begin(), input.floats.end(), [&] { return number_of(random); });
      }
    }
    const auto expected = run(load(file, "scalar"), size, 1, inputs);
    for (const CpuIsa isa : {CpuIsa::kAvx2, CpuIsa::kAvx512Vnni, CpuIsa::kNeonDot}) {
      if (!cpu_has(isa)) continue;
      const auto loaded = load(file, std::string(name_of(isa)).c_str());
      const bool same = run(loaded, size, zeros ? 1 : 3, inputs) == expected;
      expect_that(same || !tells_the_truth(model), std::string(name_of(isa)) + " gives other bits");
    }
  }
}

}  // namespace
}  // namespace torquant::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace torquant;
  const fuzz::Aligned file(data, size);
  const Result<format::Model> model = format::read_tqm(file.data(), file.size());
  if (!model.ok()) return 0;
  const Result<std::string> written = format::write_tqm(*model);
  fuzz::expect_that(written.ok(), "what was read cannot be written");
  const fuzz::Aligned copy(written->data(), written->size());
  const Result<format::Model> again = format::read_tqm(copy.data(), copy.size());
  fuzz::expect_that(again.ok() && *format::write_tqm(*again) == *written, "what was written reads as something else");
  if (fuzz::load(file, "scalar") == nullptr) return 0;  // inputs or outputs of codes
  const auto least = static_cast<size_t>(model->least_batch), most = static_cast<size_t>(model->most_batch);
  fuzz::check_runs(file, *model, {least, model->least_length});
  if (most != least || model->has_length())
    fuzz::check_runs(file, *model, {std::min(most, least + 2), std::min(model->most_length, model->least_length + 3)});
  return 0;
}
