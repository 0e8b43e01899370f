#include "torquant/observer/uniform_observer.h"

#include <gtest/gtest.h>

#include <cmath>

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include "tests/support/error_text.h"
#include "torquant/core/error.h"
#include "torquant/observer/min_max_observer.h"

namespace torquant {
namespace {

TEST(UniformObserver, RefusesTheOtherKindOfScheme) {
  EXPECT_EQ(error_text([] { MinMaxObserver({}, {.qscheme = QScheme::kPerChannelAffine}); }),
            "MinMaxObserver: qscheme per_channel_affine\n  allowed here: per_tensor_affine, per_tensor_symmetric");
  EXPECT_EQ(error_text([] { MinMaxObserver({}, {.qscheme = QScheme::kPerTokenAffine}); }),
            "MinMaxObserver: qscheme per_token_affine\n  allowed here: per_tensor_affine, per_tensor_symmetric");
  EXPECT_EQ(error_text([] { PerChannelMinMaxObserver({}, {.qscheme = QScheme::kPerTensorSymmetric}); }),
            "PerChannelMinMaxObserver: qscheme per_tensor_symmetric\n"
            "  allowed here: per_channel_affine, per_channel_symmetric, per_channel_affine_float_qparams");
}

TEST(UniformObserver, RefusesSettingsThatCannotWork) {
  EXPECT_EQ(error_text([] { MinMaxObserver({.eps = 0}, {}); }),
            "MinMaxObserver: eps 0\n  allowed here: finite, above 0");
  EXPECT_THROW(MinMaxObserver({.eps = -1}, {}), Error);
  EXPECT_THROW(MinMaxObserver({.eps = INFINITY}, {}), Error);
  EXPECT_THROW(MinMaxObserver({.eps = std::nanf("")}, {}), Error);
  EXPECT_THROW(MinMaxObserver({}, {.dtype = DType::kFloat16}), Error);
  EXPECT_THROW(MinMaxObserver({}, {.dtype = DType::kInt8, .quant_range = {{0, 255}}}), Error);
  EXPECT_EQ(error_text([] {
              MinMaxObserver({.reduce_range = true}, {.dtype = DType::kUInt8, .qscheme = QScheme::kPerTensorSymmetric});
            }),
            "MinMaxObserver: reduce_range with symmetric uint8: its zero point 128 is outside the codes 0 to 127\n"
            "  allowed here: an affine qscheme, int8, or a quant_range of your own");
}

TEST(UniformObserver, RefusesAStateThatIsNotItsOwn) {
  MinMaxObserver observer({}, {});
  auto state = observer.state();
  state.erase("max_val");
  EXPECT_EQ(error_text([&] { observer.load_state(state); }),
            "MinMaxObserver: the saved state has no max_val; it has: eps, min_val");
  state["max_val"] = at::tensor({1.0f, 2.0f});
  EXPECT_EQ(error_text([&] { observer.load_state(state); }),
            "MinMaxObserver: the saved min_val has rank 0 and 1 elements, max_val rank 1 and 2\n"
            "  allowed here: equal sizes of rank 0");
}

TEST(UniformObserver, RefusesAStateThatNoDataGives) {
  MinMaxObserver observer({}, {});
  observer.observe(at::tensor({-1.0f, 1.0f}));
  const Observer::State good = observer.state();
  const auto problem_with = [&](const char* name, const at::Tensor& tensor) {
    Observer::State state = good;
    state[name] = tensor;
    return error_text([&] { observer.load_state(state); });
  };
  EXPECT_EQ(problem_with("eps", at::full({1}, 0.5f)), "");
  EXPECT_EQ(problem_with("min_val", at::full({}, NAN)),
            "MinMaxObserver: the saved range goes from nan to 1\n  allowed here: finite numbers, min_val <= max_val");
  EXPECT_NE(problem_with("min_val", at::full({}, 2.0f)), "");
  EXPECT_NE(problem_with("max_val", at::full({}, INFINITY)), "");
  EXPECT_EQ(problem_with("max_val", at::full({}, 1, at::kInt)),
            "MinMaxObserver: the saved max_val has dtype Int\n  allowed here: floating-point");
  EXPECT_EQ(problem_with("eps", at::full({2}, 1.0f)),
            "MinMaxObserver: the saved eps has 2 elements of dtype Float\n  allowed here: one finite number");
  EXPECT_EQ(problem_with("eps", at::full({1}, NAN)),
            "MinMaxObserver: the saved eps is nan\n  allowed here: one finite number");
  EXPECT_EQ(problem_with("eps", at::full({1}, 0.0f)), "MinMaxObserver: eps 0\n  allowed here: finite, above 0");
  EXPECT_EQ(problem_with("nonfinite_count", at::full({}, -1, at::kLong)),
            "MinMaxObserver: the saved nonfinite_count is -1\n  allowed here: 0 to 2^53");
  MinMaxObserver untouched({}, {});
  observer.load_state(untouched.state());
  EXPECT_FALSE(observer.observed());
}

TEST(UniformObserver, ZeroPointsHaveTheDtypesOfPyTorch) {
  const auto zero_point_dtype = [](QScheme qscheme) {
    const bool channels = is_per_channel(qscheme);
    const ObserverOptions options = {.dtype = DType::kUInt8, .qscheme = qscheme};
    const at::Tensor x = at::tensor({-1.0f, 1.0f});
    if (!channels) {
      MinMaxObserver observer({}, options);
      observer.observe(x);
      return observer.calculate_qparams().zero_point.scalar_type();
    }
    PerChannelMinMaxObserver observer({}, options);
    observer.observe(x);
    return observer.calculate_qparams().zero_point.scalar_type();
  };
  EXPECT_EQ(zero_point_dtype(QScheme::kPerTensorAffine), at::kInt);
  EXPECT_EQ(zero_point_dtype(QScheme::kPerTensorSymmetric), at::kLong);
  EXPECT_EQ(zero_point_dtype(QScheme::kPerChannelAffine), at::kInt);
  EXPECT_EQ(zero_point_dtype(QScheme::kPerChannelSymmetric), at::kLong);
  EXPECT_EQ(zero_point_dtype(QScheme::kPerChannelAffineFloatQParams), at::kFloat);
}

}  // namespace
}  // namespace torquant
