#include "torquant/quantizer/embedding_quantizer.h"

#include <gtest/gtest.h>

#include "tests/support/test_program.h"

namespace torquant {
namespace {

TEST(EmbeddingQuantizer, TakesTheTableOfEveryEmbeddingAndNothingElse) {
  TestProgram net;
  Value* indices = net.buffer("indices", at::zeros({2, 3}, at::kLong));
  Value* table = net.parameter("e.weight", {5, 4});
  Value* embedded = net.op("aten.embedding.default", {{"weight", table}, {"indices", indices}});
  Value* y = net.linear(embedded, "fc", 2);
  net.returns({y});

  Annotations annotations;
  EmbeddingQuantizer().annotate(net.program(), annotations);
  EXPECT_EQ(annotations.size(), 1u);
  const QuantizationAnnotation* annotation = annotations.find(embedded->producer());
  ASSERT_NE(annotation, nullptr);
  ASSERT_EQ(annotation->input_qspec_map.size(), 1u);
  EXPECT_FALSE(annotation->output_qspec);
  const ObserverOptions* options = options_of(*annotation->find_input(table));
  ASSERT_NE(options, nullptr);
  EXPECT_EQ(to_string(*options), "uint8, per_channel_affine_float_qparams along axis 0");
}

TEST(EmbeddingQuantizer, Capabilities) {
  const std::vector<Capability> rows = EmbeddingQuantizer().capabilities();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].ops[0].name(), "aten.embedding.default");
  EXPECT_EQ(mode_of(rows[0]), "weight only");
  EXPECT_EQ(scheme_text(rows[0].activation), "float");
  EXPECT_TRUE(serves(rows, OpId("aten.embedding.default")));
  EXPECT_FALSE(serves(rows, OpId("aten.linear.default")));
}

}  // namespace
}  // namespace torquant
