#include "torquant/quantizer/splits_to_slices.h"

#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "tests/support/test_program.h"
#include "torquant/graph/text.h"

namespace torquant {
namespace {

// Of x [2, 7, 3]: the parts change places, so that each has to be the right one.
void expect_same(const std::string& split, const std::vector<std::string>& sizes, const std::string& op, size_t count) {
  std::string names, swapped;
  for (size_t i = 0; i < sizes.size(); ++i) {
    names += (i == 0 ? "%p" : ", %p") + std::to_string(i) + " : f32[" + sizes[i] + "]";
    swapped = "%p" + std::to_string(i) + (i == 0 ? "" : ", ") + swapped;
  }
  const std::string text = "input %x : f32[2, 7, 3]\n[" + names + "] = " + split + " as %parts\nreturn " + swapped;
  Program program = parse_program(text);
  const at::Tensor x = at::randn({2, 7, 3});
  const std::vector<at::Tensor> expected = outputs_of(program, {x});
  splits_to_slices(program);
  const std::vector<at::Tensor> got = outputs_of(program, {x});
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(got[i].equal(expected[i])) << split << ", output " << i;
  size_t found = 0;
  for (const Node& node : program.graph()) found += node.op().name() == op ? 1 : 0;
  EXPECT_EQ(found, count) << to_text(program);
  EXPECT_EQ(program.graph().size(), count) << "nothing else is left";
}

TEST(SplitsToSlices, GivesEachPartAnOperator) {
  const std::string slice = "aten.slice.Tensor";
  expect_same("aten.chunk.default(%x, 3, 1)", {"2, 3, 3", "2, 3, 3", "2, 1, 3"}, slice, 3);
  expect_same("aten.chunk.default(%x, 2)", {"1, 7, 3", "1, 7, 3"}, slice, 2);
  expect_same("aten.split.Tensor(%x, 4, -2)", {"2, 4, 3", "2, 3, 3"}, slice, 2);
  expect_same("aten.split_with_sizes.default(%x, [1, 6], 1)", {"2, 1, 3", "2, 6, 3"}, slice, 2);
  expect_same("aten.unbind.int(%x, 2)", {"2, 7", "2, 7", "2, 7"}, "aten.select.int", 3);
}

TEST(SplitsToSlices, LeavesPartsOfUnknownSizes) {
  Program program = parse_program(R"(
input %x : f32[s0, 6]
[%a : f32[s1, 6], %b : f32[s2, 6]] = aten.chunk.default(%x, 2) as %parts
return %b, %a
)");
  const std::string before = to_text(program);
  splits_to_slices(program);
  EXPECT_EQ(to_text(program), before);
}

}  // namespace
}  // namespace torquant
