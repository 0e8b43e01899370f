// Nets exported the default way (strict=False) are quantized to the same integers as their strict twins, by each
// quantizer. (torchao's Inductor quantizers stop on most of them: they match on notes that only strict export makes.)
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "graph_case.h"
#include "graph_listing.h"
#include "torquant/core/error.h"
#include "torquant/io/pt2.h"
#include "torquant/pt2e/convert.h"
#include "torquant/quantizer/arm_inductor_quantizer.h"
#include "torquant/quantizer/torquant_quantizer.h"
#include "torquant/quantizer/x86_inductor_quantizer.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant::golden {
namespace {

namespace fs = std::filesystem;

struct NamedQuantizer {
  const char* name;
  std::unique_ptr<Quantizer> quantizer;
};

std::vector<NamedQuantizer> quantizers() {
  auto xnnpack = std::make_unique<XNNPACKQuantizer>();
  xnnpack->set_global(get_symmetric_quantization_config({.is_per_channel = true}));
  auto x86 = std::make_unique<X86InductorQuantizer>();
  x86->set_global(get_default_x86_inductor_quantization_config());
  auto arm = std::make_unique<ArmInductorQuantizer>();
  arm->set_global(get_default_arm_inductor_quantization_config());
  auto xnnpack_dynamic = std::make_unique<XNNPACKQuantizer>();
  xnnpack_dynamic->set_global(get_symmetric_quantization_config({.is_per_channel = true, .is_dynamic = true}));
  auto x86_dynamic = std::make_unique<X86InductorQuantizer>();
  x86_dynamic->set_global(get_default_x86_inductor_quantization_config({.is_dynamic = true}));
  auto torquant_dynamic = std::make_unique<TorquantQuantizer>();
  torquant_dynamic->set_global(get_default_torquant_quantization_config({.is_dynamic = true}));
  std::vector<NamedQuantizer> all;
  all.push_back({"XNNPACK", std::move(xnnpack)});
  all.push_back({"X86Inductor", std::move(x86)});
  all.push_back({"ArmInductor", std::move(arm)});
  all.push_back({"XNNPACK, dynamic", std::move(xnnpack_dynamic)});
  all.push_back({"X86Inductor, dynamic", std::move(x86_dynamic)});
  all.push_back({"Torquant, dynamic", std::move(torquant_dynamic)});
  return all;
}

// The listing of the converted program; nothing when the quantizer finds nothing in the net.
std::optional<Listing> quantized(const std::string& archive, const GraphCase& data, Quantizer& quantizer) {
  std::optional<PreparedProgram> prepared;
  try {
    prepared = prepare_pt2e(load_pt2(archive), quantizer);
  } catch (const Error& error) {
    if (std::string(error.what()).find("annotated none of the program's") != std::string::npos) return std::nullopt;
    throw;
  }
  for (int i = 0; i < 3; ++i) prepared->forward(data.tensors(fmt::format("calibration.{}", i)));
  return listing_of(convert_pt2e(std::move(*prepared)).program);
}

TEST(Pt2eDefaultExport, GivesTheIntegersOfTheStrictTwin) {
  if (const auto reason = reason_to_skip("pt2e_default_export", "")) GTEST_SKIP() << *reason;
  at::set_num_threads(1);
  std::map<std::string, GraphCase> data;  // of each net, any case: they share seeds
  for (GraphCase& golden : graph_cases("pt2e")) {
    const std::string net = golden.json()["net"];
    data.emplace(net, std::move(golden));
  }
  Summary summary{.family = "pt2e_default_export"};
  for (const auto& entry : fs::directory_iterator(directory() / "pt2e_default_export")) {
    const std::string net = entry.path().stem();
    for (const NamedQuantizer& each : quantizers()) {
      ++summary.cases;
      std::string difference;
      try {
        const auto ours = quantized(entry.path(), data.at(net), *each.quantizer);
        const auto twin = quantized(directory() / "pt2e_nets" / (net + ".pt2"), data.at(net), *each.quantizer);
        if (ours.has_value() != twin.has_value()) {
          difference = "only one of the two is quantized";
        } else if (ours) {
          difference = listing_difference(*ours, *twin);
        }
      } catch (const std::exception& error) {
        difference = error.what();
      }
      ++(difference.empty() ? summary.equal : summary.differ);
      EXPECT_EQ(difference, "") << net << ", " << each.name;
    }
  }
  report(summary);
}

}  // namespace
}  // namespace torquant::golden
