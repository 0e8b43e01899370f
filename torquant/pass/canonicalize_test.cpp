#include "torquant/pass/canonicalize.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "tests/support/batch_norm_spelling.h"
#include "tests/support/test_program.h"
#include "torquant/pass/reference_representation.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {
namespace {

// Canonicalizes a copy, checks that the outputs keep their bits and that a second run has nothing to do.
Program canonical(TestProgram& net, Value* output) {
  const Program before = net.returns({output});
  Program after = before.clone();
  EXPECT_TRUE(canonicalize(after).changed);
  remove_dead_nodes(after);
  std::vector<at::Tensor> copies;
  for (const at::Tensor& example : net.examples()) copies.push_back(example.clone());
  EXPECT_TRUE(at::equal(outputs_of(after, net.examples())[0], outputs_of(before, copies)[0]));
  EXPECT_FALSE(canonicalize(after).changed);
  return after;
}

TEST(Canonicalize, InPlaceOperatorReturnsANewTensor) {
  TestProgram net;
  Value* y = net.conv2d(net.input("x", {1, 3, 8, 8}), "conv", 4);
  const Program after = canonical(net, net.op("aten.relu_.default", {{"self", y}}));
  const Node* relu = only_node(after, "aten.relu.default");
  ASSERT_NE(relu, nullptr);
  EXPECT_NE(relu->find_metadata(kWrittenInPlaceKey), nullptr);
}

TEST(Canonicalize, InPlaceDropoutReadsItsInputByTheOtherName) {
  TestProgram net;
  Value* y = net.conv2d(net.input("x", {1, 3, 8, 8}), "conv", 4);
  const Program after = canonical(net, net.op("aten.dropout_.default", {{"self", y}, {"p", 0.5}, {"train", false}}));
  const Node* dropout = only_node(after, "aten.dropout.default");
  ASSERT_NE(dropout, nullptr);
  EXPECT_NE(dropout->input("input"), nullptr);
}

TEST(Canonicalize, ReadersBehindAnInPlaceOperatorReadItsResult) {
  TestProgram net;
  Value* y = net.conv2d(net.input("x", {1, 3, 8, 8}), "conv", 4);
  net.op("aten.relu_.default", {{"self", y}});
  const Program after = canonical(net, net.op("aten.neg.default", {{"self", y}}));  // y, as memory holds it by then
  EXPECT_EQ(only_node(after, "aten.neg.default")->input("self")->producer()->op().name(), "aten.relu.default");
}

TEST(Canonicalize, ConstantsThatExportDetachesInPlaceAreNotWritten) {
  TestProgram net;
  Value* x = net.input("x", {4});
  Value* lifted = net.op("aten.lift_fresh_copy.default", {{"self", net.parameter("constant", {4})}});
  Value* detached = net.op("aten.detach_.default", {{"self", lifted}});
  const Program after = canonical(net, net.op("aten.add.Tensor", {{"self", x}, {"other", detached}}));
  EXPECT_NE(only_node(after, "aten.detach.default"), nullptr);
}

void expect_untouched(TestProgram& net, Value* output, const std::string& op) {
  Program program = net.returns({output});
  EXPECT_FALSE(canonicalize(program).changed);
  EXPECT_NE(only_node(program, op), nullptr);
}

TEST(Canonicalize, KeepsAnInPlaceOperatorOnAnInput) {
  TestProgram net;
  expect_untouched(net, net.op("aten.relu_.default", {{"self", net.input("x", {4})}}), "aten.relu_.default");
}

TEST(Canonicalize, KeepsAnInPlaceOperatorOnAView) {
  TestProgram net;
  Value* y = net.relu(net.input("x", {4, 6}));
  Value* row = net.op("aten.select.int", {{"self", y}, {"dim", int64_t{0}}, {"index", int64_t{1}}});
  Value* negated = net.op("aten.neg_.default", {{"self", row}});
  expect_untouched(net, negated, "aten.neg_.default");
}

TEST(Canonicalize, KeepsAnInPlaceOperatorWhoseTensorIsSeenThroughAView) {
  TestProgram net;
  Value* y = net.relu(net.input("x", {4, 6}));
  Value* flat = net.op("aten.view.default", {{"self", y}, {"size", std::vector<int64_t>{24}}});
  net.op("aten.neg_.default", {{"self", y}});
  expect_untouched(net, net.op("aten.relu.default", {{"self", flat}}), "aten.neg_.default");
}

TEST(Canonicalize, CopyVariantsBecomeTheOperator) {
  TestProgram net;
  Value* x = net.input("x", {2, 3, 4});
  Value* y = net.op("aten.permute_copy.default", {{"self", x}, {"dims", std::vector<int64_t>{2, 0, 1}}});
  const Program after = canonical(net, net.relu(y));
  EXPECT_NE(only_node(after, "aten.permute.default"), nullptr);
}

TEST(Canonicalize, StringPaddingBecomesNumbers) {
  for (const auto& [padding, numbers] :
       {std::pair{"same", std::vector<int64_t>{1, 2}}, std::pair{"valid", std::vector<int64_t>{0, 0}}}) {
    TestProgram net;
    Value* y = net.op("aten.conv2d.padding", {{"input", net.input("x", {1, 3, 9, 9})},
                                              {"weight", net.parameter("w", {4, 3, 3, 5})},
                                              {"padding", std::string(padding)}});
    const Program after = canonical(net, y);
    const Node* conv = only_node(after, "aten.conv2d.default");
    ASSERT_NE(conv, nullptr) << padding;
    EXPECT_EQ(std::get<std::vector<int64_t>>(*conv->find_arg("padding")), numbers);
  }
}

TEST(Canonicalize, KeepsStringPaddingThatIsUneven) {
  TestProgram net;
  Value* y = net.op("aten.conv2d.padding", {{"input", net.input("x", {1, 3, 9, 9})},
                                            {"weight", net.parameter("w", {4, 3, 2, 2})},
                                            {"padding", std::string("same")}});
  expect_untouched(net, y, "aten.conv2d.padding");
}

class BatchNorm : public testing::TestWithParam<BatchNormSpelling> {};

TEST_P(BatchNorm, BecomesOne) {
  TestProgram net;
  const Program after = canonical(net, batch_norm_spelled(net, net.input("x", {2, 4, 5, 5}), GetParam()));
  const Node* batch_norm = only_node(after, "aten.batch_norm.default");
  ASSERT_NE(batch_norm, nullptr);
  EXPECT_EQ(std::get<double>(*batch_norm->find_arg("momentum")), 0.25);
  EXPECT_EQ(std::get<double>(*batch_norm->find_arg("eps")), 1e-3);
  EXPECT_EQ(batch_norm->module_path(), "bn");
}

INSTANTIATE_TEST_SUITE_P(Spellings, BatchNorm,
                         testing::Values(BatchNormSpelling{"aten._native_batch_norm_legit_no_training.default", false,
                                                           3},
                                         BatchNormSpelling{"aten._native_batch_norm_legit.default", true, 3},
                                         BatchNormSpelling{"aten.native_batch_norm.default", true, 3},
                                         BatchNormSpelling{"aten._batch_norm_no_update.default", false, 4}));

TEST(Canonicalize, KeepsABatchNormWhoseStatisticsAreRead) {
  TestProgram net;
  Value* y = batch_norm_spelled(net, net.input("x", {2, 4, 5, 5}));
  Program program = net.returns({y, y->producer()->values()[1]});
  EXPECT_FALSE(canonicalize(program).changed);
}

// The spellings of x · wᵀ. Each gives the linear layer on the weight itself.
class Linear : public testing::Test {
 protected:
  Value* transposed() { return net.op("aten.t.default", {{"self", weight}}); }
  void expect_linear(Value* output, bool bias) {
    const Program after = canonical(net, output);
    const Node* linear = only_node(after, "aten.linear.default");
    ASSERT_NE(linear, nullptr);
    EXPECT_EQ(after.graph().size(), 1u) << "the transpose and the views went with it";
    EXPECT_EQ(after.spec_of(linear->input("weight"))->target, "fc.weight");
    EXPECT_EQ(linear->input("bias") != nullptr, bias);
  }
  std::vector<int64_t> ints(std::initializer_list<int64_t> values) { return values; }

