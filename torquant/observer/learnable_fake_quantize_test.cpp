#include "torquant/observer/learnable_fake_quantize.h"

#include <gtest/gtest.h>

#include <torch/csrc/autograd/autograd.h>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tensor.h>

#include "torquant/core/error.h"

namespace torquant {
namespace {

std::shared_ptr<LearnableFakeQuantize> make(bool use_grad_scaling = false) {
  return std::dynamic_pointer_cast<LearnableFakeQuantize>(make_observer({.type = MovingAverageMinMaxSpec{},
                                                                         .fake_quantize = FakeQuantizeType::kLearnable,
                                                                         .use_grad_scaling = use_grad_scaling},
                                                                        {.quant_range = {{-128, 127}}}));
}

TEST(LearnableFakeQuantize, FollowsTheObserverUntilItLearns) {
  const auto fake_quantize = make();
  fake_quantize->observe(at::tensor({-1.0f, 1.0f}));
  const std::vector<at::Tensor> parameters = fake_quantize->parameters();
  EXPECT_FALSE(parameters[0].requires_grad());
  EXPECT_FLOAT_EQ(parameters[0].item<float>(), 2.0f / 255);
  fake_quantize->enable_range_learning();
  EXPECT_FALSE(fake_quantize->observer_enabled());
  EXPECT_TRUE(parameters[0].requires_grad());
  fake_quantize->observe(at::tensor({-9.0f, 9.0f}));
  EXPECT_FLOAT_EQ(parameters[0].item<float>(), 2.0f / 255);
  fake_quantize->enable_observer();
  EXPECT_FALSE(parameters[0].requires_grad());
  fake_quantize->observe(at::tensor({-9.0f, 9.0f}));
  EXPECT_TRUE(fake_quantize->parameters()[0].is_same(parameters[0]));
  EXPECT_GT(parameters[0].item<float>(), 2.0f / 255);
}

// d/ds of one value x inside the grid is round(x/s) - x/s; below it Q-, above it Q+ ("Learned Step Size Quantization").
TEST(LearnableFakeQuantize, TheScalesGradientIsThatOfThePaper) {
  const auto fake_quantize = make();
  fake_quantize->observe(at::tensor({-1.0f, 1.0f}));
  fake_quantize->enable_range_learning();
  const float scale = fake_quantize->scale().item<float>();
  const std::vector<at::Tensor> leaves = fake_quantize->parameters();
  for (const auto& [x, expected] : {std::pair{10.25f * scale, -0.25f}, {-999.0f, -128.0f}, {999.0f, 127.0f}}) {
    const auto gradient = torch::autograd::grad({fake_quantize->observe(at::tensor({x})).sum()}, {leaves[0]});
    EXPECT_NEAR(gradient[0].item<float>(), expected, 1e-4) << x;
  }
}

TEST(LearnableFakeQuantize, GradScalingDividesByTheRootOfSizeAndRange) {
  const auto plain = make();
  const auto scaled = make(true);
  const at::Tensor x = at::randn({50});
  std::vector<at::Tensor> gradients;
  for (const auto& fake_quantize : {plain, scaled}) {
    fake_quantize->observe(x);
    fake_quantize->enable_range_learning();
    gradients.push_back(
        torch::autograd::grad({fake_quantize->observe(x * 2).sum()}, {fake_quantize->parameters()[0]})[0]);
  }
  EXPECT_NEAR(gradients[1].item<float>(), gradients[0].item<float>() / std::sqrt(50.0f * 127.0f), 1e-4);
}

TEST(LearnableFakeQuantize, QParamsAreThoseOfAGrid) {
  const auto fake_quantize = make();
  fake_quantize->observe(at::tensor({-1.0f, 3.0f}));
  {
    const at::NoGradGuard no_grad;
    fake_quantize->parameters()[0].fill_(-1.0f);
    fake_quantize->parameters()[1].fill_(-200.4f);
  }
  const TensorQParams qparams = fake_quantize->calculate_qparams();
  EXPECT_EQ(qparams.scale.item<float>(), 0x1p-23f);
  EXPECT_EQ(qparams.zero_point.item<int64_t>(), -128);
}

TEST(LearnableFakeQuantize, HasNothingToTrainBeforeTheFirstBatch) {
  const auto fake_quantize = make();
  EXPECT_THROW(fake_quantize->parameters(), Error);
  EXPECT_THROW(fake_quantize->calculate_qparams(), Error);
  EXPECT_FALSE(fake_quantize->state().contains("scale"));
  EXPECT_THROW(fake_quantize->merge(*fake_quantize), Error);
  const auto other = make();
  other->load_state(fake_quantize->state());
  EXPECT_FALSE(other->observed());
}

}  // namespace
}  // namespace torquant
