#include "torquant/io/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

namespace torquant {

std::optional<std::string> inflate_raw(std::string_view packed, uint64_t size) {
  if (size / kMaxInflation > packed.size()) return std::nullopt;
  std::string unpacked(size, '\0');
  z_stream stream{};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.next_out = reinterpret_cast<Bytef*>(unpacked.data());
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return std::nullopt;
  uint64_t in_left = packed.size();
  uint64_t out_left = size;
  int code = Z_OK;
  while (code == Z_OK) {
    constexpr uint64_t kMost = std::numeric_limits<uInt>::max();  // zlib counts in 32 bits
    const auto in = static_cast<uInt>(std::min(in_left, kMost));
    const auto out = static_cast<uInt>(std::min(out_left, kMost));
    stream.avail_in = in;
    stream.avail_out = out;
    code = inflate(&stream, Z_NO_FLUSH);
    in_left -= in - stream.avail_in;
    out_left -= out - stream.avail_out;
  }
  inflateEnd(&stream);
  if (code != Z_STREAM_END || out_left != 0) return std::nullopt;
  return unpacked;
}

}  // namespace torquant
