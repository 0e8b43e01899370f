// .pt2 archives below the container: JSON records, graph, signature, tensors (records.h).
#include "tests/fuzz/input.h"
#include "tests/fuzz/pt2_promises.h"
#include "tests/fuzz/records.h"
#include "tests/support/zip_file.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace torquant;
  std::vector<zip_file::Entry> entries;
  for (const auto& [name, bytes] : fuzz::split_records(fuzz::as_text(data, size))) {
    entries.push_back(zip_file::stored("fuzz/" + name, bytes));
  }
  const fuzz::InputFile file(zip_file::zip_of(entries));
  fuzz::check_pt2(file.path());
  return 0;
}
