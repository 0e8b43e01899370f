#include "torquant/graph/input_check.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "torquant/graph/text.h"

namespace torquant {
namespace {

constexpr const char* kInputs = R"(
range s0 2..64 example 4
range s1 ..
parameter %w : f32[2] = "w"
input %x : f32[s0, 3, s1]
input %y : i64[s0, 1 + 2*s1]
input %n : int(s1)
input 5
return %x
)";

std::string error_of(std::vector<c10::IValue> inputs) {
  return error_text([&] { check_inputs(parse_program(kInputs), inputs); });
}

TEST(InputCheck, GivesTheValueOfEachSymbol) {
  const Program program = parse_program(kInputs);
  const std::vector<c10::IValue> inputs = {at::zeros({5, 3, 7}), at::zeros({5, 15}, at::kLong), 7};
  EXPECT_EQ(check_inputs(program, inputs), (std::map<std::string, int64_t>{{"s0", 5}, {"s1", 7}}));
}

TEST(InputCheck, ErrorsNameInputValueAndWhatIsAllowed) {
  const at::Tensor x = at::zeros({5, 3, 7});
  const at::Tensor y = at::zeros({5, 15}, at::kLong);
  EXPECT_EQ(error_of({x}), "inputs: 1 given\n  allowed here: 3: x, y, n");
  EXPECT_EQ(error_of({x, y, y}), "input n: is no integer\n  allowed here: an integer: s1");
  const std::string allowed = "\n  allowed here: Float[s0 (2 to 64), 3, s1]";
  EXPECT_EQ(error_of({3, y, 7}), "input x: is no tensor" + allowed);
  EXPECT_EQ(error_of({at::Tensor(), y, 7}), "input x: is no tensor" + allowed);
  EXPECT_EQ(error_of({y, y, 7}), "input x: has dtype Long" + allowed);
  EXPECT_EQ(error_of({at::zeros({5, 3}), y, 7}), "input x: has sizes [5, 3], rank 2" + allowed);
  EXPECT_EQ(error_of({at::zeros({5, 4, 7}), y, 7}), "input x: has size 4 on axis 1" + allowed);
  EXPECT_EQ(error_of({at::zeros({1, 3, 7}), y, 7}), "input x: has size 1 on axis 0" + allowed);
  EXPECT_EQ(error_of({at::zeros({65, 3, 7}), y, 7}), "input x: has size 65 on axis 0" + allowed);
  const std::string allowed_y = "\n  allowed here: Long[s0 (2 to 64), 1 + 2*s1]";
  EXPECT_EQ(error_of({x, at::zeros({6, 15}, at::kLong), 7}),
            "input y: has size 6 on axis 0, other inputs make s0 = 5" + allowed_y);
  EXPECT_EQ(error_of({x, at::zeros({5, 14}, at::kLong), 7}),
            "input y: has size 14 on axis 1, other inputs make 1 + 2*s1 = 15" + allowed_y);
  EXPECT_EQ(error_of({x, y, 8}), "input n: is 8, other inputs make s1 = 7\n  allowed here: an integer: s1");
}

TEST(InputCheck, ScalarsAreOfTheirKind) {
  const Program program =
      parse_program("range s 2..9\ninput %i : int(s)\ninput %f : float\ninput %b : bool\nreturn %i");
  const auto error = [&](std::vector<c10::IValue> inputs) {
    return error_text([&] { check_inputs(program, inputs); });
  };
  EXPECT_EQ(error({2, 0.5, true}), "");
  EXPECT_EQ(error({2, 1, false}), "");
  EXPECT_EQ(error({10, 0.5, true}), "input i: is 10\n  allowed here: an integer: s (2 to 9)");
  EXPECT_EQ(error({2, at::zeros({1}), true}), "input f: is no number\n  allowed here: a number");
  EXPECT_EQ(error({2, 0.5, 1}), "input b: is no bool\n  allowed here: true or false");
}

TEST(InputCheck, AMultipleOfASymbolHasToDivide) {
  const Program program = parse_program("range s0 1..8 example 2\ninput %x : f32[2*s0]\nreturn %x");
  const auto check = [&](int64_t size) {
    const std::vector<c10::IValue> inputs = {at::zeros({size})};
    return error_text([&] { check_inputs(program, inputs); });
  };
  EXPECT_EQ(check(6), "");
  EXPECT_EQ(check(7), "input x: has size 7 on axis 0\n  allowed here: Float[2*s0]");
  EXPECT_EQ(check(18), "input x: has size 18 on axis 0\n  allowed here: Float[2*s0]");
}

TEST(InputCheck, AllowedSizesShowRanges) {
  const Program program =
      parse_program("range a 2..64\nrange b 2..\nrange c ..9\nrange d ..\ninput %x : f32[a, b, c, d, e, 7]\nreturn %x");
  EXPECT_EQ(allowed_sizes(program, program.user_inputs()[0]->tensor()),
            "[a (2 to 64), b (2 or more), c (0 to 9), d, e, 7]");
}

}  // namespace
}  // namespace torquant
