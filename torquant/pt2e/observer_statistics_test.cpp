#include "torquant/pt2e/observer_statistics.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/temp_folder.h"
#include "torquant/graph/text.h"
#include "torquant/io/safetensors.h"
#include "torquant/quantizer/x86_inductor_quantizer.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant {
namespace {

const char* const kNet = R"(
  parameter %w1 : f32[16, 8] = "a.weight"
  parameter %w2 : f32[4, 16] = "b.weight"
  input %x : f32[2, 8]
  %a : f32[2, 16] = aten.linear.default(input=%x, weight=%w1)
  %relu : f32[2, 16] = aten.relu.default(self=%a)
  %b : f32[2, 4] = aten.linear.default(input=%relu, weight=%w2)
  return %b)";

PreparedProgram prepare(Program program, const ObserverType& activation_observer) {
  QuantizationConfig config = get_symmetric_quantization_config({.is_per_channel = true});
  for (auto* spec : {&config.input_activation, &config.output_activation}) (*spec)->observer.type = activation_observer;
  XNNPACKQuantizer quantizer;
  quantizer.set_global(config);
  return prepare_pt2e(std::move(program), quantizer);
}

at::Tensor batch(int64_t i) {
  return at::randn({2, 8}, at::detail::createCPUGenerator(static_cast<uint64_t>(i))) * (1.0 + static_cast<double>(i));
}

ObserverStatistics statistics_of(const ObserverType& type, int64_t first, int64_t count) {
  PreparedProgram prepared = prepare(parse_program(kNet), type);
  for (int64_t i = first; i < first + count; ++i) prepared.forward({batch(i)});
  return collect_statistics(prepared, "r.json", count);
}

ObserverStatistics merged_shards(const ObserverType& type) {
  return merge_statistics(
      {statistics_of(type, 0, 2), statistics_of(type, 2, 2), statistics_of(type, 4, 2), statistics_of(type, 6, 2)},
      {"a", "b", "c", "d"});
}

TEST(ObserverStatistics, HoldWhatActivationsGaveUnderTheirNames) {
  const ObserverStatistics statistics = statistics_of(MinMaxSpec{}, 0, 3);
  std::vector<std::string> seen;
  for (const auto& entry : statistics.observers) seen.push_back(entry.name.substr(entry.name.find('.') + 1));
  EXPECT_EQ(seen, (std::vector<std::string>{"x", "relu", "b"}));  // not the weights
  EXPECT_EQ(statistics.samples, 3);
}

TEST(ObserverStatistics, OfFourShardsAreThoseOfOnePassToTheBitForRanges) {
  const ObserverStatistics whole = statistics_of(MinMaxSpec{}, 0, 8);
  const ObserverStatistics merged = merged_shards(MinMaxSpec{});
  EXPECT_EQ(merged.samples, 8);
  ASSERT_EQ(merged.observers.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    for (const auto& [name, tensor] : whole.observers[i].state) {
      EXPECT_TRUE(at::equal(tensor, merged.observers[i].state.at(name))) << whole.observers[i].name << " " << name;
    }
  }
}

TEST(ObserverStatistics, OfFourShardsHaveTheRangeAndMassOfOnePassForHistograms) {
  const ObserverStatistics whole = statistics_of(HistogramSpec{}, 0, 8);
  const ObserverStatistics merged = merged_shards(HistogramSpec{});
  for (size_t i = 0; i < 3; ++i) {
    const Observer::State& a = whole.observers[i].state;
    const Observer::State& b = merged.observers[i].state;
    EXPECT_TRUE(at::equal(a.at("min_val"), b.at("min_val")));
    EXPECT_TRUE(at::equal(a.at("max_val"), b.at("max_val")));
    EXPECT_EQ(a.at("histogram").sum().item<float>(), b.at("histogram").sum().item<float>());
  }
}

