// Arguments that the operators refuse, and sizes that no file should have.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "torquant/graph/shape_rules.h"
#include "torquant/graph/text.h"

namespace torquant {
namespace {

constexpr const char* kInputs = R"(
range s 2..9 example 4
input %x : f32[s, 6, 10, 12]
input %seq : f32[s, 5, 8]
input %m : f32[s, 8]
input %v : f32[8]
input %one : f32[1, 8]
input %d : f64[s, 8]
input %w1 : f32[4, 6, 3]
input %w2 : f32[4, 6, 3, 3]
input %dw : f32[12, 1, 3, 5]
input %w : f32[7, 8]
input %b : f32[7]
input %c : f32[6]
)";

TEST(ShapeRulesErrors, RefuseWhatTheOperatorRefuses) {
  const auto error = [](const std::string& call) {
    return error_text([&] { parse_program(fmt::format("{}%y = {}\nreturn", kInputs, call)); });
  };
  const auto expect_error = [&](const std::string& call, const std::string& words) {
    EXPECT_NE(error(call).find(words), std::string::npos) << error(call);
  };
  expect_error("aten.conv2d.default(%x, %w1)", "input of rank 4 for a weight of rank 3");
  expect_error("aten.conv2d.default(%x, %dw)", "input channels and weight channels times 1 groups differ: 6 and 1");
  expect_error("aten.conv2d.default(%x, %w2, %v)", "bias and output channels differ: 8 and 4");
  expect_error("aten.conv2d.default(%x, %w2, none, 1, 0, 9)", "result size -8 on spatial axis 0: the kernel is larger");
  expect_error("aten.conv2d.default(%x, %w2, none, 0)", "stride 0");
  expect_error("aten.conv2d.default(%x, %w2, none, 1, -1)", "padding -1\n  allowed here: 0 or more");
  expect_error("aten.conv2d.default(%x, %w2, none, 1, 0, 0)", "dilation 0\n  allowed here: 1 or more");
  expect_error("aten.conv2d.padding(%x, %w2, none, [2, 1], \"same\")", "padding \"same\" with a stride of 2");
  expect_error("aten.conv2d.padding(%x, %dw, none, [1, 1], \"same\")",
               "weight channels times 1 groups differ: 6 and 1");
  expect_error("aten.conv2d.padding(%x, %w2, none, [1, 1], \"full\")", "padding \"full\"\n  allowed here: same, valid");
  expect_error("aten.linear.default(%one, %c)", "input features and weight columns differ: 8 and 6");
  expect_error("aten.linear.default(%d, %w)", "input is Double, weight Float");
  expect_error("aten.matmul.default(%m, %w)", "inner sizes differ: 8 and 7");
  expect_error("aten.add.Tensor(%m, %b)", "sizes [s, 8] and [7] do not broadcast");
  expect_error("aten.add_.Tensor(%v, %m)", "an in-place result of sizes [s, 8] does not fit [8]");
  expect_error("aten.view.default(%v, [3, -1])", "sizes [8] do not fit into [3, -1]");
  expect_error("aten.view.default(%v, [-1, -1])", "have several -1");
  expect_error("aten.permute.default(%m, [0, 0])", "axis 0 twice");
  expect_error("aten.softmax.int(%m, 2)", "axis 2 of a tensor of rank 2\n  allowed here: -2 to 1");
  expect_error("aten.select.int(%v, 0, 8)", "index 8 on axis 0 of size 8");
  expect_error("aten.cat.default([%seq, %m])", "sizes [s, 5, 8] and [s, 8] do not join on axis 0");
  expect_error("aten.cat.default([])", "");
  expect_error("aten.max_pool2d.default(%x, [30, 3])", "a kernel of 30 on a size of 10");
  expect_error("aten.pixel_shuffle.default(%x, 4)", "6 channels for an upscale_factor of 4");
  expect_error("aten.embedding.default(%w, %m)", "indices are Float\n  allowed here: Int, Long");
  expect_error("aten.expand.default(%v, [3])", "sizes [8] do not expand to [3]");
  expect_error("aten.layer_norm.default(%seq, [5])", "normalized_shape and input differ: 5 and 8");
  expect_error("aten.split_with_sizes.default(%v, [3, 3])", "split sizes [3, 3] of an axis of 8");
}

// Sizes and arguments come from files.
TEST(ShapeRulesErrors, HugeNumbersAreErrorsOrUnknown) {
  const auto error = [](const std::string& type, const std::string& call) {
    return error_text(
        [&] { parse_program("input %x : " + type + "\n%y : f32[1] = my.op.default()\n%z = " + call + "\nreturn"); });
  };
  const std::string huge = "f32[4611686018427387904, 2]";
  EXPECT_EQ(error(huge, "aten.flatten.using_ints(%x)"),
            "line 3, column 1: %z (aten.flatten.using_ints): the size 4611686018427387904 * 2 does not fit 64 bits");
  for (const char* call :
       {"aten.cat.default([%x, %x, %x])", "aten.pad.default(%x, [9223372036854775807, 9223372036854775807])",
        "aten.unbind.int(%x)", "aten.split.Tensor(%x, 1)", "aten.chunk.default(%x, 4611686018427387904)",
        "aten.avg_pool1d.default(%x, [9223372036854775807])", "aten.repeat.default(%x, [4, 4])"}) {
    EXPECT_NE(error(huge, call), "") << call;
  }
  const std::string image = "f32[1, 4, 4, 4]";
  for (const char* call :
       {"aten.pixel_shuffle.default(%x, 4611686018427387904)", "aten.upsample_nearest2d.vec(%x, none, [1e300, 1.0])",
        "aten.max_pool2d.default(%x, [3, 3], [1, 1], [9223372036854775807, 0])",
        "aten.max_pool2d.default(%x, [3, 3], [1, 1], [0, 0], [9223372036854775807, 1])"}) {
    EXPECT_NE(error(image, call), "") << call;
  }
  EXPECT_EQ(error(image, "aten.slice.Tensor(%x, 1, 0, 9223372036854775807, 9223372036854775807)"), "");
}

}  // namespace
}  // namespace torquant
