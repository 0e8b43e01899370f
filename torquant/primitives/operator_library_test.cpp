// The registered operators: found by name, run on real and meta tensors, under autograd, and only once a process.
#include "torquant/primitives/operator_library.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <gtest/gtest.h>

#include "torquant/core/error.h"
#include "torquant/primitives/affine.h"

namespace torquant {
namespace {

using Stack = std::vector<c10::IValue>;

// The operator's results; arguments after those given have their defaults.
Stack call(const char* name, const char* overload, Stack stack) {
  const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(name, overload);
  const auto& arguments = op.schema().arguments();
  for (size_t i = stack.size(); i < arguments.size(); ++i) stack.push_back(*arguments[i].default_value());
  op.callBoxed(stack);
  return stack;
}

int64_t type(c10::ScalarType scalar_type) { return static_cast<int64_t>(scalar_type); }

TEST(OperatorLibrary, DefinesASchemaOnceAProcess) {
  OperatorLibrary first("torquant_test");
  const auto one = +[](const at::Tensor& x) { return x + 1; };
  const auto two = +[](const at::Tensor& x) { return x + 2; };
  first.define_composite("add(Tensor x) -> Tensor", one);
  OperatorLibrary second("torquant_test");
  EXPECT_NO_THROW(second.define_composite("add(Tensor x) -> Tensor", two));  // the process has it: left alone
  EXPECT_EQ(call("torquant_test::add", "", {at::zeros({1})})[0].toTensor().item<float>(), 1);
}

TEST(Operators, QuantizedDecomposedRunsOnRealAndMetaTensors) {
  const at::Tensor x = at::randn({2, 3, 4, 5}).to(at::MemoryFormat::ChannelsLast);
  for (const char* overload : {"", "tensor", "tensor2"}) {
    const bool tensors = *overload != 0;
    const bool all_tensors = std::string_view(overload) == "tensor2";
    const auto number = [](bool as_tensor, auto value) {
      return as_tensor ? c10::IValue(at::scalar_tensor(value)) : c10::IValue(value);
    };
    Stack arguments = {x,
                       number(tensors, 0.1),
                       number(tensors, int64_t{0}),
                       number(all_tensors, int64_t{-128}),
                       number(all_tensors, int64_t{127}),
                       type(at::kChar)};
    const at::Tensor codes = call("quantized_decomposed::quantize_per_tensor", overload, arguments)[0].toTensor();
    EXPECT_EQ(codes.scalar_type(), at::kChar);
    arguments[0] = x.to(at::kMeta);
    const at::Tensor meta = call("quantized_decomposed::quantize_per_tensor", overload, arguments)[0].toTensor();
    EXPECT_TRUE(meta.is_meta());
    EXPECT_EQ(meta.sizes(), codes.sizes());
    EXPECT_EQ(meta.strides(), codes.strides());
    EXPECT_EQ(meta.scalar_type(), at::kChar);
    arguments[0] = codes;
    EXPECT_EQ(call("quantized_decomposed::dequantize_per_tensor", overload, arguments)[0].toTensor().sizes(),
              x.sizes());
  }
}

TEST(Operators, ATensorArgumentThatMustBeANumberIsChecked) {
  try {
    call("quantized_decomposed::quantize_per_tensor", "tensor",
         {at::ones({2}), at::ones({2}), at::zeros({1}), int64_t{-128}, int64_t{127}, type(at::kChar)});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "quantize_per_tensor.tensor: scale has 2 elements\n  allowed here: one element");
  }
}

TEST(Operators, FakeQuantPerChannelHasAGradientThroughTheDispatcher) {
  const at::Tensor x = at::tensor({0.3f, 1000.f}).reshape({2, 1}).requires_grad_(true);
  const at::Tensor zero = at::zeros({2}, at::kInt);
  call("quantized_decomposed::fake_quant_per_channel", "",
       {x, at::ones({2}), zero, int64_t{0}, int64_t{-128}, int64_t{127}})[0]
      .toTensor()
      .sum()
      .backward();
  EXPECT_TRUE(x.grad().equal(at::tensor({1.f, 0.f}).reshape({2, 1})));
}

TEST(Operators, TorquantAndTorchaoAreTheFunctions) {
  const at::Tensor x = at::randn({4, 16});
  const std::vector<int64_t> block = {1, 8};
  const auto expected = choose_qparams_affine(x, block, {.mapping = MappingType::kAsymmetric});
  for (const std::string ns : {"torquant", "torchao"}) {
    const Stack qparams = call((ns + "::choose_qparams_affine").c_str(), "", {x, "ASYMMETRIC", block, type(at::kChar)});
    EXPECT_TRUE(qparams[0].toTensor().equal(expected.scale));
    EXPECT_TRUE(qparams[1].toTensor().equal(expected.zero_point));
    const at::Tensor codes =
        call((ns + "::quantize_affine").c_str(), "", {x, block, qparams[0], qparams[1], type(at::kChar)})[0].toTensor();
    EXPECT_TRUE(codes.equal(quantize_affine(x, block, expected, {})));
    const at::Tensor real =
        call((ns + "::dequantize_affine").c_str(), "", {codes, block, qparams[0], qparams[1], type(at::kChar)})[0]
            .toTensor();
    EXPECT_TRUE(real.equal(dequantize_affine(codes, block, expected, {})));
    const Stack meta =
        call((ns + "::choose_qparams_affine").c_str(), "", {x.to(at::kMeta), "ASYMMETRIC", block, type(at::kChar)});
    EXPECT_EQ(meta[0].toTensor().sizes(), expected.scale.sizes());
  }
  EXPECT_THROW(call("torquant::choose_qparams_affine", "", {x, "SYMETRIC", block, type(at::kChar)}), Error);
}

TEST(Operators, FakeQuantizeAffineHasAGradientAndChecksItsDomain) {
  const at::Tensor x = at::randn({4}).requires_grad_(true);
  const at::Tensor scale = at::ones({1});
  const at::Tensor zero = at::zeros({1}, at::kInt);
  const std::vector<int64_t> block = {4};
  const at::Tensor y =
      call("torquant::fake_quantize_affine", "", {x, block, scale, zero, type(at::kChar)})[0].toTensor();
  y.sum().backward();
  EXPECT_TRUE(x.grad().equal(at::ones({4})));
  EXPECT_THROW(call("torquant::fake_quantize_affine", "",
                    {x, block, scale, zero, type(at::kChar), c10::IValue(), c10::IValue(), "WHOLE"}),
               Error);
}

TEST(Operators, BitsArePackedAndComeBack) {
  const at::Tensor codes = at::tensor({-4, 3, 0, 1, -1}, at::kChar);
  const at::Tensor packed = call("torquant::pack_bits", "", {codes, int64_t{3}})[0].toTensor();
  EXPECT_EQ(packed.sizes(), at::IntArrayRef({2}));
  const std::vector<int64_t> shape = {5};
  EXPECT_TRUE(call("torquant::unpack_bits", "", {packed, int64_t{3}, shape, true})[0].toTensor().equal(codes));
  EXPECT_THROW(call("torquant::pack_bits", "", {codes, int64_t{9}}), Error);
}

}  // namespace
}  // namespace torquant
