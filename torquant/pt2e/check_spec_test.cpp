#include "torquant/pt2e/check_spec.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/test_program.h"

namespace torquant {
namespace {

constexpr ObserverOptions kPerToken{.dtype = DType::kInt8, .qscheme = QScheme::kPerTokenAffine, .is_dynamic = true};
constexpr ObserverOptions kPerTensor{.dtype = DType::kInt8, .is_dynamic = true};

class CheckSpec : public testing::Test {
 protected:
  // What is said of these options on `value`.
  std::string on(const Value* value, const ObserverOptions& options,
                 const ObserverSpec& observer = {PlaceholderSpec{}}) {
    const AnyQuantizationSpec spec = QuantizationSpec{options, observer};
    return error_text([&] { check_spec({.places = {{value}}, .spec = &spec}, observer, options, {value}); });
  }
  std::string of(const ObserverOptions& options, const ObserverSpec& observer = {PlaceholderSpec{}}) {
    return on(x, options, observer);
  }

  TestProgram net;
  Value* x = net.input("x", {2, 4});
};

TEST_F(CheckSpec, TakesWhatConvertWrites) {
  EXPECT_EQ(of({.dtype = DType::kInt8}, {MinMaxSpec{}}), "");
  EXPECT_EQ(of({.dtype = DType::kFloat16}), "");
  EXPECT_EQ(of(kPerTensor), "");
  EXPECT_EQ(of({.dtype = DType::kUInt8, .quant_range = QuantRange{0, 127}, .is_dynamic = true}), "");
  EXPECT_EQ(of(kPerToken), "");
  for (const at::ScalarType dtype : {at::kHalf, at::kBFloat16}) {
    Value* half = net.input(c10::toString(dtype), {2, 4}, dtype);
    EXPECT_EQ(on(half, kPerToken), "") << half->name();
    EXPECT_EQ(on(half, kPerTensor), "") << half->name();
  }
}

TEST_F(CheckSpec, RefusesBlocks) {
  EXPECT_EQ(of({.dtype = DType::kInt8}, {AffineMinMaxSpec{{.granularity = PerGroup{32}}}}),
            "%x: AffineQuantizedMinMaxObserver(ASYMMETRIC, PerGroup(group_size=32)) cannot be placed in a graph\n"
            "  allowed here: observers per tensor and per channel");
}

TEST_F(CheckSpec, ScalesPerTokenAreDynamic) {
  EXPECT_EQ(of({.dtype = DType::kInt8, .qscheme = QScheme::kPerTokenAffine}, {MinMaxSpec{}}),
            "%x: per_token_affine without is_dynamic\n"
            "  allowed here: is_dynamic: which tokens there are is known when the program runs");
}

TEST_F(CheckSpec, DynamicScalesAreForEightBits) {
  const std::string allowed = "\n  allowed here: dynamic scales for int8 and uint8";
  EXPECT_EQ(of({.dtype = DType::kFloat16, .is_dynamic = true}), "%x: float16, per_tensor_affine, dynamic" + allowed);
  EXPECT_EQ(of({.dtype = DType::kInt16, .is_dynamic = true}), "%x: int16, per_tensor_affine, dynamic" + allowed);
}

TEST_F(CheckSpec, DynamicScalesAreNotPerChannel) {
  EXPECT_EQ(of({.dtype = DType::kInt8, .qscheme = QScheme::kPerChannelAffine, .ch_axis = 1, .is_dynamic = true}),
            "%x: int8, per_channel_affine along axis 1, dynamic\n"
            "  allowed here: dynamic scales per tensor (per_tensor_affine, per_tensor_symmetric) and per token "
            "(per_token_affine)");
}

TEST_F(CheckSpec, TokensHaveAllCodesOfInt8) {
  const std::string allowed = "\n  allowed here: int8 [-128, 127] per token";
  ObserverOptions options = kPerToken;
  options.quant_range = QuantRange{-127, 127};
  EXPECT_EQ(of(options), "%x: int8 [-127, 127], per_token_affine, dynamic" + allowed);
  EXPECT_EQ(of({.dtype = DType::kUInt8, .qscheme = QScheme::kPerTokenAffine, .is_dynamic = true}),
            "%x: uint8, per_token_affine, dynamic" + allowed);
}

TEST_F(CheckSpec, DynamicCodesHoldZero) {
  for (const QuantRange range : {QuantRange{1, 127}, QuantRange{-128, -1}, QuantRange{0, 0}, QuantRange{-129, 127}}) {
    ObserverOptions options = kPerTensor;
    options.quant_range = range;
    EXPECT_EQ(of(options),
              "%x: " + to_string(options) + "\n  allowed here: codes of -128 to 127 that hold 0, more than one");
  }
}

TEST_F(CheckSpec, DynamicScalesAreForFloats) {
  const std::string allowed = "\n  allowed here: tensors of Float, Half and BFloat16";
  EXPECT_EQ(on(net.input("ids", {2, 4}, at::kLong), kPerToken), "%ids: a dynamic scale for a tensor of Long" + allowed);
  EXPECT_EQ(on(net.input("d", {2}, at::kDouble), kPerTensor), "%d: a dynamic scale for a tensor of Double" + allowed);
  Node* size = net.program().graph().append(OpId("aten.sym_size.int"), "size", {{"self", x}, {"dim", int64_t{0}}});
  EXPECT_EQ(on(net.program().graph().add_output(size, "size", ScalarMeta{}), kPerTensor),
            "%size: a dynamic scale for a number" + allowed);
}

TEST_F(CheckSpec, ANumberHasNoTokens) {
  EXPECT_EQ(on(net.input("scalar", {}), kPerToken),
            "%scalar: a scale per token for a tensor of rank 0\n  allowed here: rank 1 and more");
}

TEST_F(CheckSpec, WeightsHaveNoDynamicScale) {
  const Node* fc = net.linear(x, "fc", 3)->producer();
  const Value* weight = fc->input("weight");
  const AnyQuantizationSpec spec = QuantizationSpec{kPerTensor, {PlaceholderSpec{}}};
  const auto on_weight = [&](const std::unordered_set<const Value*>& constants) {
    return error_text(
        [&] { check_spec({.places = {{weight, fc}}, .spec = &spec}, {PlaceholderSpec{}}, kPerTensor, constants); });
  };
  EXPECT_EQ(on_weight({weight}),
            "%p_fc_weight → %linear: a dynamic scale for a weight, which never changes\n"
            "  allowed here: is_dynamic = false: it is quantized once, and its float copy goes");
  EXPECT_EQ(on_weight({}), "") << "computed when the program runs";
  EXPECT_EQ(on(weight, kPerTensor), "") << "a constant that is no layer's weight";
}

}  // namespace
}  // namespace torquant
