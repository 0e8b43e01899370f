#include "torquant/data/exif.h"

#include <cstddef>
#include <cstdint>

namespace torquant {
namespace {

// A TIFF directory in either byte order. Reading past its end gives zeros, which no tag of interest is.
class Tiff {
 public:
  explicit Tiff(std::string_view bytes) : bytes_(bytes), little_endian_(bytes.starts_with("II")) {}

  uint32_t u16(size_t at) const { return number(at, 2); }
  uint32_t u32(size_t at) const { return number(at, 4); }

 private:
  uint32_t number(size_t at, size_t size) const {
    if (at > bytes_.size() || bytes_.size() - at < size) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      const auto byte = static_cast<uint8_t>(bytes_[at + (little_endian_ ? size - 1 - i : i)]);
      value = value << 8 | byte;
    }
    return value;
  }

  std::string_view bytes_;
  bool little_endian_;
};

}  // namespace

int exif_orientation(std::string_view block) {
  using namespace std::string_view_literals;
  constexpr size_t kEntryBytes = 12;
  constexpr uint32_t kMagic = 42, kOrientationTag = 0x0112, kShort = 3;
  constexpr std::string_view kHead = "Exif\0\0"sv;
  if (!block.starts_with(kHead)) return 1;
  const std::string_view bytes = block.substr(kHead.size());
  const Tiff tiff(bytes);
  if ((!bytes.starts_with("II") && !bytes.starts_with("MM")) || tiff.u16(2) != kMagic) return 1;
  const size_t directory = tiff.u32(4);
  const size_t entries = tiff.u16(directory);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntryBytes;
    if (tiff.u16(entry) != kOrientationTag || tiff.u16(entry + 2) != kShort) continue;
    const uint32_t value = tiff.u16(entry + 8);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace torquant
