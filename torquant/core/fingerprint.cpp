#include "torquant/core/fingerprint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace torquant {

// A multiplication by 2^64 / golden ratio spreads a word upwards, the shift brings it back down.
void Fingerprint::mix(uint64_t word) {
  hash_ = (hash_ ^ word) * 0x9e3779b97f4a7c15;
  hash_ ^= hash_ >> 32;
}

Fingerprint& Fingerprint::add(const void* data, size_t bytes) {
  mix(bytes + 1);  // no fixed point at 0
  const auto* from = static_cast<const unsigned char*>(data);
  for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, from + at, std::min(bytes - at, sizeof(word)));
    mix(word);
  }
  return *this;
}

std::string Fingerprint::text() const { return fmt::format("{:016x}", hash_); }

}  // namespace torquant
