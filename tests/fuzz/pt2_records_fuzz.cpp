// .pt2 archives below the container: JSON records, graph, signature, tensors (records.h).
#include "tests/fuzz/input.h"
#include "tests/fuzz/pt2_promises.h"
#include "tests/fuzz/records.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace torquant;
  const fuzz::InputFile file(fuzz::archive_of(fuzz::split_records(fuzz::as_text(data, size))));
  fuzz::check_pt2(file.path());
  return 0;
}
