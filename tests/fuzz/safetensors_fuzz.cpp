// Safetensors files, as tensors and as data.
#include <ATen/core/Tensor.h>

#include "tests/fuzz/input.h"
#include "torquant/core/error.h"
#include "torquant/data/safetensors_dataset.h"
#include "torquant/io/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace torquant;
  const fuzz::InputFile file(fuzz::as_text(data, size));
  try {
    const SafetensorsFile tensors = SafetensorsFile::open(file.path());
    size_t bytes = 0;
    for (const std::string& name : tensors.names()) bytes += tensors.tensor(name).nbytes();
    fuzz::expect_that(bytes <= size, "tensors share bytes");
    const auto dataset = open_safetensors_dataset(file.path());
    load_batch(*dataset, 0, 3);
  } catch (const Error&) {
  }
  return 0;
}
