#include "torquant/lower/attention_of_products.h"

#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "torquant/graph/interpreter.h"
#include "torquant/graph/text.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {
namespace {

// Attention of 2 sequences, 3 heads of 4 numbers, 5 queries and 6 keys; `weigh` makes %p of the scores %s.
std::string net(const std::string& weigh) {
  return fmt::format(R"(input %q : f32[2, 3, 5, 4]
input %k : f32[2, 3, 6, 4]
input %v : f32[2, 3, 6, 4]
input %mask : f32[2, 1, 1, 6]
%seen : b8[2, 1, 1, 6] = aten.gt.Scalar(self=%mask, other=0.4)
%hidden : b8[2, 1, 1, 6] = aten.logical_not.default(self=%seen)
%turned : f32[2, 3, 4, 6] = aten.transpose.int(self=%k, dim0=2, dim1=3)
%s : f32[2, 3, 5, 6] = aten.matmul.default(self=%q, other=%turned)
{}%y : f32[2, 3, 5, 4] = aten.matmul.default(self=%p, other=%v)
return %y
)",
                     weigh);
}

// The one operator that is left of it, or the text of what is left; computing what was computed.
std::string rewritten(const std::string& text) {
  Program program = parse_program(text);
  const std::vector<at::Tensor> inputs = {at::randn({2, 3, 5, 4}), at::randn({2, 3, 6, 4}), at::randn({2, 3, 6, 4}),
                                          at::rand({2, 1, 1, 6})};
  inputs[3].select(3, 2).fill_(1);  // each query sees a key
  const at::Tensor expected = Interpreter(program).forward(inputs)[0];
  const bool changed = rewrite_attention_of_products(program).changed;
  remove_dead_nodes(program);
  EXPECT_TRUE(Interpreter(program).forward(inputs)[0].allclose(expected, 1e-5, 1e-6));
  EXPECT_FALSE(rewrite_attention_of_products(program).changed) << "a second time";
  std::string all = to_text(program);
  if (!changed) return "unchanged";
  const size_t at = all.find("aten.scaled_dot_product_attention.default");
  EXPECT_EQ(all.find("aten.matmul.default"), std::string::npos) << all;
  return all.substr(at, all.find('\n', at) - at);
}

TEST(AttentionOfProducts, BecomesTheOneOperator) {
  EXPECT_EQ(rewritten(net("%p : f32[2, 3, 5, 6] = aten.softmax.int(self=%s, dim=-1)\n")),
            "aten.scaled_dot_product_attention.default(query=%q, key=%y_keys, value=%v, scale=1.0)");
  EXPECT_EQ(rewritten(net(R"(%t : f32[2, 3, 5, 6] = aten.mul.Tensor(self=%s, other=3)
%u : f32[2, 3, 5, 6] = aten.div.Tensor(self=%t, other=6.0)
%w : f32[2, 3, 5, 6] = aten.add.Tensor(self=%u, other=%mask)
%o : f32[2, 3, 5, 6] = aten._softmax.default(self=%w, dim=3, half_to_float=false)
%p : f32[2, 3, 5, 6] = aten.dropout.default(input=%o, p=0.1, train=false)
)")),
            "aten.scaled_dot_product_attention.default(query=%q, key=%y_keys, value=%v, attn_mask=%mask, scale=0.5)");
}

TEST(AttentionOfProducts, TakesMasksInAllTheirSpellings) {
  const auto mask_of = [](const std::string& hide) {
    const std::string found = rewritten(net(hide + "%p : f32[2, 3, 5, 6] = aten.softmax.int(self=%u, dim=-1)\n"));
    const size_t begin = found.find("attn_mask=");
    return begin == std::string::npos ? found : found.substr(begin, found.find(',', begin) - begin);
  };
  EXPECT_EQ(mask_of("%u : f32[2, 3, 5, 6] = aten.add.Tensor(self=%mask, other=%s)\n"), "attn_mask=%mask");
  EXPECT_EQ(mask_of("%u : f32[2, 3, 5, 6] = aten.masked_fill.Scalar(self=%s, mask=%hidden, value=-inf)\n"),
            "attn_mask=%y_seen");
  EXPECT_EQ(mask_of("%u : f32[2, 3, 5, 6] = aten.where.ScalarOther(condition=%seen, self=%s, other=-1e+30)\n"),
            "attn_mask=%seen");
  EXPECT_EQ(mask_of("%u : f32[2, 3, 5, 6] = aten.masked_fill.Scalar(self=%s, mask=%hidden, value=-5.0)\n"), "unchanged")
      << "that hides nothing";
}

TEST(AttentionOfProducts, LeavesWhatIsComputedOtherwise) {
  EXPECT_EQ(rewritten(net("%p : f32[2, 3, 5, 6] = aten.softmax.int(self=%s, dim=2)\n")), "unchanged");
  EXPECT_EQ(rewritten(net("%p : f32[2, 3, 5, 6] = aten.sigmoid.default(self=%s)\n")), "unchanged");
  EXPECT_EQ(rewritten(net(R"(%t : f32[2, 3, 5, 6] = aten.tanh.default(self=%s)
%p : f32[2, 3, 5, 6] = aten.softmax.int(self=%t, dim=3)
)")),
            "unchanged");
  std::string shared = net("%p : f32[2, 3, 5, 6] = aten.softmax.int(self=%s, dim=3)\n");
  shared.replace(shared.find("return %y"), 9, "return %y, %p");
  EXPECT_EQ(rewritten(shared), "unchanged") << "the weights have another reader";
}

}  // namespace
}  // namespace torquant
