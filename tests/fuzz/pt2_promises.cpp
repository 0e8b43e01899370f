#include "tests/fuzz/pt2_promises.h"

#include <fmt/format.h>

#include "tests/fuzz/input.h"
#include "torquant/core/error.h"
#include "torquant/graph/text.h"
#include "torquant/io/pt2.h"

namespace torquant::fuzz {
namespace {

Program load(const std::string& path) { return load_pt2(path, {.allow_unknown_operators = true}); }

}  // namespace

void check_pt2(const std::string& path) {
  const OutputFile written;
  std::string first;
  try {
    const Program program = load(path);
    first = to_text(program);
    save_pt2(program, written.path());
  } catch (const Error&) {
    return;
  }
  try {
    const std::string second = to_text(load(written.path()));
    expect_that(second == first, "load, save, load gives another program:\n" + first + "then\n" + second);
  } catch (const Error& error) {
    expect_that(false, fmt::format("what was saved does not load: {}", error.what()));
  }
}

}  // namespace torquant::fuzz
