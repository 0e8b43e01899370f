#include "torquant/data/jpeg.h"

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/error_text.h"
#include "tests/support/test_images.h"

namespace torquant {
namespace {

using namespace std::string_literals;

// libjpeg-turbo's arithmetic is exact, but Pillow brings a build of its own: one level.
void expect_as_pillow(const std::string& name) {
  const at::Tensor image = decode_jpeg(name, test_image(name));
  const at::Tensor expected = expected_image(name);
  ASSERT_EQ(image.sizes(), expected.sizes()) << name;
  EXPECT_LE((image.to(at::kInt) - expected.to(at::kInt)).abs().max().item<int>(), 1) << name;
}

TEST(Jpeg, DecodesAsPillowDoes) {
  for (const char* name : {"420.jpg", "444.jpg", "progressive.jpg", "grey_scale.jpg", "cmyk.jpg"}) {
    expect_as_pillow(name);
  }
}

TEST(Jpeg, EveryOrientationIsTurnedUpright) {
  for (int orientation = 2; orientation <= 8; ++orientation) {
    expect_as_pillow("orientation" + std::to_string(orientation) + ".jpg");
  }
}

TEST(Jpeg, RefusesDamageThatCostsPixels) {
  const std::string whole = test_image("444.jpg");
  EXPECT_EQ(error_text([&] { decode_jpeg("a.jpg", whole.substr(0, whole.size() / 2 + 200)); }),
            "a.jpg: is no JPEG file that can be read: Premature end of JPEG file");
  EXPECT_EQ(error_text([] { decode_jpeg("a.jpg", "\xff\xd8\xff\xd9"s); }),
            "a.jpg: is no JPEG file that can be read: JPEG datastream contains no image");
  std::string marked = whole;  // ends within its scan
  marked.replace(marked.size() - 60, 2, "\xff\xd9");
  EXPECT_EQ(error_text([&] { decode_jpeg("a.jpg", marked); }),
            "a.jpg: is no JPEG file that can be read: Corrupt JPEG data: premature end of data segment");
}

TEST(Jpeg, TakesPaddingBetweenItsParts) {
  std::string padded = test_image("444.jpg");
  padded.insert(2, 5, '\0');  // behind the first marker
  EXPECT_TRUE(decode_jpeg("a.jpg", padded).equal(decode_jpeg("a.jpg", test_image("444.jpg"))));
}

TEST(Jpeg, RefusesSizesBeforeItDecodes) {
  std::string bomb = test_image("444.jpg");
  const size_t frame = bomb.find("\xff\xc0"s);  // then: length, 8 bits, height, width
  ASSERT_NE(frame, bomb.npos);
  bomb.replace(frame + 5, 4, "\xff\xdc\xff\xdc");
  EXPECT_EQ(error_text([&] { decode_jpeg("a.jpg", bomb); }),
            "a.jpg: an image of 65500 x 65500 pixels\n  allowed here: 1 to 67108864 pixels");
}

TEST(Jpeg, RefusesEndlessScans) {
  std::string bytes = test_image("progressive.jpg");
  const size_t first = bytes.find("\xff\xda"s);
  const size_t second = bytes.find("\xff\xda"s, first + 2);
  // The first scan over and over, with the tables that stand before the second.
  const std::string scan = bytes.substr(first, bytes.find("\xff\xc4"s, first) - first);
  ASSERT_LT(first, second);
  std::string many;
  for (int i = 0; i < 101; ++i) many += scan;
  bytes.insert(first, many);
  EXPECT_EQ(error_text([&] { decode_jpeg("a.jpg", bytes); }),
            "a.jpg: is no JPEG file that can be read: has more than 100 scans");
}

TEST(Jpeg, AnyChangedByteIsAnErrorOrAnImage) {
  for (const char* name : {"420.jpg", "progressive.jpg", "cmyk.jpg", "orientation6.jpg"}) {
    const std::string whole = test_image(name);
    for (size_t i = 0; i < whole.size(); ++i) {
      for (const char value : {'\0', '\xff', static_cast<char>(whole[i] ^ 0x10)}) {
        std::string changed = whole;
        changed[i] = value;
        error_text([&] { EXPECT_EQ(decode_jpeg(name, changed).dim(), 3); });
      }
    }
    for (size_t bytes = 0; bytes + 2 < whole.size(); ++bytes) {  // the last two are the end marker
      EXPECT_TRUE(error_text([&] { decode_jpeg(name, whole.substr(0, bytes)); }).starts_with(name)) << bytes;
    }
  }
}

}  // namespace
}  // namespace torquant
