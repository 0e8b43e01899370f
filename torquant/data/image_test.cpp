#include "torquant/data/image.h"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/test_images.h"

namespace torquant {
namespace {

TEST(Image, TheKindIsToldByTheFirstBytes) {
  EXPECT_EQ(decode_image("a", test_image("rgb.png")).sizes(), at::IntArrayRef({13, 18, 3}));
  EXPECT_EQ(decode_image("a", test_image("grey_scale.jpg")).sizes(), at::IntArrayRef({13, 18, 1}));
}

TEST(Image, RefusesOtherKinds) {
  EXPECT_EQ(error_text([] { decode_image("a.jpg", "GIF89a"); }),
            "a.jpg: holds another kind of data than its name says\n  allowed here: JPEG or PNG");
  EXPECT_EQ(error_text([] { decode_image("a.jpg", ""); }), "a.jpg: is empty\n  allowed here: JPEG or PNG");
}

TEST(Image, GreyIsTheLumaOfItsColours) {
  const at::Tensor image = at::tensor({255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255}, at::kByte).reshape({1, 4, 3});
  // 0.299, 0.587 and 0.114 of 255: 76.2, 149.7, 29.1
  EXPECT_TRUE(with_channels(image, 1).flatten().equal(at::tensor({255, 76, 150, 29}, at::kByte)));
  EXPECT_TRUE(with_channels(image, 3).equal(image));
}

TEST(Image, GreyBecomesThreeEqualChannels) {
  EXPECT_TRUE(with_channels(at::full({2, 2, 1}, 7, at::kByte), 3).equal(at::full({2, 2, 3}, 7, at::kByte)));
}

TEST(Image, RefusesMoreThanCanBeDecoded) {
  EXPECT_EQ(error_text([] { check_image_size("a", 8192, 8192); }), "");
  EXPECT_EQ(error_text([] { check_image_size("a", 8192, 8193); }),
            "a: an image of 8193 x 8192 pixels\n  allowed here: 1 to 67108864 pixels");
  EXPECT_EQ(error_text([] { check_image_size("a", 0, 5); }),
            "a: an image of 5 x 0 pixels\n  allowed here: 1 to 67108864 pixels");
}

}  // namespace
}  // namespace torquant