  TestProgram net;
  Value* x = net.input("x", {3, 8});
  Value* weight = net.parameter("fc.weight", {6, 8});
};

TEST_F(Linear, FromAddmm) {
  Value* bias = net.parameter("fc.bias", {6});
  expect_linear(net.op("aten.addmm.default", {{"self", bias}, {"mat1", x}, {"mat2", transposed()}}), true);
}
TEST_F(Linear, FromMm) { expect_linear(net.op("aten.mm.default", {{"self", x}, {"mat2", transposed()}}), false); }
TEST_F(Linear, FromMatmul) {
  expect_linear(net.op("aten.matmul.default", {{"self", x}, {"other", transposed()}}), false);
}
TEST_F(Linear, FromPermute) {
  Value* t = net.op("aten.permute.default", {{"self", weight}, {"dims", ints({1, 0})}});
  expect_linear(net.op("aten.mm.default", {{"self", x}, {"mat2", t}}), false);
}
TEST_F(Linear, FromTranspose) {
  Value* t = net.op("aten.transpose.int", {{"self", weight}, {"dim0", int64_t{-2}}, {"dim1", int64_t{-1}}});
  expect_linear(net.op("aten.mm.default", {{"self", x}, {"mat2", t}}), false);
}

TEST_F(Linear, FromViewsAroundAProduct) {
  TestProgram other;
  Value* input = other.input("x", {2, 3, 8});
  Value* rows = other.op("aten.view.default", {{"self", input}, {"size", ints({6, 8})}});
  Value* t = other.op("aten.t.default", {{"self", other.parameter("fc.weight", {5, 8})}});
  Value* product = other.op("aten.mm.default", {{"self", rows}, {"mat2", t}});
  Value* y = other.op("aten.view.default", {{"self", product}, {"size", ints({2, 3, 5})}});
  const Program after = canonical(other, y);
  EXPECT_EQ(after.graph().size(), 1u);
  EXPECT_EQ(only_node(after, "aten.linear.default")->input("input")->name(), "x");
}

TEST_F(Linear, FromADecomposedBatch) {
  Value* batch = net.input("batch", {3, 4, 8});
  Value* repeated = net.op("aten.expand.default", {{"self", transposed()}, {"size", std::vector<int64_t>{3, 8, 6}}});
  Value* weights = net.op("aten.view.default", {{"self", repeated}, {"size", std::vector<int64_t>{3, 8, 6}}});
  Program program = net.returns({net.op("aten.bmm.default", {{"self", batch}, {"mat2", weights}})});
  const at::Tensor expected = outputs_of(program, net.examples())[0];
  EXPECT_TRUE(canonicalize(program).changed);
  remove_dead_nodes(program);
  const Node* linear = only_node(program, "aten.linear.default");
  ASSERT_NE(linear, nullptr);
  EXPECT_EQ(program.spec_of(linear->input("weight"))->target, "fc.weight");
  // A product for each sample, or one of all rows: the 8 terms of a sum may be added in another order, each rounding to
  // 2^-24 of a sum below 16.
  EXPECT_LE((outputs_of(program, net.examples())[0] - expected).abs().max().item<double>(), 8 * 16 * 0x1p-24);
}

TEST_F(Linear, NotWhenAViewChangesTheSizesOfTheWeights) {
  Value* batch = net.input("batch", {3, 4, 6});
  Value* repeated = net.op("aten.expand.default", {{"self", transposed()}, {"size", std::vector<int64_t>{3, 8, 6}}});
  Value* mixed = net.op("aten.reshape.default", {{"self", repeated}, {"shape", std::vector<int64_t>{3, 6, 8}}});
  Program program = net.returns({net.op("aten.bmm.default", {{"self", batch}, {"mat2", mixed}})});
  canonicalize(program);
  EXPECT_EQ(only_node(program, "aten.linear.default"), nullptr);
}

TEST_F(Linear, NotWhenAddmmScales) {
  Value* bias = net.parameter("fc.bias", {6});
  expect_untouched(net,
                   net.op("aten.addmm.default",
                          {{"self", bias}, {"mat1", x}, {"mat2", transposed()}, {"beta", 1.0}, {"alpha", 2.0}}),
                   "aten.addmm.default");
}

TEST_F(Linear, NotWhenTheRightSideIsNoParameter) {
  Value* computed = net.relu(weight);
  Value* t = net.op("aten.t.default", {{"self", computed}});
  expect_untouched(net, net.op("aten.mm.default", {{"self", x}, {"mat2", t}}), "aten.mm.default");
}

}  // namespace
}  // namespace torquant
