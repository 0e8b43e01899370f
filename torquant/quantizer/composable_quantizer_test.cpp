#include "torquant/quantizer/composable_quantizer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/error_text.h"
#include "tests/support/test_program.h"
#include "torquant/graph/ops.h"
#include "torquant/quantizer/embedding_quantizer.h"
#include "torquant/quantizer/x86_inductor_quantizer.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant {
namespace {

const QuantizationConfig kPerChannel = get_symmetric_quantization_config({.is_per_channel = true});

std::shared_ptr<XNNPACKQuantizer> xnnpack() {
  auto quantizer = std::make_shared<XNNPACKQuantizer>();
  quantizer->set_global(kPerChannel);
  return quantizer;
}

// The user's own, as in examples/: every other linear layer, weights alone.
class EveryOtherLinear : public Quantizer {
 public:
  void annotate(const Program& program, Annotations& annotations) override {
    int count = 0;
    for (const Node& node : program.graph()) {
      if (node.op() != ops::kLinear || count++ % 2 != 0) continue;
      annotations.annotate(&node).set_input(node.input("weight"), *kPerChannel.weight);
    }
  }
  void validate(const Program&, const Annotations&) override { ++validated; }
  std::string name() const override { return "EveryOtherLinear"; }

  int validated = 0;
};

struct Linears {
  TestProgram net;
  Value* x = net.input("x", {2, 4});
  Value* first = net.linear(x, "first", 4);
  Value* second = net.linear(first, "second", 4);
  Linears() { net.returns({second}); }
};

TEST(ComposableQuantizer, AUsersQuantizerComposesWithXnnpack) {
  Linears linears;
  const auto own = std::make_shared<EveryOtherLinear>();
  ComposableQuantizer quantizer({own, xnnpack()});
  Annotations annotations;
  quantizer.transform_for_annotation(linears.net.program());
  quantizer.annotate(linears.net.program(), annotations);
  quantizer.validate(linears.net.program(), annotations);
  EXPECT_EQ(annotations.find(linears.first->producer())->find_input(linears.x), nullptr) << "the user's: weight only";
  EXPECT_NE(annotations.find(linears.second->producer())->find_input(linears.first), nullptr) << "XNNPACK's";
  EXPECT_EQ(own->validated, 1);
  EXPECT_EQ(quantizer.name(), "EveryOtherLinear + XNNPACKQuantizer");
}

TEST(ComposableQuantizer, AConflictNamesBothQuantizersAndTheNode) {
  Linears linears;
  ComposableQuantizer quantizer({xnnpack(), std::make_shared<EveryOtherLinear>()});
  Annotations annotations;
  const std::string text = error_text([&] { quantizer.annotate(linears.net.program(), annotations); });
  EXPECT_NE(text.find("first (%linear, aten.linear.default)"), std::string::npos) << text;
  EXPECT_NE(text.find("EveryOtherLinear (2 of 2) annotates it, but XNNPACKQuantizer (1 of 2) has done so already"),
            std::string::npos)
      << text;
}

TEST(ComposableQuantizer, TheFirstOneTakesANode) {
  Linears linears;
  auto x86 = std::make_shared<X86InductorQuantizer>();
  x86->set_module_name_qconfig("second", get_default_x86_inductor_quantization_config());
  ComposableQuantizer quantizer({x86, xnnpack()});
  Annotations annotations;
  quantizer.annotate(linears.net.program(), annotations);
  const auto input_dtype = [&](Value* layer, Value* input) {
    return options_of(*annotations.find(layer->producer())->find_input(input))->dtype;
  };
  EXPECT_EQ(input_dtype(linears.second, linears.first), DType::kUInt8);
  EXPECT_EQ(input_dtype(linears.first, linears.x), DType::kInt8);
}

TEST(ComposableQuantizer, CapabilitiesAreThoseOfAll) {
  const ComposableQuantizer quantizer({std::make_shared<EmbeddingQuantizer>(), xnnpack()});
  const std::vector<Capability> all = quantizer.capabilities();
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.front().quantizer, "EmbeddingQuantizer");
  EXPECT_EQ(all.size(), EmbeddingQuantizer().capabilities().size() + XNNPACKQuantizer().capabilities().size());
}

TEST(ComposableQuantizer, RefusesNoneAndNull) {
  EXPECT_NE(error_text([] { ComposableQuantizer({}); }).find("it is given no quantizer"), std::string::npos);
  EXPECT_NE(error_text([] { ComposableQuantizer({nullptr}); }).find("one of its quantizers is null"),
            std::string::npos);
}

}  // namespace
}  // namespace torquant
