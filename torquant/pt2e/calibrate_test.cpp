#include "torquant/pt2e/calibrate.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/error_text.h"
#include "torquant/graph/text.h"
#include "torquant/quantizer/x86_inductor_quantizer.h"

namespace torquant {
namespace {

// Three layers with histogram observers: the input's, and one behind each ReLU.
PreparedProgram prepared_net() {
  Program program = parse_program(R"(
    parameter %w1 : f32[16, 8] = "a.weight"
    parameter %w2 : f32[16, 16] = "b.weight"
    parameter %w3 : f32[4, 16] = "c.weight"
    input %x : f32[2, 8]
    %a : f32[2, 16] = aten.linear.default(input=%x, weight=%w1)
    %relu_a : f32[2, 16] = aten.relu.default(self=%a)
    %b : f32[2, 16] = aten.linear.default(input=%relu_a, weight=%w2)
    %relu_b : f32[2, 16] = aten.relu.default(self=%b)
    %c : f32[2, 4] = aten.linear.default(input=%relu_b, weight=%w3)
    return %c)");
  X86InductorQuantizer quantizer;
  quantizer.set_global(get_default_x86_inductor_quantization_config());
  return prepare_pt2e(std::move(program), quantizer);
}

// Each batch wider than the one before, so that histograms depend on the order.
std::vector<at::Tensor> batch(int64_t i) {
  const at::Generator generator = at::detail::createCPUGenerator(static_cast<uint64_t>(i));
  return {at::randn({2, 8}, generator) * (1.0 + static_cast<double>(i))};
}

std::vector<Observer::State> states(const PreparedProgram& prepared) {
  std::vector<Observer::State> all;
  for (const PlacedObserver& placed : prepared.observers()) all.push_back(placed.observer->state());
  return all;
}

void expect_same_bits(const PreparedProgram& one, const PreparedProgram& other) {
  const auto a = states(one), b = states(other);
  ASSERT_EQ(a.size(), b.size());
  ASSERT_GE(a.size(), 4U);
  for (size_t i = 0; i < a.size(); ++i) {
    for (const auto& [name, tensor] : a[i]) EXPECT_TRUE(at::equal(tensor, b[i].at(name))) << i << " " << name;
  }
}

constexpr int64_t kBatches = 12;

// What forward() in a loop records.
PreparedProgram calibrated_by_hand() {
  PreparedProgram prepared = prepared_net();
  for (int64_t i = 0; i < kBatches; ++i) prepared.forward(batch(i));
  return prepared;
}

TEST(Calibrate, AnyNumberOfThreadsRecordsWhatOneDoes) {
  const PreparedProgram expected = calibrated_by_hand();
  for (const int threads : {1, 2, 4, 30}) {
    PreparedProgram prepared = prepared_net();
    CalibrationPosition position;
    std::vector<int64_t> done;
    const CalibrateOptions options = {.threads = threads, .after_batch = [&](int64_t n) { done.push_back(n); }};
    const auto every_third_late = [](int64_t i) {
      if (i % 3 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      return batch(i);
    };
    EXPECT_TRUE(calibrate(prepared, kBatches, every_third_late, position, options));
    expect_same_bits(prepared, expected);
    ASSERT_EQ(done.size(), 12U);
    EXPECT_EQ(done.front(), 1);
    EXPECT_EQ(done.back(), kBatches);
  }
}

TEST(Calibrate, LeavesLibTorchItsThreads) {
  const int before = at::get_num_threads();
  at::set_num_threads(3);
  PreparedProgram prepared = prepared_net();
  CalibrationPosition position;
  int inside = 0;
  calibrate(prepared, 1,
            [&](int64_t i) {
              inside = at::get_num_threads();
              return batch(i);
            },
            position, {.threads = 2});
  EXPECT_EQ(inside, 1);
  EXPECT_EQ(at::get_num_threads(), 3);
  at::set_num_threads(before);
}

// Stopped at any observer of any batch, with any number of threads before and after, the outcome is the same.
TEST(Calibrate, GoesOnWhereItWasStopped) {
  const PreparedProgram expected = calibrated_by_hand();
  for (const int threads : {1, 3}) {
    for (int asked = 1; asked < 50; asked += 4) {
      PreparedProgram prepared = prepared_net();
      CalibrationPosition position;
      int count = 0;
      const bool all = calibrate(prepared, kBatches, batch, position,
                                 {.threads = threads, .stop = [&] { return ++count >= asked; }});
      ASSERT_FALSE(all) << asked;
      EXPECT_TRUE(calibrate(prepared, kBatches, batch, position, {.threads = 4 - threads}));
      expect_same_bits(prepared, expected);
    }
  }
}

TEST(Calibrate, StopsInTheMiddleOfABatch) {
  PreparedProgram prepared = prepared_net();
  CalibrationPosition position;
  int count = 0;
  EXPECT_FALSE(calibrate(prepared, kBatches, batch, position, {.stop = [&] { return ++count == 3; }}));
  // Asked before the batch and at its first observer, no; at the second, yes.
  EXPECT_EQ(std::ranges::count(position, 1), 1);
  EXPECT_EQ(std::ranges::count(position, 0), static_cast<int64_t>(position.size()) - 1);
}

TEST(Calibrate, TellsTheFirstBatchThatFails) {
  for (const int threads : {1, 4}) {
    PreparedProgram prepared = prepared_net();
    CalibrationPosition position;
    const auto load = [](int64_t i) {
      if (i == 5) std::this_thread::sleep_for(std::chrono::milliseconds(30));  // behind batch 7, which fails too
      return i == 5 || i == 7 ? std::vector{at::randn({3, 8})} : batch(i);
    };
    const std::string text = error_text([&] {
      calibrate(prepared, kBatches, load, position,
                {.threads = threads, .name_of = [](int64_t i) { return "batch " + std::to_string(i); }});
    });
    EXPECT_TRUE(text.starts_with("batch 5: input x")) << text;
  }
}

TEST(Calibrate, RefusesAPositionOfAnotherCalibration) {
  PreparedProgram prepared = prepared_net();
  for (CalibrationPosition position : {CalibrationPosition{1}, CalibrationPosition(prepared.observers().size(), 99)}) {
    EXPECT_TRUE(error_text([&] {
                  calibrate(prepared, kBatches, batch, position);
                }).starts_with("calibrate: the position is none of a calibration of "));
  }
}

TEST(KeepsState, IsWritingToBuffers) {
  EXPECT_FALSE(keeps_state(prepared_net().program()));
  const char* const counts = R"(
    buffer %count : f32[4] = "count"
    input %x : f32[4]
    %view : f32[2, 2] = aten.view.default(self=%count, size=[2, 2])
    %other : f32[2, 2] = aten.view.default(self=%x, size=[2, 2])
    %sum : f32[2, 2] = aten.add_.Tensor(self=%view, other=%other)
    return %sum)";
  EXPECT_TRUE(keeps_state(parse_program(counts)));
  const char* const writes_to_an_activation = R"(
    input %x : f32[4]
    %neg : f32[4] = aten.neg.default(self=%x)
    %relu : f32[4] = aten.relu_.default(self=%neg)
    return %relu)";
  EXPECT_FALSE(keeps_state(parse_program(writes_to_an_activation)));
}

}  // namespace
}  // namespace torquant
