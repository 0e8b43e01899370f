#include "torquant/pt2e/convert.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/test_program.h"
#include "tests/support/test_quantizer.h"
#include "torquant/graph/ops.h"
#include "torquant/graph/text.h"
#include "torquant/graph/verifier.h"
#include "torquant/quantizer/torquant_quantizer.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant {
namespace {

XNNPACKQuantizer xnnpack(bool per_channel = false) {
  XNNPACKQuantizer quantizer;
  quantizer.set_global(get_symmetric_quantization_config({.is_per_channel = per_channel}));
  return quantizer;
}

// conv → bn → relu → add → linear, on a batch of any size.
struct Net {
  Net() {
    Value* x = net.input("x", {2, 3, 8, 8});
    Value* y = net.relu(net.batch_norm(net.conv2d(x, "conv", 4), "bn"));
    Value* z = net.op("aten.add.Tensor", {{"self", y}, {"other", y}});
    Value* mean = net.op("aten.mean.dim", {{"self", z}, {"dim", std::vector<int64_t>{2, 3}}});
    program = net.returns({net.linear(mean, "fc", 5)});
  }
  TestProgram net;
  Program program;
};

TEST(Convert, KeepsIntegersAlone) {
  for (const bool per_channel : {false, true}) {
    Net net;
    XNNPACKQuantizer quantizer = xnnpack(per_channel);
    PreparedProgram prepared = prepare_pt2e(net.program.clone(), quantizer);
    prepared.forward(net.net.examples());
    const ConvertedProgram converted = convert_pt2e(std::move(prepared));
    EXPECT_EQ(converted.program.find_state("conv.weight")->scalar_type(), at::kChar);
    EXPECT_EQ(converted.program.find_state("fc.weight")->scalar_type(), at::kChar);
    EXPECT_EQ(count_nodes(converted.program, ops::kObserve.name()), 0u);
    EXPECT_EQ(converted.report.quantized_layers(), 2u);
    const at::Tensor expected = outputs_of(net.program, net.net.examples())[0];
    const at::Tensor actual = outputs_of(converted.program, net.net.examples())[0];
    // A tenth of the signal: int8 keeps that in a net of two layers, a wrong scale does not.
    EXPECT_LT((actual - expected).norm().item<double>(), 0.1 * expected.norm().item<double>());
  }
}

TEST(Convert, WithoutFoldingTheFloatWeightStays) {
  Net net;
  XNNPACKQuantizer quantizer = xnnpack();
  const auto convert = [&](bool fold) {
    PreparedProgram prepared = prepare_pt2e(net.program.clone(), quantizer);
    prepared.forward(net.net.examples());
    return convert_pt2e(std::move(prepared), {.fold_quantize = fold}).program;
  };
  const Program folded = convert(true);
  const Program unfolded = convert(false);
  EXPECT_EQ(unfolded.find_state("fc.weight")->scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(outputs_of(folded, net.net.examples())[0], outputs_of(unfolded, net.net.examples())[0]));
}

// With qparams known beforehand, observers that fake-quantize give what the quantize / dequantize pairs give.
TEST(Convert, GivesTheBitsOfThePreparedProgramOnFixedGrids) {
  TestProgram net;
  Program program = net.returns({net.relu(net.linear(net.input("x", {4, 8}), "fc", 6))});
  TestQuantizer quantizer([](const Program& p, Annotations& annotations) {
    for (const Node& node : p.graph()) {
      QuantizationAnnotation& annotation = annotations.annotate(&node);
      const ObserverOptions options{.dtype = DType::kInt8, .quant_range = QuantRange{-128, 127}};
      const auto grid = [&](double scale, int64_t zero_point) {
        return QuantizationSpec{
            options, {.type = FixedQParamsSpec{scale, zero_point}, .fake_quantize = FakeQuantizeType::kPlain}};
      };
      if (const Value* x = node.input("input")) annotation.set_input(x, grid(0.03, 5));
      if (const Value* weight = node.input("weight")) annotation.set_input(weight, grid(0.02, 0));
      annotation.output_qspec = grid(0.05, -7);
    }
  });
  PreparedProgram prepared = prepare_pt2e(std::move(program), quantizer);
  prepared.forward(net.examples());
  const at::Tensor expected = prepared.forward(net.examples())[0];
  const ConvertedProgram converted = convert_pt2e(std::move(prepared));
  EXPECT_TRUE(at::equal(outputs_of(converted.program, net.examples())[0], expected));
}

TEST(Convert, AnObserverThatSawNothingIsAnErrorThatNamesTheLayer) {
  TestProgram net;
  Value* y = net.linear(net.input("x", {2, 8}), "block.fc", 4);
  XNNPACKQuantizer quantizer = xnnpack();
  PreparedProgram prepared = prepare_pt2e(net.returns({y}), quantizer);
  const std::string text = error_text([&] { convert_pt2e(std::move(prepared)); });
  EXPECT_TRUE(text.starts_with("input x: ")) << text;
}

TEST(Convert, AnObserverInTheMiddleIsNamedByNodeAndModule) {
  TestProgram net;
  Value* y = net.op("aten.exp.default", {{"self", net.input("x", {2, 8})}}, "block.act");
  Program program = net.returns({net.op("aten.neg.default", {{"self", y}})});
  TestQuantizer quantizer([](const Program& p, Annotations& annotations) {
    annotations.annotate(&*p.graph().begin()).output_qspec = QuantizationSpec{{.dtype = DType::kInt8}, {MinMaxSpec{}}};
  });
  PreparedProgram prepared = prepare_pt2e(std::move(program), quantizer);
  const std::string text = error_text([&] { convert_pt2e(std::move(prepared)); });
  EXPECT_TRUE(text.starts_with("block.act (%exp, aten.exp.default): ")) << text;
}

TEST(Convert, AnObserverThatNobodyReadsIsDroppedInSilence) {
  TestProgram net;
  Value* x = net.input("x", {2, 8});
  Value* live = net.op("aten.exp.default", {{"self", x}});
  Value* also = net.op("aten.sin.default", {{"self", x}});
  Program program = net.returns({live, also});
  TestQuantizer quantizer([](const Program& p, Annotations& annotations) {
    for (const Node& node : p.graph()) {
      annotations.annotate(&node).output_qspec = QuantizationSpec{{.dtype = DType::kInt8}, {MinMaxSpec{}}};
    }
  });
  PreparedProgram prepared = prepare_pt2e(std::move(program), quantizer);
  prepared.forward(net.examples());
  // The second output is cut off after calibration; its observer goes with it.
  Program cut = prepared.program().clone();
  cut.graph().set_outputs({cut.graph().outputs()[0]});
  cut.output_specs().resize(1);
  std::vector<PlacedObserver> observers;
  for (const PlacedObserver& placed : prepared.observers()) observers.push_back(placed);
  observers[1].observer = make_observer(observers[1].spec, observers[1].options);  // as if it had seen nothing
  const ConvertedProgram converted = convert_pt2e({std::move(cut), std::move(observers), prepared.report()});
  EXPECT_EQ(count_nodes(converted.program, "aten.sin.default"), 0u);
  EXPECT_EQ(outputs_of(converted.program, net.examples()).size(), 1u);
}

TEST(Convert, ASymbolicBatchStaysSymbolic) {
  Net net;
  const SymbolicDim batch{SymExpr::symbol("s0"), 2};
  Program program = std::move(net.program);
  program.ranges()["s0"] = {1, 64};
  for (Value* input : program.user_inputs()) input->tensor().sizes[0] = batch;
  for (Node& node : program.graph()) {
    for (Value* value : node.values()) value->tensor().sizes[0] = batch;
  }
  XNNPACKQuantizer quantizer = xnnpack();
  PreparedProgram prepared = prepare_pt2e(std::move(program), quantizer);
  for (const int64_t size : {1, 7, 3}) prepared.forward({at::randn({size, 3, 8, 8})});
  const ConvertedProgram converted = convert_pt2e(std::move(prepared));
  for (const int64_t size : {1, 5, 64}) {
    EXPECT_EQ(outputs_of(converted.program, {at::randn({size, 3, 8, 8})})[0].size(0), size);
  }
  EXPECT_NE(error_text([&] { outputs_of(converted.program, {at::randn({65, 3, 8, 8})}); }), "");
}

TEST(Convert, ASymbolicLengthStaysSymbolicPerToken) {
  Program program = parse_program(R"(
range s 1..64 example 4
input %x : f32[2, s, 8]
parameter %w : f32[4, 8] = "fc.weight"
%y : f32[2, s, 4] = aten.linear.default(%x, %w)
return %y)");
  program.set_state({"fc.weight", at::randn({4, 8})});
  TorquantQuantizer quantizer;
  quantizer.set_global(get_default_torquant_quantization_config({.is_dynamic = true}));
  const Program converted = convert_pt2e(prepare_pt2e(std::move(program), quantizer)).program;
  verify(converted);
  const Node* chooser = only_node(converted, ops::kChooseQParamsPerTokenAsymmetric.name());
  ASSERT_NE(chooser, nullptr);
  EXPECT_EQ(to_string(chooser->values()[0]->tensor().sizes[1]), "s");
  for (const int64_t length : {1, 5, 64}) {
    EXPECT_EQ(outputs_of(converted, {at::randn({2, length, 8})})[0].size(1), length);
  }
}

TEST(Convert, ReferenceRepresentationHasNoQuantizeNodes) {
  Net net;
  XNNPACKQuantizer quantizer = xnnpack();
  PreparedProgram prepared = prepare_pt2e(net.program.clone(), quantizer);
  prepared.forward(net.net.examples());
  const Program program = convert_pt2e(std::move(prepared), {.use_reference_representation = true}).program;
  for (const Node& node : program.graph()) {
    EXPECT_FALSE(ops::is_quantize(node.op()) || ops::is_dequantize(node.op())) << node.describe();
  }
  const at::Tensor expected = outputs_of(net.program, net.net.examples())[0];
  EXPECT_LT((outputs_of(program, net.net.examples())[0] - expected).norm().item<double>(),
            0.1 * expected.norm().item<double>());
}

}  // namespace
}  // namespace torquant
