// Prepared programs below the container of their archive (records.h): nodes that observe, settings and states of
// observers. What loads is saved and read back as the same program with the same observers, and converted.
#include <fmt/format.h>

#include "tests/fuzz/input.h"
#include "tests/fuzz/records.h"
#include "torquant/core/error.h"
#include "torquant/graph/text.h"
#include "torquant/io/pt2.h"
#include "torquant/pt2e/convert.h"
#include "torquant/pt2e/prepared_io.h"

namespace torquant::fuzz {
namespace {

std::string describe(const PreparedProgram& prepared) {
  std::string text = to_text(prepared.program());
  for (const PlacedObserver& placed : prepared.observers()) {
    text +=
        fmt::format("{} of {}: {}\n", to_string(placed.spec), to_string(placed.options), placed.observer->to_string());
  }
  return text;
}

void convert(PreparedProgram prepared) {
  const OutputFile written;
  try {
    save_pt2(convert_pt2e(std::move(prepared)).program, written.path());
  } catch (const Error&) {
  }
}

void check_prepared(const std::string& path) {
  const OutputFile written;
  std::string first;
  try {
    const PreparedProgram prepared = load_prepared(path);
    first = describe(prepared);
    save_prepared(prepared, written.path());
  } catch (const Error&) {
    return;
  }
  try {
    PreparedProgram again = load_prepared(written.path());
    const std::string second = describe(again);
    expect_that(second == first, "load, save, load gives another prepared program:\n" + first + "then\n" + second);
    convert(std::move(again));
  } catch (const Error& error) {
    expect_that(false, fmt::format("what was saved does not load: {}", error.what()));
  }
}

}  // namespace
}  // namespace torquant::fuzz

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace torquant;
  const fuzz::InputFile file(fuzz::archive_of(fuzz::split_records(fuzz::as_text(data, size))));
  fuzz::check_prepared(file.path());
  return 0;
}
