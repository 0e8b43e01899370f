// JPEG and PNG files.
#include "tests/fuzz/input.h"
#include "torquant/core/error.h"
#include "torquant/data/image.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace torquant;
  try {
    const at::Tensor image = decode_image("image", fuzz::as_text(data, size));
    fuzz::expect_that(image.dim() == 3 && image.numel() > 0 && (image.size(2) == 1 || image.size(2) == 3),
                      "an image is [H, W, 1 or 3]");
  } catch (const Error&) {
  }
  return 0;
}
