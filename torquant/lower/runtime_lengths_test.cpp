#include "torquant/lower/runtime_lengths.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/error_text.h"
#include "tests/support/temp_folder.h"
#include "torquant/format/tqm_file.h"
#include "torquant/graph/interpreter.h"
#include "torquant/graph/text.h"
#include "torquant/runtime/session.h"

namespace torquant {
namespace {

// Columns of positions are added to x, then it is turned.
constexpr const char* kPlaced = R"(range s 2..9
input %x : f32[1, s, 3]
%n : int(s) = aten.sym_size.int(self=%x, dim=1)
%position : i64[s] = aten.arange.default(end=%n)
%column : i64[s, 1] = aten.unsqueeze.default(self=%position, dim=1)
%sum : f32[1, s, 3] = aten.add.Tensor(self=%x, other=%column)
%turned : f32[1, 3, s] = aten.transpose.int(self=%sum, dim0=1, dim1=2)
%y : f32[1, 3, s] = aten.exp.default(self=%turned)
return %y
)";

std::shared_ptr<const runtime::LoadedModel> load(const RuntimeModel& lowered, const TempFolder& folder) {
  const Result<std::string> bytes = format::write_tqm(lowered.model);
  std::ofstream(folder.path("m.tqm"), std::ios::binary)
      .write(bytes->data(), static_cast<std::streamsize>(bytes->size()));
  return *runtime::LoadedModel::load(folder.path("m.tqm"));
}

TEST(RuntimeLengths, RunsAtEachLengthAsTheProgramDoes) {
  const Program program = parse_program(kPlaced);
  const RuntimeModel lowered = lower_to_runtime(program.clone(), "a test");
  EXPECT_EQ(lowered.model.least_length, 2);
  EXPECT_EQ(lowered.model.most_length, 9);
  const TempFolder folder;
  const auto loaded = load(lowered, folder);
  Interpreter interpreter(program);
  for (int64_t length = 2; length <= 9; ++length) {
    const at::Tensor x = at::randn({1, length, 3}), expected = interpreter.forward({x})[0].contiguous();
    at::Tensor y = at::empty_like(expected);
    const void* inputs[] = {x.const_data_ptr()};
    float* outputs[] = {y.mutable_data_ptr<float>()};
    const auto session = *runtime::Session::make(loaded, {1, length}, 1);
    ASSERT_TRUE(session->run(inputs, outputs).ok());
    EXPECT_TRUE(y.allclose(expected, 1e-6)) << length;
  }
}

TEST(RuntimeLengths, GivesTheSameModelEachTime) {
  const auto bytes = [] { return *format::write_tqm(lower_to_runtime(parse_program(kPlaced), "a test").model); };
  EXPECT_EQ(bytes(), bytes());
}

TEST(RuntimeLengths, TakesARangeOfTwo) {
  std::string net = kPlaced;
  net.replace(net.find("2..9"), 4, "2..3");
  EXPECT_EQ(lower_to_runtime(parse_program(net), "a test").model.most_length, 3);
  net.replace(net.find("2..3"), 4, "3..3");
  EXPECT_FALSE(lower_to_runtime(parse_program(net), "a test").model.has_length());
}

TEST(RuntimeLengths, EndsWhereTheProgramNamesNoEnd) {
  std::string net = kPlaced;
  net.replace(net.find("2..9"), 4, "2..");
  EXPECT_EQ(lower_to_runtime(parse_program(net), "a test").model.most_length, runtime_lowering::kMostLength);
}

std::string refusal(const std::string& net) {
  return error_text([&] { (void)lower_to_runtime(parse_program(net), "a test"); });
}

TEST(RuntimeLengths, RefusesTwoSizesThatVary) {
  EXPECT_EQ(refusal("range a 2..9\nrange b 2..9\ninput %x : f32[1, a, b]\n%y : f32[1, a, b] = "
                    "aten.exp.default(self=%x)\nreturn %y\n"),
            "lower to the runtime: 2 sizes of the inputs vary besides the batch: a, b\n  allowed here: one\n  to go "
            "on: export the program with the others fixed");
}

TEST(RuntimeLengths, NamesWhatDoesNotGrowWithTheLength) {
  const auto net = [](const std::string& nodes) {
    return fmt::format(
        "range s 2..9\ninput %x : f32[1, s, 3]\n%n : int(s) = aten.sym_size.int(self=%x, dim=1)\n{}"
        "return %y\n",
        nodes);
  };
  const std::string uneven = refusal(net(R"(%half : f32[1, CeilDiv(s, 2), 3] = aten.slice.Tensor(self=%x, dim=1, step=2)
%y : f32[1, CeilDiv(s, 2), 3] = aten.exp.default(self=%half)
)"));
  EXPECT_NE(uneven.find("the sizes of %half do not grow evenly for sequences of any length (s)"), std::string::npos)
      << uneven;
  const std::string backwards = refusal(net(R"(%position : i64[s] = aten.arange.default(end=%n)
%back : i64[s] = aten.flip.default(self=%position, dims=[0])
%column : i64[s, 1] = aten.unsqueeze.default(self=%back, dim=1)
%y : f32[1, s, 3] = aten.add.Tensor(self=%x, other=%column)
)"));
  EXPECT_NE(backwards.find("the numbers of %column are not the first of those for longer ones"), std::string::npos)
      << backwards;
}

}  // namespace
}  // namespace torquant
