#include "torquant/quantizer/annotation.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/test_program.h"

namespace torquant {
namespace {

QuantizationSpec int8() { return {.options = {.dtype = DType::kInt8}, .observer = {.type = MinMaxSpec{}}}; }

TEST(QuantizationAnnotation, HasOneSpecForEachInput) {
  TestProgram net;
  Value* x = net.input("x", {4});
  QuantizationAnnotation annotation;
  EXPECT_TRUE(annotation.empty());
  annotation.set_input(x, int8());
  annotation.set_input(x, SharedQuantizationSpec{{x, nullptr}});
  EXPECT_FALSE(annotation.empty());
  ASSERT_EQ(annotation.input_qspec_map.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<SharedQuantizationSpec>(*annotation.find_input(x)));
  EXPECT_EQ(annotation.find_input(nullptr), nullptr);
}

TEST(Annotations, AnAnnotatedNodeHasNoReasonToBeLeftOut) {
  TestProgram net;
  const Node* node = net.relu(net.input("x", {4}))->producer();
  Annotations annotations;
  annotations.refuse(node, "first");
  annotations.refuse(node, "second");
  EXPECT_EQ(*annotations.reason(node), "first");
  EXPECT_FALSE(annotations.is_annotated(node));
  annotations.annotate(node);
  EXPECT_TRUE(annotations.is_annotated(node));
  EXPECT_EQ(annotations.reason(node), nullptr);
  EXPECT_EQ(annotations.size(), 1u);
}

TEST(Annotations, MarkedNodesAndWeightsCountAsTaken) {
  TestProgram net;
  Value* x = net.input("x", {4});
  const Node* node = net.relu(x)->producer();
  Annotations annotations;
  annotations.mark(node);
  annotations.mark(x);
  EXPECT_TRUE(annotations.is_annotated(node));
  EXPECT_TRUE(annotations.is_annotated(x));
  EXPECT_EQ(annotations.find(node), nullptr);
  EXPECT_EQ(annotations.size(), 0u) << "a marked node has no specs";
}

TEST(Annotations, ANodeHasOneAuthor) {
  TestProgram net;
  Value* x = net.input("x", {4});
  const Node* node = net.relu(x)->producer();
  Annotations annotations;
  {
    const Annotations::Author first(annotations, "First");
    annotations.annotate(node).set_input(x, int8());
    annotations.annotate(node).output_qspec = int8();
  }
  const Annotations::Author second(annotations, "Second");
  EXPECT_EQ(error_text([&] { annotations.annotate(node); }),
            "%relu (aten.relu.default): Second annotates it, but First has done so already\n"
            "  to go on: let a rule or filter function of one of them leave it out");
}

}  // namespace
}  // namespace torquant
