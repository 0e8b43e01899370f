#pragma once

#include <cstdint>
#include <string>

namespace torquant {

// Deflate cannot shrink further than 1032 to 1 (zlib's technical notes): a header that promises more than that many
// times the bytes of its file is refused before memory is taken for it.
constexpr int64_t kMaxInflation = 1032;

// Bytes of a regular file. Throws Error where there is none.
int64_t input_file_bytes(const std::string& path);

}  // namespace torquant
