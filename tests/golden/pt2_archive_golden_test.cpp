// Every archive of the golden data: read, written and read again it says the same; and it gives Python's outputs.
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "graph_case.h"
#include "tests/support/temp_folder.h"
#include "torquant/core/error.h"
#include "torquant/graph/interpreter.h"
#include "torquant/io/pt2.h"
#include "torquant/io/zip_archive.h"

namespace torquant::golden {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> all_archives() {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(directory())) {
    if (entry.path().extension() == ".pt2" && !entry.is_symlink()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

nlohmann::json json_record(const ZipArchive& zip, const std::string& record) {
  return nlohmann::json::parse(zip.bytes(record));
}

// What differs between two archives; nothing when they say the same. Payload records may be numbered differently.
std::string archive_difference(const fs::path& first, const fs::path& second) {
  const ZipArchive a = ZipArchive::open_below_root(first);
  const ZipArchive b = ZipArchive::open_below_root(second);
  for (const std::string& record : a.names()) {
    if (record.starts_with(".data/") || record == "byteorder" || record.starts_with("data/weights/weight_") ||
        record.starts_with("data/constants/tensor_")) {
      continue;
    }
    if (!b.contains(record)) return record + " is missing";
    if (!record.ends_with(".json")) {
      if (a.bytes(record) != b.bytes(record)) return record + " differs";
      continue;
    }
    auto x = json_record(a, record);
    auto y = json_record(b, record);
    if (x.contains("config")) {
      const std::string folder = record.substr(0, record.rfind('/') + 1);
      for (const auto& [name, entry] : x["config"].items()) {
        if (!y["config"].contains(name)) return record + ": " + name + " is missing";
        if (a.bytes(folder + entry["path_name"].get<std::string>()) !=
            b.bytes(folder + y["config"][name]["path_name"].get<std::string>())) {
          return record + ": the bytes of " + name + " differ";
        }
        entry.erase("path_name");
        y["config"][name].erase("path_name");
      }
    }
    if (x != y) return record + ": " + nlohmann::json::diff(x, y).dump().substr(0, 400);
  }
  return "";
}

TEST(Pt2Archive, RoundTripLosesNothing) {
  if (const auto reason = reason_to_skip("", "")) GTEST_SKIP() << *reason;
  const TempFolder folder;
  const std::string copy = folder.path("copy.pt2");
  Summary summary{.family = "pt2 archives, round trip"};
  for (const fs::path& path : all_archives()) {
    ++summary.cases;
    std::string difference;
    try {
      save_pt2(load_pt2(path), copy);
      difference = archive_difference(path, copy);
      if (difference.empty()) difference = archive_difference(copy, path);
    } catch (const Error& error) {
      difference = error.what();
    }
    ++(difference.empty() ? summary.equal : summary.differ);
    EXPECT_EQ(difference, "") << path;
  }
  report(summary);
}

// The outputs of `archive` on the case's test inputs against the named tensors of the case.
void expect_outputs(const GraphCase& golden, const std::string& archive, const std::string& expected,
                    Summary& summary) {
  ++summary.cases;
  const at::NoGradGuard no_grad;
  std::string difference;
  try {
    const Program program = load_pt2(golden.file(archive));
    const std::vector<at::Tensor> outputs = Interpreter(program).forward(golden.tensors("test"));
    const std::vector<at::Tensor> wanted = golden.tensors(expected);
    if (outputs.size() != wanted.size()) difference = fmt::format("{} outputs, not {}", outputs.size(), wanted.size());
    for (size_t i = 0; i < wanted.size() && difference.empty(); ++i) {
      difference = golden::difference(outputs[i], wanted[i]).value_or("");
    }
  } catch (const Error& error) {
    difference = error.what();
  }
  ++(difference.empty() ? summary.equal : summary.differ);
  EXPECT_EQ(difference, "") << golden.name() << " " << archive;
}

TEST(Pt2Archive, GivesPythonsOutputs) {
  if (const auto reason = reason_to_skip("pt2e", "")) GTEST_SKIP() << *reason;
  at::set_num_threads(1);  // as the golden data was made: sums may be ordered otherwise with more
  Summary floats{.family = "pt2 archives, float outputs"};
  Summary converted{.family = "pt2 archives, converted outputs"};
  for (const GraphCase& golden : graph_cases("pt2e")) {
    if (golden.has("float_output") || golden.has("float_output.0")) {
      expect_outputs(golden, "float.pt2", "float_output", floats);
    }
    if (golden.json().contains("converted_file")) {
      expect_outputs(golden, "converted.pt2", "converted_output", converted);
    }
  }
  report(floats);
  report(converted);
}

}  // namespace
}  // namespace torquant::golden
