// Every archive of the golden data: its text reads back to the same text, and the verifier accepts it.
// TORQUANT_MODELS_DIR adds the archives below that folder.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "golden.h"
#include "torquant/core/error.h"
#include "torquant/graph/shape_rules.h"
#include "torquant/graph/text.h"
#include "torquant/graph/verifier.h"
#include "torquant/io/pt2.h"

namespace torquant::golden {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> all_archives() {
  std::vector<fs::path> roots = {directory()};
  if (const char* models = std::getenv("TORQUANT_MODELS_DIR")) roots.emplace_back(models);
  std::vector<fs::path> paths;
  for (const fs::path& root : roots) {
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      if (entry.path().extension() == ".pt2" && !entry.is_symlink()) paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// The first line in which two texts differ.
std::string difference(const std::string& a, const std::string& b) {
  const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (end.first == a.end() && end.second == b.end()) return "";
  const auto at = static_cast<size_t>(end.first - a.begin());
  const size_t start = a.rfind('\n', at == 0 ? 0 : at - 1) + 1;
  return a.substr(start, 300) + "\n  became\n" + b.substr(start, 300);
}

TEST(Text, OfEveryArchiveReadsBack) {
  if (const auto reason = reason_to_skip("", "")) GTEST_SKIP() << *reason;
  Summary summary{.family = "pt2 archives, text form"};
  for (const fs::path& path : all_archives()) {
    ++summary.cases;
    std::string problem;
    try {
      const std::string text = to_text(load_pt2(path));
      problem = difference(text, to_text(parse_program(text)));
    } catch (const Error& error) {
      problem = error.what();
    }
    ++(problem.empty() ? summary.equal : summary.differ);
    EXPECT_EQ(problem, "") << path;
  }
  report(summary);
}

TEST(Verifier, AcceptsEveryArchive) {
  if (const auto reason = reason_to_skip("", "")) GTEST_SKIP() << *reason;
  Summary summary{.family = "pt2 archives, verified"};
  size_t nodes = 0;
  size_t with_rule = 0;
  for (const fs::path& path : all_archives()) {
    ++summary.cases;
    std::string problem;
    try {
      const Program program = load_pt2(path);
      for (const Node& node : program.graph()) {
        ++nodes;
        with_rule += static_cast<size_t>(has_shape_rule(node.op()));
      }
      verify(program);
    } catch (const Error& error) {
      problem = error.what();
    }
    ++(problem.empty() ? summary.equal : summary.differ);
    EXPECT_EQ(problem, "") << path;
  }
  summary.note = std::to_string(with_rule) + " of " + std::to_string(nodes) + " nodes have a shape rule";
  report(summary);
}

}  // namespace
}  // namespace torquant::golden
