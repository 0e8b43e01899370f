#pragma once

#include <cstddef>
#include <cstdint>

// What reader and writer of .tqm files agree on, beside tqm.fbs.
namespace torquant::format {

constexpr uint32_t kVersion = 1;
constexpr size_t kAlignment = 64;       // of the data segment and of each span in it
constexpr size_t kMostTables = 70'000;  // of the header: what kMostNodes nodes and values need
constexpr size_t kSmallestFile = 32;    // bytes; a header with everything required is larger

constexpr size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace torquant::format