TEST(ObserverStatistics, AsAFileAreReadBackAndGiveAnotherProgramTheirState) {
  const TempFolder folder;
  const std::string path = folder.path("s.safetensors");
  ObserverStatistics statistics = statistics_of(HistogramSpec{}, 0, 3);
  statistics.unfinished = {.position = {1, 2, 3}, .samples = 9, .samples_per_batch = 2, .data = "d"};
  save_statistics(statistics, path);
  const ObserverStatistics read = load_statistics(path);
  EXPECT_EQ(read.samples, 3);
  EXPECT_EQ(read.recipe, "r.json");
  EXPECT_EQ(read.unfinished->position, (CalibrationPosition{1, 2, 3}));
  EXPECT_EQ(read.unfinished->samples, 9);
  EXPECT_EQ(read.unfinished->samples_per_batch, 2);
  EXPECT_EQ(read.unfinished->data, "d");

  PreparedProgram fresh = prepare(parse_program(kNet), HistogramSpec{});
  restore_statistics(fresh, read, "r.json");
  const ObserverStatistics again = collect_statistics(fresh, "r.json", 3);
  for (size_t i = 0; i < again.observers.size(); ++i) {
    for (const auto& [name, tensor] : statistics.observers[i].state) {
      EXPECT_TRUE(at::equal(tensor, again.observers[i].state.at(name))) << name;
    }
  }
}

TEST(ObserverStatistics, RefuseAnotherProgramAnotherRecipeAndOtherWeights) {
  const ObserverStatistics statistics = statistics_of(MinMaxSpec{}, 0, 1);
  const std::string hint = "\n  to go on: statistics go with the very program and recipe that they were collected with";
  PreparedProgram other_recipe = prepare(parse_program(kNet), HistogramSpec{});
  EXPECT_EQ(
      error_text([&] { restore_statistics(other_recipe, statistics, "o.json"); }),
      "the observers saw another program, or were placed by another recipe (recipe r.json there, o.json here)" + hint);
  Program program = parse_program(kNet);
  program.set_state("a.weight", *program.find_state("a.weight") * 2);
  PreparedProgram other_weights = prepare(std::move(program), MinMaxSpec{});
  EXPECT_EQ(error_text([&] { restore_statistics(other_weights, statistics, "r.json"); }),
            "the observers saw a program with other weights (recipe r.json there, r.json here)" + hint);
  EXPECT_TRUE(error_text([&] {
                merge_statistics({statistics, statistics_of(HistogramSpec{}, 0, 1)}, {"a", "b"});
              }).starts_with("b: the observers saw another program, or were placed by another recipe"));
}

TEST(ObserverStatistics, RefuseToMergeMovingAveragesAndUnfinishedOnes) {
  EXPECT_EQ(error_text([] { merged_shards(MovingAverageMinMaxSpec{}); }).substr(0, 98),
            "b: 0.x: MovingAverageMinMaxObserver: cannot merge: a moving average depends on the order of the ba");
  ObserverStatistics unfinished = statistics_of(MinMaxSpec{}, 0, 1);
  unfinished.unfinished = {.position = {}, .samples = 9, .samples_per_batch = 1, .data = ""};
  EXPECT_EQ(
      error_text([&] { merge_statistics({unfinished, unfinished}, {"a", "b"}); }),
      "a: holds an interrupted calibration: 1 of 9 samples\n  to go on: finish it with `torquant quantize … --resume`");
}

TEST(ObserverStatistics, RefuseAProgramThatKeepsState) {
  Program program = parse_program(R"(
    parameter %w : f32[4, 4] = "w"
    buffer %count : f32[2, 4] = "count"
    input %x : f32[2, 4]
    %sum : f32[2, 4] = aten.add_.Tensor(self=%count, other=%x)
    %y : f32[2, 4] = aten.linear.default(input=%sum, weight=%w)
    return %y)");
  const PreparedProgram prepared = prepare(std::move(program), MinMaxSpec{});
  EXPECT_TRUE(error_text([&] {
                collect_statistics(prepared, "r.json", 1);
              }).starts_with("r.json: the program writes to its own buffers"));
}

