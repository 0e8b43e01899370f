// Nets exported the default way (strict=False) are quantized to the same integers as their strict twins.
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "graph_case.h"
#include "graph_listing.h"
#include "torquant/core/error.h"
#include "torquant/io/pt2.h"
#include "torquant/pt2e/convert.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant::golden {
namespace {

namespace fs = std::filesystem;

Program quantized(const std::string& archive, const GraphCase& data) {
  XNNPACKQuantizer quantizer;
  quantizer.set_global(get_symmetric_quantization_config({.is_per_channel = true}));
  PreparedProgram prepared = prepare_pt2e(load_pt2(archive), quantizer);
  for (int i = 0; i < 3; ++i) prepared.forward(data.tensors(fmt::format("calibration.{}", i)));
  return convert_pt2e(std::move(prepared)).program;
}

TEST(Pt2eDefaultExport, GivesTheIntegersOfTheStrictTwin) {
  if (const auto reason = reason_to_skip("pt2e_default_export", "")) GTEST_SKIP() << *reason;
  at::set_num_threads(1);
  std::map<std::string, GraphCase> data;  // of each net, any case: they share seeds
  for (GraphCase& golden : graph_cases("pt2e")) {
    const std::string net = golden.json()["net"];
    if (!golden.error()) data.emplace(net, std::move(golden));
  }
  Summary summary{.family = "pt2e_default_export"};
  for (const auto& entry : fs::directory_iterator(directory() / "pt2e_default_export")) {
    const std::string net = entry.path().stem();
    ++summary.cases;
    std::string difference;
    try {
      const Listing ours = listing_of(quantized(entry.path(), data.at(net)));
      const Listing twin = listing_of(quantized(directory() / "pt2e_nets" / (net + ".pt2"), data.at(net)));
      difference = listing_difference(ours, twin);
    } catch (const std::exception& error) {
      difference = error.what();
    }
    ++(difference.empty() ? summary.equal : summary.differ);
    EXPECT_EQ(difference, "") << net;
  }
  report(summary);
}

}  // namespace
}  // namespace torquant::golden
