#include "torquant/graph/interpreter.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "torquant/graph/text.h"

namespace torquant {
namespace {

constexpr const char* kMlp = R"(
range s0 1..8 example 2
parameter %w : f32[4, 3] = "fc.weight"
parameter %b : f32[4] = "fc.bias"
input %x : f32[s0, 3]
%linear = aten.linear.default(%x, %w, %b) @ fc
%relu = aten.relu.default(%linear)
%mean = aten.mean.dim(%relu, [1])
return %mean
)";

TEST(Interpreter, RunsAtAnyBatchSizeOfTheRange) {
  const Program program = parse_program(kMlp);
  const at::NoGradGuard no_grad;
  Interpreter interpreter(program);
  const at::Tensor& w = *program.find_state("fc.weight");
  const at::Tensor& b = *program.find_state("fc.bias");
  for (const int64_t batch : {1, 2, 5, 8}) {
    const at::Tensor x = at::arange(batch * 3, at::kFloat).reshape({batch, 3});
    const at::Tensor y = interpreter.forward({x}).at(0);
    const at::Tensor wanted = (x.matmul(w.t()) + b).relu().mean(1);
    EXPECT_EQ(y.sizes().vec(), std::vector<int64_t>{batch});
    // K = 3 products of at most 24 * 1: 2 K 2^-24 sum|x||w| < 1e-4
    EXPECT_LT((y - wanted).abs().max().item<float>(), 1e-4f);
  }
  for (const int64_t batch : {0, 9}) {
    EXPECT_EQ(error_text([&] { interpreter.forward({at::zeros({batch, 3})}); }),
              "input x: has size " + std::to_string(batch) + " on axis 0\n  allowed here: Float[s0 (1 to 8), 3]");
  }
}

TEST(Interpreter, GradientsFlowThroughIt) {
  const Program program = parse_program(kMlp);
  const at::Tensor x = at::ones({2, 3}).set_requires_grad(true);
  Interpreter(program).forward({x}).at(0).sum().backward();
  const at::Tensor& w = *program.find_state("fc.weight");
  ASSERT_TRUE(w.grad().defined());
  const at::Tensor active = (at::ones({2, 3}).matmul(w.detach().t()) + program.find_state("fc.bias")->detach()).gt(0);
  const at::Tensor grad_output = active.to(at::kFloat) / 4;  // of relu and mean
  EXPECT_TRUE(w.grad().equal(grad_output.t().matmul(at::ones({2, 3}))));
  EXPECT_TRUE(x.grad().allclose(grad_output.matmul(w.detach())));
}

TEST(Interpreter, HooksSeeEachNodeWithItsOutputs) {
  const Program program = parse_program(R"(
input %x : f32[4]
[%a, %b] = aten.chunk.default(%x, 2) as %chunk
%c = aten.add.Tensor(%a, %b)
return %c
)");
  std::vector<std::string> seen;
  InterpreterOptions options;
  options.after_node = [&](const Node& node, std::span<const c10::IValue> outputs) {
    seen.push_back(node.name() + (outputs[0].isTensorList() ? " list" : " tensor"));
  };
  Interpreter(program, std::move(options)).forward({at::ones({4})});
  EXPECT_EQ(seen, (std::vector<std::string>{"chunk list", "c tensor"}));
}

TEST(Interpreter, HandlersStandInForOperators) {
  const Program program = parse_program("input %x : f32[2]\n%y : f32[2] = my.op.default(input=%x, by=3)\nreturn %y");
  InterpreterOptions options;
  options.handlers[OpId("my.op.default")] = [](const Node& node, std::vector<c10::IValue>& stack) {
    EXPECT_EQ(node.name(), "y");
    ASSERT_EQ(stack.size(), 2u);
    stack = {stack[0].toTensor() * stack[1].toInt()};
  };
  EXPECT_TRUE(Interpreter(program, std::move(options)).forward({at::ones({2})})[0].equal(at::full({2}, 3.0)));
}

TEST(Interpreter, FreesValuesAtTheirLastUse) {
  const Program program = parse_program(R"(
input %x : f32[2]
%a = aten.neg.default(%x)
%unused = aten.abs.default(%x)
%b = aten.relu.default(%a)
%c = aten.add.Tensor(%b, %b)
return %c
)");
  std::map<std::string, c10::weak_intrusive_ptr<c10::TensorImpl>> alive;
  std::vector<std::string> log;
  InterpreterOptions options;
  options.after_node = [&](const Node& node, std::span<const c10::IValue> outputs) {
    for (const auto& [name, weak] : alive) {
      if (!weak.expired()) log.push_back(node.name() + " sees " + name);
    }
    alive.emplace(node.name(), outputs[0].toTensor().getIntrusivePtr());
  };
  const at::NoGradGuard no_grad;
  Interpreter(program, std::move(options)).forward({at::ones({2})});
  // %a is handed to relu and gone after it; %unused never lives; %c reads %b twice, so it lives until %c is done.
  EXPECT_EQ(log, (std::vector<std::string>{"unused sees a", "c sees b"}));
}

TEST(Interpreter, UpdatesMutatedBuffers) {
  const Program program = parse_program(R"(
buffer %count : i64[] = "count"
input %x : f32[2]
%add = aten.add.Tensor(%count, 1)
%y = aten.mul.Tensor(%x, %add)
return buffer_mutation("count") %add, %y
)");
  Interpreter interpreter(program);
  EXPECT_EQ(interpreter.forward({at::ones({2})}).size(), 1u);
  EXPECT_TRUE(interpreter.forward({at::ones({2})})[0].equal(at::full({2}, 2.0)));
  EXPECT_EQ(program.find_state("count")->item<int64_t>(), 2);
}

TEST(Interpreter, ScalarsFollowPython) {
  const Program program = parse_program(R"(
range s0 1..64 example 4
input %x : f32[s0, 6]
%n = aten.sym_size.int(%x, 0)
%half : int(FloorDiv(s0, 2)) = _operator.floordiv(%n, 2)
%ratio : float = _operator.truediv(%n, 4)
%y : f32[s0, 6] = aten.mul.Tensor(%x, %ratio)
%z : f32[FloorDiv(s0, 2), 6] = aten.slice.Tensor(%y, 0, 0, %half)
%flat : f32[6*FloorDiv(s0, 2)] = aten.view.default(%z, [-1])
return %flat, %half
)");
  const auto outputs = Interpreter(program).run({at::ones({7, 6})});
  EXPECT_TRUE(outputs[0].toTensor().equal(at::full({18}, 1.75)));
  EXPECT_EQ(outputs[1].toInt(), 3);
}

TEST(Interpreter, ErrorsNameTheNode) {
  const Program failing =
      parse_program("input %x : f32[2, 3]\n%y : f32[2, 2] = aten.mm.default(%x, %x) @ head\nreturn %y");
  const std::string error = error_text([&] { Interpreter(failing).forward({at::ones({2, 3})}); });
  EXPECT_EQ(error.substr(0, 60), "head (%y, aten.mm.default): mat1 and mat2 shapes cannot be m");
  const auto at_construction = [](const std::string& call) {
    const Program program = parse_program("input %x : f32[2]\n%y : f32[2] = " + call + "\nreturn %y");
    return error_text([&] { const Interpreter interpreter(program); });
  };
  EXPECT_EQ(at_construction("no.such.op(%x)"),
            "%y (no.such.op): operator no.such.op is not known to this process\n  to go on: load the library that "
            "registers it");
  EXPECT_EQ(at_construction("aten.relu.default()"), "%y (aten.relu.default): argument \"self\" is missing");
  EXPECT_EQ(at_construction("aten.relu.default(%x, colour=1)"), "%y (aten.relu.default): has no argument \"colour\"");
  EXPECT_EQ(
      at_construction("aten.mul.Tensor(%x, opaque(\"{}\"))"),
      "%y (aten.mul.Tensor): argument \"other\": an argument of a kind that cannot be run (complex or nested list)");
}

TEST(Interpreter, WritesMutatedInputsBackAndReturnsTheRest) {
  const Program program = parse_program(R"(
input %x : f32[2]
input %y : f32[2]
%sum = aten.add.Tensor(%x, %y)
%product = aten.mul.Tensor(%sum, 2)
return user_input_mutation("y") %sum, %product
)");
  const at::Tensor y = at::ones({2});
  const std::vector<at::Tensor> outputs = Interpreter(program).forward({at::ones({2}), y});
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_TRUE(outputs[0].equal(at::full({2}, 4.0)));
  EXPECT_TRUE(y.equal(at::full({2}, 2.0)));
}

TEST(Interpreter, AMutationOfNothingIsAnError) {
  const Program program = parse_program("input %x : f32[2]\nreturn buffer_mutation(\"ghost\") %x");
  EXPECT_EQ(error_text([&] { const Interpreter interpreter(program); }),
            "outputs: the program writes to \"ghost\", which it does not hold");
  const Program input =
      parse_program("input %x : f32[2]\n%y = aten.neg.default(%x)\nreturn user_input_mutation(\"y\") %y");
  EXPECT_EQ(error_text([&] { const Interpreter interpreter(input); }),
            "outputs: the program writes to \"y\", which is no tensor among its inputs");
}

TEST(Interpreter, ASignatureThatDoesNotFitTheGraphIsAnError) {
  Program program = parse_program("input %x : f32[2]\nreturn %x");
  program.output_specs().emplace_back();
  EXPECT_EQ(error_text([&] { const Interpreter interpreter(program); }), "signature: 2 output specs for 1 outputs");
  program.input_specs().clear();
  EXPECT_EQ(error_text([&] { const Interpreter interpreter(program); }), "signature: 0 input specs for 1 inputs");
}

TEST(Interpreter, WrongKindsOfValuesAreErrors) {
  const auto error = [](const std::string& call) {
    const Program program = parse_program("input %x : f32[2]\ninput %n : int\n%y : f32[2] = " + call + "\nreturn %y");
    return error_text([&] { Interpreter(program).run({at::ones({2}), 3}); });
  };
  EXPECT_EQ(error("aten.cat.default(tensors[%n])").substr(0, 23), "%y (aten.cat.default): ");
}

TEST(Interpreter, ADivisionByZeroNamesTheNode) {
  const Program program = parse_program(
      "range s0 0..8 example 2\ninput %x : f32[s0]\n%n = aten.sym_size.int(%x, 0)\n%q : int = _operator.floordiv(8, "
      "%n)\nreturn %q");
  EXPECT_EQ(error_text([&] { Interpreter(program).run({at::zeros({0})}); }),
            "%q (_operator.floordiv): integer division by zero");
}

TEST(Interpreter, ForwardIsForTensors) {
  const Program program = parse_program("input %x : f32[2]\nreturn 3");
  EXPECT_EQ(error_text([&] { Interpreter(program).forward({at::ones({2})}); }),
            "outputs: the program returns something else than tensors");
  EXPECT_EQ(Interpreter(program).run({at::ones({2})})[0].toInt(), 3);
}

}  // namespace
}  // namespace torquant
