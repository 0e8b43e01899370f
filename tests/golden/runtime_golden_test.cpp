// The runtime against the quantized program, node by node, on the convolutional nets of pt2e_nets: at most one step.
#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "golden.h"
#include "random_inputs.h"
#include "torquant/core/error.h"
#include "torquant/explain/compare_stages.h"
#include "torquant/graph/ops.h"
#include "torquant/io/pt2.h"
#include "torquant/lower/runtime.h"
#include "torquant/pt2e/convert.h"
#include "torquant/quantizer/torquant_quantizer.h"

namespace torquant::golden {
namespace {

bool has_convolutions(const Program& program) {
  return std::any_of(program.graph().begin(), program.graph().end(),
                     [](const Node& node) { return ops::is_conv(node.op()) || ops::is_conv_transpose(node.op()); });
}

// A network whose outputs are images, or rows, of the batch that goes in.
bool keeps_the_batch(const Program& program) {
  const Dim batch = program.user_inputs()[0]->tensor().sizes[0];
  const std::vector<Argument> outputs = program.graph().outputs();
  return std::all_of(outputs.begin(), outputs.end(), [&](const Argument& output) {
    const Value* value = value_of(output);
    return value != nullptr && value->tensor().sizes[0] == batch;
  });
}

Program quantized(Program program) {
  const at::NoGradGuard no_grad;
  TorquantQuantizer quantizer;
  quantizer.set_global(get_default_torquant_quantization_config());
  PreparedProgram prepared = prepare_pt2e(std::move(program), quantizer);
  for (int sample = 0; sample < 4; ++sample) prepared.run(random_inputs(prepared.program()));
  return convert_pt2e(std::move(prepared)).program;
}

// The first node that is more than a step off, or is not compared; "" where there is none.
std::string fault_of(const Program& program) {
  std::vector<at::Tensor> inputs;
  for (const c10::IValue& input : random_inputs(program)) inputs.push_back(input.toTensor());
  const RuntimeModel lowered = lower_to_runtime(program.clone(), "a golden net");
  const std::vector<Stage> stages = compare_stages(program, lowered.model, inputs);
  std::vector<bool> is_compared(stages.size(), false);
  for (size_t i = 0; i < stages.size(); ++i) {
    if (!stages[i].holds()) return stages[i].node + " (" + stages[i].operation + ") is off";
    if (!stages[i].alone) continue;
    is_compared[i] = true;
    for (const size_t other : stages[i].with) is_compared[other] = true;
  }
  const auto missing = std::find(is_compared.begin(), is_compared.end(), false) - is_compared.begin();
  return static_cast<size_t>(missing) == stages.size() ? "" : stages[static_cast<size_t>(missing)].node + ": no value";
}

TEST(Runtime, IsTheQuantizedProgramToAStep) {
  if (const auto reason = reason_to_skip("pt2e_nets", "")) GTEST_SKIP() << *reason;
  at::manual_seed(5);
  Summary summary{.family = "runtime, convolutional nets"};
  for (const auto& entry : std::filesystem::directory_iterator(directory() / "pt2e_nets")) {
    if (entry.path().extension() != ".pt2") continue;
    Program program = load_pt2(entry.path().string());
    if (!has_convolutions(program)) continue;
    ++summary.cases;
    if (!keeps_the_batch(program)) {
      ++summary.intended["the net mixes the images of a batch, which the runtime keeps apart"];
      continue;
    }
    std::string fault;
    try {
      fault = fault_of(quantized(std::move(program)));
    } catch (const Error& error) {
      fault = error.what();
    }
    ++(fault.empty() ? summary.equal : summary.differ);
    EXPECT_EQ(fault, "") << entry.path().filename();
  }
  EXPECT_GT(summary.equal, 0u);
  report(summary);
}

}  // namespace
}  // namespace torquant::golden
