// NumPy arrays.
#include <ATen/core/Tensor.h>

#include "tests/fuzz/input.h"
#include "torquant/core/error.h"
#include "torquant/data/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace torquant;
  const fuzz::InputFile file(fuzz::as_text(data, size));
  try {
    fuzz::expect_that(read_npy(file.path()).nbytes() <= size, "more values than the file holds");
  } catch (const Error&) {
  }
  return 0;
}
