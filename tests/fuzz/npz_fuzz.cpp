// Archives of NumPy arrays, as data.
#include "tests/fuzz/input.h"
#include "torquant/core/error.h"
#include "torquant/data/npz.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace torquant;
  const fuzz::InputFile file(fuzz::as_text(data, size));
  try {
    const auto dataset = open_npz(file.path());
    load_batch(*dataset, 0, 3);
    dataset->sample(dataset->size() - 1);
  } catch (const Error&) {
  }
  return 0;
}
