#include "torquant/lower/rotations.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "torquant/graph/text.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {
namespace {

// 2 heads of 6 numbers, 5 tokens; angles are computed of nothing.
std::string net(const std::string& end, int64_t half = 3, const std::string& angles = "%full") {
  return fmt::format(R"(input %x : f32[1, 2, 5, 6]
%full : f32[5, 6] = aten.full.default(size=[5, 6], fill_value=0.5)
%cos : f32[5, 6] = aten.cos.default(self={0})
%sin : f32[5, 6] = aten.sin.default(self={0})
%a : f32[1, 2, 5, 6] = aten.mul.Tensor(self=%x, other=%cos)
%h : f32[1, 2, 5, {2}] = aten.slice.Tensor(self=%x, dim=3, start={1}, end=9223372036854775807)
%n : f32[1, 2, 5, {2}] = aten.neg.default(self=%h)
%l : f32[1, 2, 5, {1}] = aten.slice.Tensor(self=%x, dim=3, start=0, end={1})
%r : f32[1, 2, 5, 6] = aten.cat.default(tensors=[%n, %l], dim=-1)
%b : f32[1, 2, 5, 6] = aten.mul.Tensor(self=%r, other=%sin)
{3}return %y
)",
                     angles, half, 6 - half, end);
}

std::string rewritten(const std::string& text) {
  Program program = parse_program(text);
  const bool changed = rewrite_rotations(program).changed;
  remove_dead_nodes(program);
  const std::string after = to_text(program);
  const size_t at = after.find("torquant.rotate");
  return changed ? after.substr(at, after.find('\n', at) - at) : "unchanged";
}

TEST(Rotations, BecomeOneNode) {
  const std::string expected = "torquant.rotate.default(x=%x, cos=%cos, sin=%sin)";
  EXPECT_EQ(rewritten(net("%y : f32[1, 2, 5, 6] = aten.add.Tensor(self=%a, other=%b)\n")), expected);
  EXPECT_EQ(rewritten(net("%y : f32[1, 2, 5, 6] = aten.add.Tensor(self=%b, other=%a)\n")), expected);
}

TEST(Rotations, LeaveWhatIsComputedOtherwise) {
  EXPECT_EQ(rewritten(net("%y : f32[1, 2, 5, 6] = aten.add.Tensor(self=%a, other=%b, alpha=2)\n")), "unchanged");
  EXPECT_EQ(rewritten(net("%y : f32[1, 2, 5, 6] = aten.sub.Tensor(self=%a, other=%b)\n")), "unchanged");
  EXPECT_EQ(rewritten(net("%y : f32[1, 2, 5, 6] = aten.add.Tensor(self=%a, other=%b)\n", 2)), "unchanged")
      << "the parts are no halves";
  EXPECT_EQ(rewritten(net("%y : f32[1, 2, 5, 6] = aten.add.Tensor(self=%a, other=%b)\n", 3, "%x")), "unchanged")
      << "the angles are no constants";
}

}  // namespace
}  // namespace torquant
