// .pt2 archives, byte by byte: the zip container and what kind of archive it is.
#include "tests/fuzz/input.h"
#include "tests/fuzz/pt2_promises.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const torquant::fuzz::InputFile file(torquant::fuzz::as_text(data, size));
  torquant::fuzz::check_pt2(file.path());
  return 0;
}
