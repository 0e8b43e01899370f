// What holds for every converted program, tried on every net of pt2e_nets with five schemes: int8 weights alone in the
// state, one annotated reader a dequantize node, nothing that the verifier finds, the same bits after a round trip
// through a file.
#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>

#include "golden.h"
#include "random_inputs.h"
#include "tests/support/temp_folder.h"
#include "torquant/core/error.h"
#include "torquant/graph/ops.h"
#include "torquant/graph/verifier.h"
#include "torquant/io/pt2.h"
#include "torquant/pass/constant_values.h"
#include "torquant/pass/duplicate_dequantize.h"
#include "torquant/pt2e/convert.h"
#include "torquant/quantizer/torquant_quantizer.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant::golden {
namespace {

std::vector<at::Tensor> run(const Program& program, const std::vector<c10::IValue>& inputs) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> outputs;
  for (const c10::IValue& output : Interpreter(program).run(inputs)) outputs.push_back(output.toTensor());
  return outputs;
}

std::set<std::string> annotated_nodes(const Program& prepared) {
  std::set<std::string> names;
  for (const Node& node : prepared.graph()) {
    if (node.find_metadata(kAnnotatedKey) != nullptr) names.insert(node.name());
  }
  return names;
}

// The first property that does not hold; "" when all do.
std::string broken_property(const Program& converted, const std::set<std::string>& annotated) {
  const std::unordered_set<const Value*> constants = constant_values(converted);
  std::set<std::string> read;
  for (const Argument& input : converted.graph().inputs()) {
    const Value* value = value_of(input);
    if (converted.tensor_of(value) != nullptr && !value->users().empty()) {
      read.insert(converted.spec_of(value)->target);
    }
  }
  for (const StateTensor& entry : converted.state()) {
    if (!read.contains(entry.name)) return fmt::format("{} is in the state and nobody reads it", entry.name);
  }
  for (const Node& node : converted.graph()) {
    if (node.op() == ops::kObserve) return node.describe() + " is left";
    if (ops::is_quantize(node.op()) && constants.contains(node.input("input"))) {
      return node.describe() + " quantizes a constant at run time: its float copy is in the state";
    }
    const bool dynamic = node.op() == ops::kDequantizePerTensorDynamic || node.op() == ops::kDequantizePerToken;
    if (!ops::is_dequantize(node.op()) || dynamic) continue;
    const std::vector<Node*>& users = node.output()->users();
    const auto is_annotated = [&](const Node* user) { return annotated.contains(user->name()); };
    const auto count = std::count_if(users.begin(), users.end(), is_annotated);
    if (count > 1 || (count == 1 && users.size() > 1)) {
      return fmt::format("{} has {} readers, {} of them annotated", node.describe(), users.size(), count);
    }
  }
  return "";
}

struct Scheme {
  const char* name;
  std::shared_ptr<Quantizer> quantizer;
  bool dynamic = false;  // of some operators alone
  bool reference = false;
};

std::shared_ptr<Quantizer> xnnpack(const SymmetricConfigArgs& args) {
  auto quantizer = std::make_shared<XNNPACKQuantizer>();
  quantizer->set_global(get_symmetric_quantization_config(args));
  return quantizer;
}

std::shared_ptr<Quantizer> torquant_dynamic() {
  auto quantizer = std::make_shared<TorquantQuantizer>();
  quantizer->set_global(get_default_torquant_quantization_config({.is_dynamic = true}));
  return quantizer;
}

std::string try_net(const std::string& path, const Scheme& scheme) {
  PreparedProgram prepared = prepare_pt2e(load_pt2(path), *scheme.quantizer);
  const std::set<std::string> annotated = annotated_nodes(prepared.program());
  {
    const at::NoGradGuard no_grad;
    for (int batch = 0; batch < 2; ++batch) prepared.run(random_inputs(prepared.program()));
  }
  const ConvertedProgram converted =
      convert_pt2e(std::move(prepared), {.use_reference_representation = scheme.reference});
  if (const std::string broken = broken_property(converted.program, annotated); !broken.empty()) return broken;
  verify(converted.program);
  const TempFolder folder;
  const std::string file = folder.path("converted.pt2");
  save_pt2(converted.program, file);
  const Program again = load_pt2(file);
  const std::vector<c10::IValue> inputs = random_inputs(converted.program);
  const std::vector<at::Tensor> expected = run(converted.program, inputs);
  const std::vector<at::Tensor> actual = run(again, inputs);
  if (actual.size() != expected.size()) return "another number of outputs after save and load";
  for (size_t i = 0; i < expected.size(); ++i) {
    if (const auto found = difference(actual[i], expected[i])) return "after save and load: " + *found;
  }
  return "";
}

TEST(Pt2eNets, ConvertedProgramsHoldTheirProperties) {
  if (const auto reason = reason_to_skip("pt2e_nets", "")) GTEST_SKIP() << *reason;
  at::manual_seed(3);
  Summary summary{.family = "pt2e_nets"};
  const Scheme schemes[] = {{.name = "per tensor", .quantizer = xnnpack({})},
                            {.name = "per channel", .quantizer = xnnpack({.is_per_channel = true})},
                            {.name = "dynamic", .quantizer = xnnpack({.is_dynamic = true}), .dynamic = true},
                            {.name = "per token", .quantizer = torquant_dynamic(), .dynamic = true},
                            {.name = "reference", .quantizer = xnnpack({}), .reference = true}};
  for (const auto& entry : std::filesystem::directory_iterator(directory() / "pt2e_nets")) {
    if (entry.path().extension() != ".pt2") continue;
    for (const Scheme& scheme : schemes) {
      ++summary.cases;
      std::string broken;
      try {
        broken = try_net(entry.path().string(), scheme);
      } catch (const Error& error) {
        broken = error.what();
        if (scheme.dynamic && broken.find("annotated none of the program's") != std::string::npos) {
          ++summary.intended["the net has no layer that runs with dynamic scales, and an error says so"];
          continue;
        }
      }
      ++(broken.empty() ? summary.equal : summary.differ);
      EXPECT_EQ(broken, "") << entry.path().filename() << ", " << scheme.name;
    }
  }
  report(summary);
}

}  // namespace
}  // namespace torquant::golden
