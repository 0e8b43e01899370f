#pragma once

#include <ATen/ops/empty_like.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/error_text.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_qdq.h"
#include "torquant/format/tqm_file.h"
#include "torquant/lower/runtime.h"
#include "torquant/runtime/session.h"

// A program with quantize and dequantize nodes, and what the runtime makes of it.
namespace torquant {

using Ints = std::vector<int64_t>;

class RuntimeProgram : public testing::Test {
 protected:
  Value* conv(Value* x, const std::string& name, int64_t out, const Ints& kernel,
              std::vector<NamedArgument> more = {}) {
    const int64_t in = std::get<int64_t>(x->tensor().sizes[1]);
    std::vector<NamedArgument> args = {{"input", x},
                                       {"weight", int8_weight(net, name, {out, in, kernel[0], kernel[1]})},
                                       {"bias", net.parameter(name + ".bias", {out})}};
    args.insert(args.end(), more.begin(), more.end());
    return net.op("aten.conv2d.default", std::move(args), name);
  }
  Value* unary(const std::string& op, Value* x) { return net.op("aten." + op + ".default", {{"self", x}}); }

  // What the runtime gives for the program that returns `output`.
  at::Tensor run(const Program& program) {
    const RuntimeModel lowered = lower_to_runtime(program.clone(), "a test");
    model = lowered.model;
    const Result<std::string> bytes = format::write_tqm(lowered.model);
    EXPECT_TRUE(bytes.ok()) << (bytes.ok() ? "" : bytes.error().what);
    std::ofstream(folder.path("m.tqm"), std::ios::binary)
        .write(bytes->data(), static_cast<std::streamsize>(bytes->size()));
    const auto loaded = runtime::LoadedModel::load(folder.path("m.tqm"));
    EXPECT_TRUE(loaded.ok()) << (loaded.ok() ? "" : loaded.error().what);
    std::vector<at::Tensor> examples;
    std::vector<const void*> inputs;
    for (const at::Tensor& example : net.examples()) {
      examples.push_back(example.contiguous());
      inputs.push_back(examples.back().const_data_ptr());
    }
    const auto session = runtime::Session::make(*loaded, static_cast<size_t>(examples[0].size(0)), 2);
    at::Tensor output = at::empty_like(outputs_of(program, net.examples())[0], at::MemoryFormat::Contiguous);
    float* outputs[] = {output.mutable_data_ptr<float>()};
    EXPECT_TRUE((*session)->run(inputs, outputs).ok());
    return output;
  }

  // No code differs by more than one step of `grid` from what the converted program gives.
  void expect_one_step(Value* output, const Grid& grid) {
    const Program program = net.returns({output});
    const at::Tensor expected = outputs_of(program, net.examples())[0];
    EXPECT_LE(run(program).sub(expected).abs().max().item<double>(), 1.001 * grid.scale);
  }

  std::string refusal(Value* output) {
    return error_text([&] { (void)lower_to_runtime(net.returns({output}), "a test"); });
  }

  TestProgram net;
  TempFolder folder;
  format::Model model;
};

}  // namespace torquant
