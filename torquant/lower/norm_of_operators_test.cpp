#include "torquant/lower/norm_of_operators.h"

#include <ATen/ops/randn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "torquant/graph/interpreter.h"
#include "torquant/graph/text.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {
namespace {

constexpr const char* kSquare = "%s : f32[2, 5, 8] = aten.pow.Tensor_Scalar(self=%x, exponent=2)\n";
constexpr const char* kMean = "%m : f32[2, 5, 1] = aten.mean.dim(self=%s, dim=[-1], keepdim=true)\n";
constexpr const char* kScaled = "%n : f32[2, 5, 8] = aten.mul.Tensor(self=%x, other=%r)\n";
constexpr const char* kWeighed = R"(%t : f32[2, 5, 8] = aten.to.dtype(self=%n, dtype=torch.float32)
%y : f32[2, 5, 8] = aten.mul.Tensor(self=%w, other=%t)
)";

std::string rewritten(const std::string& square, const std::string& mean, const std::string& scaled,
                      const std::string& end, const std::string& output = "%y") {
  Program program = parse_program(
      fmt::format("input %x : f32[2, 5, 8]\ninput %w : f32[8]\n{}{}%e : f32[2, 5, 1] = aten.add.Tensor(self=%m, "
                  "other=1e-05)\n%r : f32[2, 5, 1] = aten.rsqrt.default(self=%e)\n{}{}return {}\n",
                  square, mean, scaled, end, output));
  const std::vector<at::Tensor> inputs = {at::randn({2, 5, 8}), at::randn({8})};
  const at::Tensor expected = Interpreter(program).forward(inputs)[0];
  rewrite_norm_of_operators(program);
  remove_dead_nodes(program);
  EXPECT_TRUE(Interpreter(program).forward(inputs)[0].allclose(expected, 1e-5, 1e-6));
  EXPECT_FALSE(rewrite_norm_of_operators(program).changed) << "a second time";
  const std::string text = to_text(program);
  return text.substr(text.find("%w : f32[8]\n") + 12);
}

constexpr const char* kNorm =
    "%y_norm : f32[2, 5, 8] = aten.rms_norm.default(input=%x, normalized_shape=[8], weight=%w, eps=1e-05)\nreturn "
    "%y_norm\n";

TEST(NormOfOperators, BecomesTheOneOperator) {
  EXPECT_EQ(rewritten(kSquare, kMean, kScaled, kWeighed), kNorm);
  EXPECT_EQ(rewritten("%s : f32[2, 5, 8] = aten.mul.Tensor(self=%x, other=%x)\n",
                      "%m : f32[2, 5, 1] = aten.mean.dim(self=%s, dim=[2], keepdim=true)\n",
                      "%n : f32[2, 5, 8] = aten.mul.Tensor(self=%r, other=%x)\n",
                      "%y : f32[2, 5, 8] = aten.mul.Tensor(self=%n, other=%w)\n"),
            kNorm);
  EXPECT_EQ(rewritten(kSquare, kMean, kScaled, "", "%n"),
            "%n_norm : f32[2, 5, 8] = aten.rms_norm.default(input=%x, normalized_shape=[8], eps=1e-05)\nreturn "
            "%n_norm\n");
}

TEST(NormOfOperators, LeavesWhatIsComputedOtherwise) {
  const auto stays = [](const std::string& text) { return text.find("rms_norm") == std::string::npos; };
  EXPECT_TRUE(
      stays(rewritten("%s : f32[2, 5, 8] = aten.pow.Tensor_Scalar(self=%x, exponent=4)\n", kMean, kScaled, kWeighed)));
  EXPECT_TRUE(stays(
      rewritten(kSquare, "%m : f32[2, 1, 8] = aten.mean.dim(self=%s, dim=[1], keepdim=true)\n", kScaled, kWeighed)));
  EXPECT_TRUE(stays(rewritten(kSquare, kMean, "%n : f32[2, 5, 8] = aten.mul.Tensor(self=%s, other=%r)\n", kWeighed)));
}

}  // namespace
}  // namespace torquant
