#include "torquant/data/synthetic.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/input_program.h"

namespace torquant {
namespace {

TEST(Synthetic, InputsHaveTheTypesOfTheProgram) {
  const Dim batch = SymbolicDim{SymExpr::symbol("s0"), 2};
  const Program program = input_program({contiguous_meta(at::kFloat, {batch, int64_t{5000}}),
                                         contiguous_meta(at::kLong, {batch, int64_t{5000}}),
                                         contiguous_meta(at::kBool, {int64_t{100}}), contiguous_meta(at::kHalf, {})});
  const auto data = make_synthetic_dataset(program, 3);
  EXPECT_EQ(data->size(), 3);
  EXPECT_EQ(data->name(), "synthetic");
  const Sample sample = data->sample(2);
  ASSERT_EQ(sample.inputs.size(), 4U);
  EXPECT_FALSE(sample.labels.defined());
  EXPECT_EQ(sample.inputs[0].sizes(), at::IntArrayRef({2, 5000}));
  EXPECT_NEAR(sample.inputs[0].mean().item<double>(), 0, 5 * 0.01);  // of 10,000: deviation 1/100
  EXPECT_NEAR(sample.inputs[0].std().item<double>(), 1, 5 * 0.0071);
  EXPECT_EQ(sample.inputs[1].scalar_type(), at::kLong);
  EXPECT_EQ(sample.inputs[1].min().item<int64_t>(), 0);
  EXPECT_EQ(sample.inputs[1].max().item<int64_t>(), 1);
  EXPECT_EQ(sample.inputs[2].scalar_type(), at::kBool);
  EXPECT_EQ(sample.inputs[3].scalar_type(), at::kHalf);
}

TEST(Synthetic, SamplesDifferAndRepeat) {
  const Program program = input_program({contiguous_meta(at::kFloat, {int64_t{4}})});
  const auto once = make_synthetic_dataset(program, 2), again = make_synthetic_dataset(program, 5);
  EXPECT_TRUE(once->sample(1).inputs[0].equal(again->sample(1).inputs[0]));
  EXPECT_FALSE(once->sample(0).inputs[0].equal(once->sample(1).inputs[0]));
}

TEST(Synthetic, RefusesWhatItCannotMake) {
  const auto refusal = [](const TensorMeta& meta) {
    return error_text([&] { make_synthetic_dataset(input_program({meta}), 1); });
  };
  EXPECT_EQ(refusal(contiguous_meta(at::kComplexFloat, {})),
            "made-up data for input x0: dtype ComplexFloat\n"
            "  allowed here: floats of 16 bits or more, integers, bool");
  EXPECT_EQ(refusal(contiguous_meta(at::kFloat, {SymbolicDim{SymExpr::symbol("s0"), std::nullopt}})),
            "made-up data for input x0: the archive names no example for sizes [s0]\n  to go on: give data");
  Program program;
  program.graph().add_input("n", ScalarMeta{});
  program.input_specs().push_back({});
  EXPECT_EQ(error_text([&] { make_synthetic_dataset(program, 1); }), "made-up data for input n: is no tensor");
}

}  // namespace
}  // namespace torquant
