// The text form of graphs: what is read prints, and the print reads back as the same program.
#include <fmt/format.h>

#include "tests/fuzz/input.h"
#include "torquant/core/error.h"
#include "torquant/graph/text.h"
#include "torquant/graph/verifier.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace torquant;
  std::string first;
  try {
    const Program program = parse_program(fuzz::as_text(data, size));
    first = to_text(program);
    verify(program);
  } catch (const Error&) {
    if (first.empty()) return 0;
  }
  try {
    const std::string second = to_text(parse_program(first));
    fuzz::expect_that(second == first, "the print reads back as another program:\n" + first + "then\n" + second);
  } catch (const Error& error) {
    fuzz::expect_that(false, fmt::format("the print does not read back: {}\n{}", error.what(), first));
  }
  return 0;
}
