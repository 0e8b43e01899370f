#include "torquant/algorithm/round_to_data.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "tests/support/test_qdq.h"

namespace torquant {
namespace {

using Ints = std::vector<int64_t>;

// A float network, and the same one with int8 weights of few codes behind uint8 activations.
class RoundToData : public testing::Test {
 protected:
  Value* layer(TestProgram& net, bool quantized, const std::string& op, Value* x, const std::string& name,
               const Ints& sizes, std::vector<NamedArgument> more = {}) {
    const at::Tensor weight = at::randn(sizes), bias = at::randn({sizes[0]});
    const at::Tensor scales = weight.flatten(1).abs().amax(1) / 20;
    Ints row(sizes.size(), 1);
    row[0] = -1;
    weights_.try_emplace(name, weight), biases_.try_emplace(name, bias), scales_.try_emplace(name, scales);
    std::vector<NamedArgument> args = {{"input", x}};
    if (quantized) {
      const at::Tensor codes = (weights_[name] / scales_[name].view(row)).round().to(at::kChar);
      Value* real = net.op("quantized_decomposed.dequantize_per_channel.default",
                           {{"input", net.buffer(name + ".weight", codes)},
                            {"scales", net.buffer(name + ".scale", scales_[name])},
                            {"zero_points", net.buffer(name + ".zero", at::zeros({sizes[0]}, at::kLong))},
                            {"axis", int64_t{0}},
                            {"quant_min", int64_t{-20}},
                            {"quant_max", int64_t{20}},
                            {"dtype", at::kChar}});
      args.push_back({"weight", real});
    } else {
      args.push_back({"weight", net.buffer(name + ".weight", weights_[name])});
    }
    args.push_back({"bias", net.buffer(name + ".bias", biases_[name])});
    args.insert(args.end(), more.begin(), more.end());
    return net.op(op, args, name);
  }
  // conv → relu → depthwise conv → mean → linear
  Program network(bool quantized) {
    TestProgram net;
    const auto on_codes = [&](Value* x, double scale) {
      if (!quantized) return x;
      return through(net, x, Grid{.scale = scale, .zero_point = 30, .min = 0, .max = 255, .dtype = at::kByte});
    };
    Value* x = on_codes(net.input("x", {1, 3, 12, 12}), 0.04);
    x = net.relu(layer(net, quantized, "aten.conv2d.default", x, "plain", {8, 3, 3, 3}, {{"padding", Ints{1, 1}}}));
    x = layer(net, quantized, "aten.conv2d.default", on_codes(x, 0.1), "depthwise", {8, 1, 3, 3},
              {{"stride", Ints{2, 2}}, {"groups", int64_t{8}}});
    x = net.op("aten.mean.dim", {{"self", x}, {"dim", Ints{2, 3}}});
    return net.returns({layer(net, quantized, "aten.linear.default", on_codes(x, 0.2), "linear", {5, 8})});
  }
  static std::vector<std::vector<at::Tensor>> images(int64_t count) {
    std::vector<std::vector<at::Tensor>> samples;
    for (int64_t i = 0; i < count; ++i) {
      samples.push_back({at::randn({1, 3, 1, 1}) + 0.3 * at::randn({1, 3, 12, 12}) + 0.5});
    }
    return samples;
  }
  static double decibels(const Program& reference, const Program& program,
                         const std::vector<std::vector<at::Tensor>>& samples) {
    double signal = 0, noise = 0;
    for (const std::vector<at::Tensor>& sample : samples) {
      const at::Tensor expected = outputs_of(reference, sample)[0], got = outputs_of(program, sample)[0];
      signal += expected.square().sum().item<double>();
      noise += (expected - got).square().sum().item<double>();
    }
    return 10 * std::log10(signal / noise);
  }

  std::map<std::string, at::Tensor> weights_, biases_, scales_;
};

TEST_F(RoundToData, BringsANetworkNearerToFloatOnOtherSamplesToo) {
  const Program reference = network(/*quantized=*/false);
  Program program = network(/*quantized=*/true);
  const auto samples = images(24), others = images(24);
  const double before = decibels(reference, program, others);
  const RoundToDataResult result = round_to_data(program, reference, samples);
  EXPECT_EQ(result.layers, 3u);
  EXPECT_TRUE(result.refusals.empty());
  EXPECT_GT(decibels(reference, program, others), before + 3) << before;
  Program again = network(/*quantized=*/true);
  round_to_data(again, reference, samples);
  EXPECT_TRUE(at::equal(*again.find_state("plain.weight"), *program.find_state("plain.weight"))) << "the same again";
}

TEST_F(RoundToData, ValuesThatAreNotFiniteAreNoMeasure) {
  const Program reference = network(/*quantized=*/false);
  Program program = network(/*quantized=*/true);
  const at::Tensor before = program.find_state("plain.weight")->clone();
  auto samples = images(3);
  samples[1][0].fill_(std::numeric_limits<float>::infinity());
  const RoundToDataResult result = round_to_data(program, reference, samples);
  ASSERT_FALSE(result.refusals.empty());
  EXPECT_EQ(result.refusals[0].reason, "not rounded to data: it reads values that are not finite");
  EXPECT_TRUE(at::equal(*program.find_state("plain.weight"), before));
}

TEST_F(RoundToData, LeavesAloneWhatIsNotSelectedOrCannotBeRounded) {
  const Program reference = network(/*quantized=*/false);
  Program program = network(/*quantized=*/true);
  const at::Tensor before = program.find_state("plain.weight")->clone();
  std::vector<std::pair<size_t, size_t>> seen;
  const RoundToDataResult result =
      round_to_data(program, reference, images(2),
                    {.selects = [](const Node& node) { return node.module_path() != "plain"; },
                     .after_layer = [&](size_t done, size_t total) { seen.emplace_back(done, total); }});
  EXPECT_EQ(seen, (std::vector<std::pair<size_t, size_t>>{{1, 2}, {2, 2}}));
  EXPECT_EQ(result.layers, 2u);
  EXPECT_TRUE(at::equal(*program.find_state("plain.weight"), before));

  TestProgram other;
  Value* x = through(other, other.input("x", {2, 3}), kImage);
  Program linear = other.returns({other.linear(other.linear(x, "float", 4), "second", 4)});
  const RoundToDataResult refused = round_to_data(linear, linear.clone(), {{at::randn({2, 3})}});
  EXPECT_EQ(refused.layers, 0u);
  ASSERT_EQ(refused.refusals.size(), 2u);
  EXPECT_EQ(refused.refusals[0].reason, "not rounded to data: its weight is not int8 with a scale an output channel");
}

}  // namespace
}  // namespace torquant
