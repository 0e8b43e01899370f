#include "torquant/pt2e/prepared_io.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/temp_folder.h"
#include "torquant/core/error.h"
#include "torquant/graph/ops.h"
#include "torquant/io/pt2.h"
#include "torquant/pt2e/convert.h"
#include "torquant/quantizer/torquant_quantizer.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant {
namespace {

// linear → relu on [batch, 4].
Program small_program() {
  Program program;
  Graph& graph = program.graph();
  Value* weight = program.add_parameter("fc.weight", at::randn({3, 4}));
  Value* x = graph.add_input("x", contiguous_meta(at::kFloat, {int64_t{2}, int64_t{4}}));
  program.input_specs().push_back({.kind = InputKind::kUser});
  const ValueMeta meta = contiguous_meta(at::kFloat, {int64_t{2}, int64_t{3}});
  Node* linear = graph.append(ops::kLinear, "linear", {{"input", x}, {"weight", weight}});
  Node* relu = graph.append(ops::kRelu, "relu", {{"self", graph.add_output(linear, "linear", meta)}});
  graph.set_outputs({graph.add_output(relu, "relu", meta)});
  program.output_specs().push_back({});
  return program;
}

class PreparedIo : public testing::Test {
 protected:
  static PreparedProgram prepare(Program program) {
    XNNPACKQuantizer quantizer;
    quantizer.set_global(get_symmetric_quantization_config());
    return prepare_pt2e(std::move(program), quantizer);
  }

  const TempFolder folder_;
  const std::string path_ = folder_.path("prepared.pt2");
};

TEST_F(PreparedIo, DynamicPlacesAreKept) {
  TorquantQuantizer quantizer;
  quantizer.set_global(get_default_torquant_quantization_config({.is_dynamic = true}));
  PreparedProgram prepared = prepare_pt2e(small_program(), quantizer);
  save_prepared(prepared, path_);
  const Program expected = convert_pt2e(std::move(prepared)).program;
  const Program actual = convert_pt2e(load_prepared(path_)).program;
  const std::vector<at::Tensor> x = {at::randn({2, 4})};
  EXPECT_TRUE(at::equal(Interpreter(actual).forward(x)[0], Interpreter(expected).forward(x)[0]));
  EXPECT_NE(actual.graph().find_node("quantize_per_token"), nullptr);
}

TEST_F(PreparedIo, CalibrationGoesOnWhereItStopped) {
  const std::vector<at::Tensor> first = {at::randn({2, 4})};
  const std::vector<at::Tensor> second = {at::randn({2, 4}) * 3};
  Program program = small_program();
  PreparedProgram whole = prepare(program.clone());
  whole.forward(first);
  whole.forward(second);

  PreparedProgram part = prepare(std::move(program));
  part.forward(first);
  save_prepared(part, path_);
  PreparedProgram resumed = load_prepared(path_);
  resumed.forward(second);

  EXPECT_EQ(resumed.report().quantized_layers(), 1);
  const Program a = convert_pt2e(std::move(whole)).program;
  const Program b = convert_pt2e(std::move(resumed)).program;
  EXPECT_TRUE(at::equal(Interpreter(a).forward(first)[0], Interpreter(b).forward(first)[0]));
  EXPECT_TRUE(at::equal(Interpreter(a).forward(second)[0], Interpreter(b).forward(second)[0]));
}

TEST_F(PreparedIo, APreparedFileIsNoProgramAndAProgramIsNoPreparedFile) {
  save_prepared(prepare(small_program()), path_);
  try {
    load_pt2(path_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("is a prepared program"), std::string::npos) << error.what();
  }
  save_pt2(small_program(), path_);
  try {
    load_prepared(path_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("holds no prepared program"), std::string::npos) << error.what();
  }
}

TEST_F(PreparedIo, DamagedFilesAreRefused) {
  save_prepared(prepare(small_program()), path_);
  const std::string damaged = folder_.path("damaged.pt2");
  const auto problem_with = [&](const auto& damage) {
    Program program = load_pt2(path_, {.allow_unknown_operators = true});
    damage(program);
    save_pt2(program, damaged);
    return error_text([&] { load_prepared(damaged); });
  };
  const auto settings = [&](const std::string& from, const std::string& to) {
    return problem_with([&](Program& program) {
      std::string& json = program.remainder().extra_files.at(0).second;
      json.replace(json.find(from), from.size(), to);
    });
  };
  const std::string where = damaged + ": torquant_prepared.json: ";
  EXPECT_EQ(problem_with([](Program&) {}), "");
  for (const Argument& index : std::vector<Argument>{int64_t{-1}, int64_t{1000}, 0.0}) {
    const std::string problem = problem_with([&](Program& program) {
      for (Node& node : program.graph()) {
        if (node.op() == ops::kObserve) node.set_arg("observer", index);
      }
    });
    EXPECT_NE(problem.find("names no observer of the file"), std::string::npos);
  }
  EXPECT_EQ(settings("\"version\":1", "\"version\":2"), where + "version 2\n  allowed here: 1");
  EXPECT_EQ(settings("\"observers\":[", "\"observers\":[{},"), where + "observer 0: \"spec\" is missing in {}");
  EXPECT_EQ(settings("{\"options\"", "{\"derived_from\":[0,-1],\"options\""),
            where + "observer 0: is derived from observer -1\n  allowed here: 0 to 2");
  EXPECT_EQ(problem_with([](Program& program) { program.erase_states({"torquant.observer.0.histogram"}); }),
            where + "observer 0: HistogramObserver: the saved state has no histogram; it has: eps, max_val, min_val");
  EXPECT_EQ(problem_with([](Program& program) {
              program.rename_state("fc.weight", "torquant.observer.0.w");
              for (InputSpec& spec : program.input_specs()) {
                if (spec.target == "fc.weight") spec.target = "torquant.observer.0.w";
              }
            }),
            where + "observer 0: its state \"torquant.observer.0.w\" is a weight of the program");
}

}  // namespace
}  // namespace torquant