TEST(ObserverStatistics, RefuseAFileThatHoldsNone) {
  const TempFolder folder;
  const std::string path = folder.path("x.safetensors");
  save_safetensors(path, {{"x", batch(0)}});
  EXPECT_EQ(error_text([&] { load_statistics(path); }),
            path +
                ": holds no observer statistics\n  allowed here: a file of `torquant quantize … --save-observers` or "
                "`torquant merge-observers`");
  save_safetensors(path, {{"x", batch(0)}}, {{"torquant_observers", R"({"version": 2})"}});
  EXPECT_EQ(error_text([&] { load_statistics(path); }), path + ": torquant_observers: version 2\n  allowed here: 1");
  save_safetensors(path, {{"x", batch(0)}}, {{"torquant_observers", R"({"version": 1})"}});
  EXPECT_TRUE(
      error_text([&] { load_statistics(path); }).starts_with(path + ": torquant_observers: \"recipe\" is missing in"));
  save_safetensors(path, {{"x", batch(0)}}, {{"torquant_observers", "{"}});
  EXPECT_TRUE(error_text([&] { load_statistics(path); }).starts_with(path + ": torquant_observers: [json.exception"));
  save_safetensors(path, {{"x", batch(0)}}, {{"torquant_observers", std::string(100'000, '[')}});
  EXPECT_EQ(error_text([&] { load_statistics(path); }), path + ": torquant_observers: nested too deeply");
}

TEST(ObserverStatistics, RefuseTensorsThatAreNotOfOneObserver) {
  const TempFolder folder;
  const std::string path = folder.path("s.observers");
  ObserverStatistics statistics = statistics_of(MinMaxSpec{}, 0, 1);
  statistics.observers.resize(2);
  statistics.observers[1].name = "0";
  save_statistics(statistics, path);
  EXPECT_EQ(error_text([&] { load_statistics(path); }),
            path + ": torquant_observers: tensor \"0.x.eps\" is of \"0.x\" and of \"0\"");
  statistics.observers.pop_back();
  statistics.observers[0].name = "1.x";
  save_statistics(statistics, path);
  const SafetensorsFile file = SafetensorsFile::open(path);
  std::string settings = file.metadata().at("torquant_observers");
  settings.replace(settings.find("1.x"), 3, "2.x");
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (const std::string& name : file.names()) tensors.emplace_back(name, file.tensor(name));
  const std::string renamed = folder.path("renamed.observers");
  save_safetensors(renamed, tensors, {{"torquant_observers", settings}});
  EXPECT_EQ(error_text([&] { load_statistics(renamed); }),
            renamed + ": torquant_observers: tensor \"1.x.eps\" is of none of the observers");
}

TEST(ObserverStatistics, RefuseToLeaveAnObserverWithoutItsOwn) {
  ObserverStatistics statistics = statistics_of(MinMaxSpec{}, 0, 1);
  PreparedProgram prepared = prepare(parse_program(kNet), MinMaxSpec{});
  statistics.observers[1].name = "7.x";
  EXPECT_EQ(error_text([&] { restore_statistics(prepared, statistics, "r.json"); }),
            "\"7.x\" is no observer of this program");
  statistics.observers.pop_back();
  EXPECT_EQ(error_text([&] { restore_statistics(prepared, statistics, "r.json"); }),
            "holds 2 observers, the program has 3");
}

TEST(ObserverStatistics, RefuseACountOfSamplesThatCannotBe) {
  const TempFolder folder;
  const std::string path = folder.path("s.observers");
  ObserverStatistics statistics = statistics_of(MinMaxSpec{}, 0, 1);
  for (const int64_t samples : {int64_t{-1}, int64_t{1} << 41}) {
    statistics.samples = samples;
    save_statistics(statistics, path);
    EXPECT_EQ(error_text([&] { load_statistics(path); }),
              fmt::format("{}: torquant_observers: {} samples\n  allowed here: 0 to 1099511627776", path, samples));
  }
}

}  // namespace
}  // namespace torquant
