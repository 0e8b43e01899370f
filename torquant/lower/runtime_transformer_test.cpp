// Transformers on the runtime: what it gives beside what PyTorch's operators give.
#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/runtime_program.h"
#include "torquant/format/describe.h"

namespace torquant {
namespace {

class RuntimeTransformer : public RuntimeProgram {
 protected:
  static constexpr int64_t kTokens = 10, kWidth = 24, kHeads = 3, kHeadSize = 8;

  Value* op(const std::string& name, std::vector<NamedArgument> args, size_t outputs = 1) {
    return net.op("aten." + name, std::move(args), "", "", outputs);
  }
  Value* integers(const std::string& name, int64_t least, int64_t end) {
    Value* input = net.input(name, {2, kTokens}, at::kLong);
    net.examples().back().copy_(at::randint(least, end, {2, kTokens}));
    return input;
  }
  Value* embedding(Value* ids) {
    return op("embedding.default", {{"weight", net.parameter("table", {50, kWidth})}, {"indices", ids}});
  }
  // As int8-dynamic quantizes it.
  Value* linear(Value* x, const std::string& name, int64_t out) {
    const int64_t in = std::get<int64_t>(x->tensor().sizes.back());
    const auto decomposed = [&](const std::string& op, std::vector<NamedArgument> args, size_t outputs = 1) {
      return net.op("quantized_decomposed." + op, std::move(args), "", "", outputs);
    };
    Value* scale = decomposed("choose_qparams_per_token_asymmetric.default", {{"input", x}, {"dtype", at::kChar}}, 2);
    Value* zero_point = scale->producer()->values()[1];
    std::vector<NamedArgument> grid = {{"input", x},
                                       {"scales", scale},
                                       {"zero_points", zero_point},
                                       {"quant_min", int64_t{-128}},
                                       {"quant_max", int64_t{127}},
                                       {"dtype", at::kChar}};
    grid[0].value = decomposed("quantize_per_token.default", grid);
    grid.push_back({"output_dtype", at::kFloat});
    Value* again = decomposed("dequantize_per_token.default", grid);
    return op("linear.default", {{"input", again},
                                 {"weight", int8_weight(net, name, {out, in})},
                                 {"bias", net.parameter(name + ".bias", {out})}});
  }
  Value* layer_norm(Value* x) {
    return op("layer_norm.default", {{"input", x},
                                     {"normalized_shape", Ints{kWidth}},
                                     {"weight", net.positive("norm.weight", {kWidth})},
                                     {"bias", net.parameter("norm.bias", {kWidth})},
                                     {"eps", 1e-12}});
  }
  // [N, heads, T, head size]
  Value* heads(Value* x, int64_t count) {
    Value* split = op("view.default", {{"self", x}, {"size", Ints{2, kTokens, count, kHeadSize}}});
    return op("transpose.int", {{"self", split}, {"dim0", int64_t{1}}, {"dim1", int64_t{2}}});
  }
  Value* attention(Value* x, int64_t key_heads, std::vector<NamedArgument> more) {
    Value* key = heads(linear(x, "key", key_heads * kHeadSize), key_heads);
    Value* value = heads(linear(x, "value", key_heads * kHeadSize), key_heads);
    std::vector<NamedArgument> args = {
        {"query", heads(linear(x, "query", kHeads * kHeadSize), kHeads)}, {"key", key}, {"value", value}};
    args.insert(args.end(), more.begin(), more.end());
    Value* turned =
        op("transpose.int",
           {{"self", op("scaled_dot_product_attention.default", args)}, {"dim0", int64_t{1}}, {"dim1", int64_t{2}}});
    return op("reshape.default", {{"self", turned}, {"shape", Ints{2, kTokens, kHeads * kHeadSize}}});
  }

