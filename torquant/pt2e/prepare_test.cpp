#include "torquant/pt2e/prepare.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/test_program.h"
#include "tests/support/test_quantizer.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant {
namespace {

XNNPACKQuantizer xnnpack() {
  XNNPACKQuantizer quantizer;
  quantizer.set_global(get_symmetric_quantization_config());
  return quantizer;
}

// The observer of a value of the state or the graph.
const PlacedObserver& observer_of(const PreparedProgram& prepared, const std::string& value) {
  for (const Node& node : prepared.program().graph()) {
    if (node.op() == ops::kObserve && node.input("input")->name() == value) {
      return prepared.observers()[static_cast<size_t>(int_arg(node, "observer"))];
    }
  }
  throw Error({.where = "observer_of", .what = "no observer of " + value});
}

TEST(Prepare, WeightsNeedNoData) {
  TestProgram net;
  Program program = net.returns({net.linear(net.input("x", {2, 8}), "fc", 4)});
  const at::Tensor weight = *program.find_state("fc.weight");
  XNNPACKQuantizer quantizer = xnnpack();
  const PreparedProgram prepared = prepare_pt2e(std::move(program), quantizer);
  const Observer::State state = observer_of(prepared, "p_fc_weight").observer->state();
  EXPECT_EQ(state.at("min_val").item<float>(), weight.min().item<float>());
  EXPECT_EQ(state.at("max_val").item<float>(), weight.max().item<float>());
}

TEST(Prepare, RunsTheFloatProgramAndRecordsWhatItSees) {
  TestProgram net;
  const Program program = net.returns({net.linear(net.input("x", {2, 8}), "fc", 4)});
  TestQuantizer quantizer([](const Program& p, Annotations& annotations) {
    const Node& fc = *p.graph().begin();
    annotations.annotate(&fc).set_input(fc.input("input"), QuantizationSpec{{.dtype = DType::kInt8}, {MinMaxSpec{}}});
  });
  PreparedProgram prepared = prepare_pt2e(program.clone(), quantizer);
  const at::Tensor batch = at::randn({2, 8});
  EXPECT_TRUE(at::equal(prepared.forward({batch})[0], outputs_of(program, {batch})[0]));
  EXPECT_EQ(observer_of(prepared, "x").observer->state().at("max_val").item<float>(), batch.max().item<float>());
}

TEST(Prepare, CalibrationDoesNotTouchTheWeightAgain) {
  TestProgram net;
  XNNPACKQuantizer quantizer = xnnpack();
  PreparedProgram prepared = prepare_pt2e(net.returns({net.linear(net.input("x", {2, 8}), "fc", 4)}), quantizer);
  const at::Tensor before = observer_of(prepared, "p_fc_weight").observer->state().at("max_val").clone();
  prepared.forward(net.examples());
  EXPECT_TRUE(at::equal(observer_of(prepared, "p_fc_weight").observer->state().at("max_val"), before));
}

TEST(Prepare, AnnotatingNothingIsAnError) {
  TestProgram net;
  Program program = net.returns({net.op("aten.exp.default", {{"self", net.input("x", {4})}})});
  XNNPACKQuantizer quantizer = xnnpack();
  EXPECT_EQ(error_text([&] { prepare_pt2e(std::move(program), quantizer); }),
            "XNNPACKQuantizer: annotated none of the program's 1 nodes, so nothing would be quantized\n"
            "  to go on: see `torquant plan` for the reason of each layer");
}

class Validating : public XNNPACKQuantizer {
 public:
  void validate(const Program&, const Annotations&) override { throw Error({.where = "validate", .what = "no"}); }
};

TEST(Prepare, LetsTheQuantizerValidate) {
  TestProgram net;
  Program program = net.returns({net.linear(net.input("x", {2, 8}), "fc", 4)});
  Validating quantizer;
  quantizer.set_global(get_symmetric_quantization_config());
  EXPECT_EQ(error_text([&] { prepare_pt2e(std::move(program), quantizer); }), "validate: no");
}

TEST(Prepare, ReportsWhatPassesRefused) {
  TestProgram net;
  Value* y = net.conv2d(net.input("x", {2, 3, 8, 8}), "conv", 4);
  Program program = net.returns({net.batch_norm(y, "bn"), net.relu(y)});
  XNNPACKQuantizer quantizer = xnnpack();
  const PreparedProgram prepared = prepare_pt2e(std::move(program), quantizer);
  ASSERT_EQ(prepared.report().refusals.size(), 1u);
  EXPECT_EQ(prepared.report().refusals[0].reason,
            "the output of %conv2d also feeds %relu, which would see the folded values");
}

}  // namespace
}  // namespace torquant
