#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace torquant {

// A 64-bit hash to tell data that differ by accident; no protection against intent. The same on every little-endian
// machine and in every version: it stands in files.
class Fingerprint {
 public:
  Fingerprint& add(const void* data, size_t bytes);  // with its length: "ab" + "c" is not "a" + "bc"
  Fingerprint& add(std::string_view text) { return add(text.data(), text.size()); }

  std::string text() const;  // 16 hexadecimal digits

 private:
  void mix(uint64_t word);

  uint64_t hash_ = 0;
};

}  // namespace torquant