  double sqnr(Value* output) {
    const Program program = net.returns({output});
    const at::Tensor expected = outputs_of(program, net.examples())[0];
    const at::Tensor error = run(program).sub(expected);
    return 10 * std::log10(expected.square().sum().item<double>() / error.square().sum().item<double>());
  }
  size_t count(std::string_view kind) const {
    return static_cast<size_t>(std::count_if(model.nodes.begin(), model.nodes.end(), [&](const format::Node& node) {
      return format::kind_of(node.operation) == kind;
    }));
  }
};

TEST_F(RuntimeTransformer, ComputesLinearLayersOnCodesThatEachRunChooses) {
  Value* x = net.input("x", {2, kTokens, kWidth});
  EXPECT_GT(sqnr(linear(x, "layer", 40)), 100) << "the same integers, and floats rounded otherwise";
  EXPECT_EQ(model.nodes.size(), 1u);
}

TEST_F(RuntimeTransformer, EmbedsIdsAndAddsWhatTheProgramHolds) {
  Value* embedded = embedding(integers("ids", 0, 50));
  Value* positions = op("arange.default", {{"end", kTokens}});
  Value* placed =
      op("add.Tensor", {{"self", embedded},
                        {"other", op("embedding.default", {{"weight", net.parameter("positions", {kTokens, kWidth})},
                                                           {"indices", positions}})}});
  const Program program = net.returns({placed});
  EXPECT_TRUE(run(program).equal(outputs_of(program, net.examples())[0]));
  EXPECT_EQ(count("Embedding"), 1u);
  EXPECT_EQ(model.nodes.size(), 2u) << "what is computed of constants is one";
}

TEST_F(RuntimeTransformer, NormalizesSums) {
  Value* x = net.input("x", {2, kTokens, kWidth});
  Value* sum = op("add.Tensor", {{"self", x}, {"other", linear(x, "layer", kWidth)}});
  EXPECT_GT(sqnr(layer_norm(sum)), 100);
  EXPECT_EQ(model.nodes.size(), 2u) << "the sum is the norm's";
  net = TestProgram();
  x = net.input("x", {2, kTokens, kWidth});
  sum = op("add.Tensor", {{"self", x}, {"other", linear(x, "layer", kWidth)}});
  EXPECT_GT(sqnr(op("add.Tensor", {{"self", layer_norm(sum)}, {"other", sum}})), 100);
  EXPECT_EQ(model.nodes.size(), 4u) << "the sum has another reader";
  net = TestProgram();
  x = net.input("x", {2, kTokens, kWidth});
  EXPECT_GT(sqnr(op("rms_norm.default",
                    {{"input", x}, {"normalized_shape", Ints{kWidth}}, {"weight", net.positive("w", {kWidth})}})),
            100);
}

TEST_F(RuntimeTransformer, TakesQueriesKeysAndValuesFromOneProduct) {
  EXPECT_GT(sqnr(attention(net.input("x", {2, kTokens, kWidth}), kHeads, {})), 35);
  EXPECT_EQ(count("DynamicLinear"), 1u);
  EXPECT_EQ(count("Attention"), 1u);
  EXPECT_EQ(model.nodes.size(), 2u) << "nothing is moved";
  const auto& node = std::get<format::Attention>(model.nodes[1].operation);
  EXPECT_EQ(node.query.begin + node.key.begin + node.value.begin, 3 * kHeads * kHeadSize);
}

TEST_F(RuntimeTransformer, SharesHeadsOfKeys) {
  EXPECT_GT(sqnr(attention(net.input("x", {2, kTokens, kWidth}), 1,
                           {{"enable_gqa", true}, {"is_causal", true}, {"scale", 0.5}})),
            35);
  const auto& node = std::get<format::Attention>(model.nodes[1].operation);
  EXPECT_EQ(node.key_heads, 1u);
  EXPECT_TRUE(node.causal);
  EXPECT_EQ(node.scale, 0.5f);
}

TEST_F(RuntimeTransformer, MakesMasksOfIntegers) {
  Value* mask = integers("mask", 0, 2);
  net.examples().back().slice(1, 0, 1).fill_(1);  // each query sees some key
  Value* truth = op("to.dtype", {{"self", mask}, {"dtype", at::kBool}});
  Value* wide = op("unsqueeze.default",
                   {{"self", op("unsqueeze.default", {{"self", truth}, {"dim", int64_t{1}}})}, {"dim", int64_t{1}}});
  Value* all = op("expand.default", {{"self", wide}, {"size", Ints{2, 1, kTokens, kTokens}}});
  EXPECT_GT(sqnr(attention(net.input("x", {2, kTokens, kWidth}), kHeads, {{"attn_mask", all}})), 35);
  const auto& node = std::get<format::Attention>(model.nodes.back().operation);
  EXPECT_EQ(model.values[static_cast<size_t>(node.mask)].sizes, (Ints{2, 1, 1, kTokens})) << "kept without repetitions";
}

TEST_F(RuntimeTransformer, CombinesMasksWithConstants) {
  Value* mask = integers("mask", 0, 2);
  net.examples().back().slice(1, 0, 1).fill_(1);
  Value* truth = op("to.dtype", {{"self", mask}, {"dtype", at::kBool}});
  Value* wide = op("view.default", {{"self", truth}, {"size", Ints{2, 1, 1, kTokens}}});
  Value* causal = net.buffer("causal", at::ones({1, 1, kTokens, kTokens}, at::kBool).tril());
  Value* both = op("logical_and.default", {{"self", causal}, {"other", wide}});
  EXPECT_GT(sqnr(attention(net.input("x", {2, kTokens, kWidth}), kHeads, {{"attn_mask", both}})), 35);
}

// PyTorch takes the first size of such a mask for heads, or for queries.
TEST_F(RuntimeTransformer, RefusesMasksWhoseFirstSizeIsNoBatch) {
  Value* mask = net.input("mask", {2, kTokens, kTokens});
  Value* x = net.input("x", {2, kTokens, 2 * kHeadSize});
  Value* split = heads(x, 2);
  const std::string text = refusal(op("scaled_dot_product_attention.default",
                                      {{"query", split}, {"key", split}, {"value", split}, {"attn_mask", mask}}));
  EXPECT_NE(text.find("aten.scaled_dot_product_attention.default"), std::string::npos) << text;
}

TEST_F(RuntimeTransformer, RefusesToRepeatTheBatchAlongAnotherSize) {
  Value* x = net.input("x", {4, 4});
  const std::string text =
      refusal(op("relu.default", {{"self", op("expand.default", {{"self", x}, {"size", Ints{4, 4, 4}}})}}));
  EXPECT_NE(text.find("aten.expand.default"), std::string::npos) << text;
}

TEST_F(RuntimeTransformer, SeesACausalMaskInAConstant) {
  Value* causal = net.buffer("causal", at::ones({kTokens, kTokens}, at::kBool).tril());
  EXPECT_GT(sqnr(attention(net.input("x", {2, kTokens, kWidth}), kHeads, {{"attn_mask", causal}})), 35);
  EXPECT_TRUE(std::get<format::Attention>(model.nodes.back().operation).causal);
  net = TestProgram();
  Value* added = net.buffer("added", at::arange(kTokens * kTokens).reshape({kTokens, kTokens}).to(at::kFloat) * 0.02);
  EXPECT_GT(sqnr(attention(net.input("x", {2, kTokens, kWidth}), kHeads, {{"attn_mask", added}})), 35);
  EXPECT_GE(std::get<format::Attention>(model.nodes.back().operation).mask, 0);
}

TEST_F(RuntimeTransformer, MovesWhatAttentionCannotReadWhereItLies) {
  Value* x = net.input("x", {2, kHeads, kTokens, kHeadSize});
  EXPECT_GT(sqnr(op("scaled_dot_product_attention.default", {{"query", x}, {"key", x}, {"value", x}})), 35);
  EXPECT_GE(count("Rearrange"), 1u);
}

TEST_F(RuntimeTransformer, SaysWhatItHasNoKernelFor) {
  Value* ids = integers("ids", 0, 50);
  const std::string text = refusal(embedding(op("add.Scalar", {{"self", ids}, {"other", int64_t{1}}})));
  EXPECT_NE(text.find("aten.add.Scalar"), std::string::npos) << text;
  net = TestProgram();
  ids = integers("ids", 0, 50);
  const std::string bits = refusal(embedding(op("bitwise_and.Tensor", {{"self", ids}, {"other", ids}})));
  EXPECT_NE(bits.find("aten.bitwise_and.Tensor"), std::string::npos) << bits;
}

}  // namespace
}  // namespace torquant
