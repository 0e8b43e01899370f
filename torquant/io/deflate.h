#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace torquant {

// Deflate cannot shrink further than 1032 to 1 (zlib's technical notes): a file that promises more than that many times
// its bytes is refused before memory is taken for it.
inline constexpr uint64_t kMaxInflation = 1032;

// The `size` bytes that a raw deflate stream (RFC 1951) unpacks to; nothing where it is damaged or of another size.
std::optional<std::string> inflate_raw(std::string_view packed, uint64_t size);

}  // namespace torquant
