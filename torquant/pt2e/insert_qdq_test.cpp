#include "torquant/pt2e/insert_qdq.h"

#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/clamp_max.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/round.h>
#include <ATen/ops/where.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/test_program.h"
#include "tests/support/test_quantizer.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/graph/verifier.h"
#include "torquant/pt2e/convert.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant {
namespace {

// exp on an input that is observed with `spec`, calibrated on the example.
Program converted(TestProgram& net, const QuantizationSpec& spec, at::ScalarType dtype = at::kFloat) {
  Program program = net.returns({net.op("aten.exp.default", {{"self", net.input("x", {2, 8}, dtype)}})});
  TestQuantizer quantizer([&](const Program& p, Annotations& annotations) {
    const Node& exp = *p.graph().begin();
    annotations.annotate(&exp).set_input(exp.input("self"), spec);
  });
  PreparedProgram prepared = prepare_pt2e(std::move(program), quantizer);
  prepared.forward(net.examples());
  return convert_pt2e(std::move(prepared)).program;
}

TEST(InsertQdq, PerTensorQParamsAreNumbers) {
  TestProgram net;
  const Program program =
      converted(net, {{.dtype = DType::kInt8, .quant_range = QuantRange{-128, 127}}, {MinMaxSpec{}}});
  const Node* q = only_node(program, ops::kQuantizePerTensor.name());
  const Node* dq = only_node(program, ops::kDequantizePerTensor.name());
  ASSERT_NE(q, nullptr);
  ASSERT_NE(dq, nullptr);
  const at::Tensor x = net.examples()[0];
  const double expected = (x.max().item<float>() - x.min().item<float>()) / 255.0;
  EXPECT_NEAR(double_arg(*q, "scale"), expected, 1e-6 * expected);
  EXPECT_EQ(double_arg(*q, "scale"), double_arg(*dq, "scale"));
  EXPECT_EQ(q->output()->tensor().dtype, at::kChar);
  EXPECT_EQ(dq->output()->tensor().dtype, at::kFloat);
  EXPECT_EQ(dq->find_arg("out_dtype"), nullptr);
}

TEST(InsertQdq, PerChannelQParamsAreBuffers) {
  TestProgram net;
  const Program program = converted(
      net, {{.dtype = DType::kInt8, .qscheme = QScheme::kPerChannelSymmetric, .ch_axis = 1}, {PerChannelMinMaxSpec{}}});
  const Node* q = only_node(program, ops::kQuantizePerChannel.name());
  ASSERT_NE(q, nullptr);
  EXPECT_EQ(int_arg(*q, "axis"), 1);
  EXPECT_EQ(program.find_state("x_scale")->numel(), 8);
  EXPECT_EQ(program.find_state("x_zero_point")->numel(), 8);
  EXPECT_EQ(outputs_of(program, net.examples()).size(), 1u);
}

TEST(InsertQdq, Float16RoundsAndComputesAsBefore) {
  TestProgram net;
  const Program program = converted(net, {{.dtype = DType::kFloat16}, {PlaceholderSpec{}}});
  EXPECT_EQ(count_nodes(program, "quantized_decomposed.convert_element_type.no_fuse"), 2u);
  const at::Tensor x = net.examples()[0];
  EXPECT_TRUE(at::equal(outputs_of(program, {x})[0], x.to(at::kHalf).to(at::kFloat).exp()));
}

TEST(InsertQdq, HalfPrecisionComesBackInItsOwnType) {
  for (const at::ScalarType dtype : {at::kHalf, at::kBFloat16}) {
    TestProgram net;
    const Program program = converted(net, {{.dtype = DType::kInt8}, {MinMaxSpec{}}}, dtype);
    const Node* dq = only_node(program, ops::kDequantizePerTensor.name());
    ASSERT_NE(dq, nullptr);
    EXPECT_EQ(std::get<at::ScalarType>(*dq->find_arg("out_dtype")), dtype);
    EXPECT_EQ(dq->output()->tensor().dtype, dtype);
    EXPECT_EQ(outputs_of(program, net.examples())[0].scalar_type(), dtype);
  }
}

TEST(InsertQdq, HalfPrecisionWeightsHaveFloatQParams) {
  TestProgram net;
  Value* weight = net.parameter("fc.weight", {4, 8}, at::kBFloat16);
  Value* y = net.op("aten.linear.default", {{"input", net.input("x", {2, 8}, at::kBFloat16)}, {"weight", weight}});
  XNNPACKQuantizer quantizer;
  quantizer.set_global(get_symmetric_quantization_config({.is_per_channel = true}));
  PreparedProgram prepared = prepare_pt2e(net.returns({y}), quantizer);
  prepared.forward(net.examples());
  const Program program = convert_pt2e(std::move(prepared)).program;
  EXPECT_EQ(program.find_state("fc.weight_scale")->scalar_type(), at::kFloat);
  EXPECT_EQ(program.find_state("fc.weight")->scalar_type(), at::kChar);
  EXPECT_EQ(outputs_of(program, net.examples())[0].scalar_type(), at::kBFloat16);
}

TEST(InsertQdq, ADynamicPlaceChoosesItsQParamsAtRunTime) {
  for (const QScheme qscheme : {QScheme::kPerTensorAffine, QScheme::kPerTensorSymmetric}) {
    TestProgram net;
    const Program program = converted(
        net, {{.dtype = DType::kInt8, .quant_range = QuantRange{-128, 127}, .qscheme = qscheme, .is_dynamic = true},
              {.type = PlaceholderSpec{}, .eps = 0x1p-12f}});
    const bool symmetric = qscheme == QScheme::kPerTensorSymmetric;
    const Node* chooser = only_node(program, (symmetric ? ops::kChooseQParamsSymmetric : ops::kChooseQParams).name());
    const Node* q = only_node(program, ops::kQuantizePerTensorDynamic.name());
    const Node* dq = only_node(program, ops::kDequantizePerTensorDynamic.name());
    ASSERT_NE(chooser, nullptr);
    ASSERT_NE(q, nullptr);
    ASSERT_NE(dq, nullptr);
    EXPECT_EQ(double_arg(*chooser, "eps"), 0x1p-12);
    EXPECT_EQ(q->input("scale"), chooser->values()[0]);
    EXPECT_EQ(dq->input("zero_point"), chooser->values()[1]);
    // One step of the grid: the range over 255, or twice the larger end over 255.
    const at::Tensor x = net.examples()[0];
    const double step = 2 * x.abs().max().item<double>() / 255;
    const at::Tensor error = outputs_of(program, {x})[0].log() - x;
    EXPECT_LE(error.abs().max().item<double>(), step) << symmetric;
  }
}

constexpr ObserverOptions kPerToken{.dtype = DType::kInt8, .qscheme = QScheme::kPerTokenAffine, .is_dynamic = true};

// Q9, Q11 and Q14 of one row, in the precision in which PyTorch computes them: range and zero point in the value's
// dtype, codes and reals in float64 of the float64 scale.
at::Tensor through_int8_per_token(const at::Tensor& x) {
  const at::Tensor lo = at::clamp_max(at::amin(x, -1, true), 0);
  const at::Tensor hi = at::clamp_min(at::amax(x, -1, true), 0);
  const at::Tensor scale = at::clamp_min((hi - lo) / 255.0, 0x1p-23);
  const at::Tensor low_end = lo / scale;
  const at::Tensor high_end = hi / scale;
  const at::Tensor from_low = (-128 + low_end) + (127 + high_end) > 0;
  const at::Tensor zero_point =
      at::round(at::clamp(at::where(from_low, -128 - low_end, 127 - high_end), -128, 127)).to(at::kDouble);
  const at::Tensor wide = scale.to(at::kDouble);
  const at::Tensor codes = at::clamp(at::round(x * (1.0 / wide) + zero_point), -128, 127);
  return ((codes - zero_point) * wide).to(x.scalar_type());
}

TEST(InsertQdq, ADynamicPlacePerTokenHasAScaleForEachRow) {
  for (const at::ScalarType dtype : {at::kFloat, at::kHalf, at::kBFloat16}) {
    TestProgram net;
    const Program program = converted(net, {kPerToken, {PlaceholderSpec{}}}, dtype);
    verify(program);
    const Node* chooser = only_node(program, ops::kChooseQParamsPerTokenAsymmetric.name());
    const Node* q = only_node(program, ops::kQuantizePerToken.name());
    const Node* dq = only_node(program, ops::kDequantizePerToken.name());
    ASSERT_NE(chooser, nullptr);
    ASSERT_NE(q, nullptr);
    ASSERT_NE(dq, nullptr);
    EXPECT_EQ(chooser->values()[0]->tensor().sizes, (std::vector<Dim>{int64_t{2}, int64_t{1}}));
    EXPECT_EQ(q->input("scales"), chooser->values()[0]);
    EXPECT_EQ(dq->input("zero_points"), chooser->values()[1]);
    EXPECT_EQ(int_arg(*q, "quant_min"), -128);
    EXPECT_EQ(std::get<at::ScalarType>(*dq->find_arg("output_dtype")), dtype);
    at::Tensor x = net.examples()[0];
    x[1].mul_(100);  // a token of another size does not make this one coarser
    EXPECT_TRUE(at::equal(outputs_of(program, {x})[0], through_int8_per_token(x).exp())) << dtype;
  }
}

TEST(InsertQdq, LayersThatReadOneValueShareItsDynamicScale) {
  TestProgram net;
  Value* x = net.input("x", {2, 3, 8});
  Program program = net.returns({net.linear(x, "q", 4), net.linear(x, "k", 4), net.linear(x, "v", 4)});
  for (const ObserverOptions& options : {kPerToken, ObserverOptions{.dtype = DType::kInt8, .is_dynamic = true}}) {
    TestQuantizer quantizer([&](const Program& p, Annotations& annotations) {
      for (const Node& node : p.graph()) {
        annotations.annotate(&node).set_input(node.input("input"), QuantizationSpec{options, {PlaceholderSpec{}}});
      }
    });
    const Program shared = convert_pt2e(prepare_pt2e(program.clone(), quantizer)).program;
    size_t choosers = 0;
    size_t dequantizers = 0;
    for (const Node& node : shared.graph()) {
      choosers += ops::is_choose_qparams(node.op()) ? 1 : 0;
      dequantizers += ops::is_dequantize(node.op()) ? 1 : 0;
    }
    EXPECT_EQ(choosers, 1u);
    EXPECT_EQ(dequantizers, 1u) << "no copy a reader: it would be computed anew for each";
  }
}

// linear(x [2, 8]) with 4 outputs, its bias on the grid derived from input and weight, calibrated.
PreparedProgram with_derived_bias(const QuantizationSpec& weight) {
  TestProgram net;
  Program float_program = net.returns({net.linear(net.input("x", {2, 8}), "fc", 4)});
  TestQuantizer quantizer([&](const Program& p, Annotations& annotations) {
    const Node& fc = *p.graph().begin();
    QuantizationAnnotation& annotation = annotations.annotate(&fc);
    annotation.set_input(fc.input("input"), QuantizationSpec{{.dtype = DType::kInt8}, {MinMaxSpec{}}});
    annotation.set_input(fc.input("weight"), weight);
    annotation.set_input(
        fc.input("bias"),
        DerivedQuantizationSpec{
            {{fc.input("input"), &fc}, {fc.input("weight"), &fc}}, derive_bias_qparams, {.dtype = DType::kInt32}});
  });
  PreparedProgram prepared = prepare_pt2e(std::move(float_program), quantizer);
  prepared.forward(net.examples());
  return prepared;
}

TEST(InsertQdq, ADerivedBiasIsIntegersOnItsOwnGrid) {
  const Program program = convert_pt2e(with_derived_bias({{.dtype = DType::kInt8}, {MinMaxSpec{}}})).program;
  EXPECT_EQ(program.find_state("fc.bias")->scalar_type(), at::kInt);
  EXPECT_EQ(count_nodes(program, ops::kDequantizePerTensor.name()), 3u);
}

TEST(InsertQdq, AGridForEachChannelIsNoneForTheTensor) {
  const ObserverOptions by_channel = {.dtype = DType::kInt8, .qscheme = QScheme::kPerChannelSymmetric};
  EXPECT_EQ(error_text([&] { convert_pt2e(with_derived_bias({by_channel, {PerChannelMinMaxSpec{}}})); }),
            "fc.bias: 4 scales for int32, per_tensor_affine\n  allowed here: 1");
}

}  // namespace
}  // namespace torquant
