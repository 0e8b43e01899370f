// IDX files, plain and gzipped, as images and as labels.
#include "tests/fuzz/input.h"
#include "torquant/core/error.h"
#include "torquant/data/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace torquant;
  const fuzz::InputFile file(fuzz::as_text(data, size));
  try {
    read_idx(file.path());
    const auto dataset = open_idx(file.path(), "");
    load_batch(*dataset, 0, 3);
  } catch (const Error&) {
  }
  return 0;
}
