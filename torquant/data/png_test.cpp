#include "torquant/data/png.h"

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

#include "tests/support/error_text.h"
#include "tests/support/test_images.h"

namespace torquant {
namespace {

using namespace std::string_literals;

std::string big_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

std::string chunk(const std::string& kind_and_body) {
  const auto* bytes = reinterpret_cast<const Bytef*>(kind_and_body.data());
  const auto size = static_cast<uInt>(kind_and_body.size());
  return big_endian(size - 4) + kind_and_body + big_endian(static_cast<uint32_t>(crc32(0, bytes, size)));
}

constexpr size_t kHeaderEnd = 8 + 25;  // signature and IHDR

TEST(Png, DecodesExactlyAsPillowDoes) {
  for (const char* name : {"rgb.png", "rgba.png", "palette.png", "palette_transparent.png", "grey.png",
                           "grey_alpha.png", "bilevel.png", "interlaced.png", "rgb16.png", "grey16.png"}) {
    EXPECT_TRUE(decode_png(name, test_image(name)).equal(expected_image(name))) << name;
  }
}

TEST(Png, AGammaOfItsOwnIsBroughtToThatOfScreens) {
  std::string linear = test_image("grey.png");
  linear.insert(kHeaderEnd, chunk("gAMA" + big_endian(100000)));
  const at::Tensor stored = expected_image("grey.png").to(at::kDouble).div(255);
  const at::Tensor curve = stored.pow(0.45455);  // libpng takes sRGB as a power of 1 / 2.2
  const at::Tensor shown = decode_png("a", linear).to(at::kDouble);
  EXPECT_LE((shown - curve * 255).abs().max().item<double>(), 0.51);  // rounding
  std::string screen = test_image("grey.png");
  screen.insert(kHeaderEnd, chunk("gAMA" + big_endian(45455)));
  EXPECT_TRUE(decode_png("a", screen).equal(expected_image("grey.png")));
}

TEST(Png, RefusesDamage) {
  const std::string whole = test_image("rgb16.png");
  EXPECT_EQ(error_text([&] { decode_png("a.png", whole.substr(0, whole.size() / 2)); }),
            "a.png: is no PNG file that can be read: read beyond end of data");
  std::string changed = whole;
  changed[500] ^= 1;
  EXPECT_EQ(error_text([&] { decode_png("a.png", changed); }),
            "a.png: is no PNG file that can be read: IDAT: incorrect data check");
  EXPECT_EQ(error_text([] { decode_png("a.png", "\x89PNG\r\n\x1a\n"); }),
            "a.png: is no PNG file that can be read: read beyond end of data");
}

TEST(Png, RefusesSizesBeforeItDecodes) {
  std::string bomb = test_image("rgb.png");
  bomb.replace(8, 25, chunk("IHDR" + big_endian(60000) + big_endian(60000) + "\x08\x02\0\0\0"s));
  EXPECT_EQ(error_text([&] { decode_png("a.png", bomb); }),
            "a.png: an image of 60000 x 60000 pixels\n  allowed here: 1 to 67108864 pixels");
}

TEST(Png, AnyChangedByteIsAnErrorOrAnImage) {
  for (const char* name : {"rgb.png", "palette_transparent.png", "interlaced.png", "grey16.png"}) {
    const std::string whole = test_image(name);
    for (size_t i = 8; i < whole.size(); ++i) {
      for (const char value : {'\0', '\xff', static_cast<char>(whole[i] ^ 0x10)}) {
        std::string changed = whole;
        changed[i] = value;
        error_text([&] { EXPECT_EQ(decode_png(name, changed).dim(), 3); });
      }
    }
  }
}

}  // namespace
}  // namespace torquant
