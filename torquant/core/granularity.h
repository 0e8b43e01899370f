#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace torquant {

// Which elements of a tensor share one scale and zero point (torchao granularity.py).
struct PerTensor {
  bool operator==(const PerTensor&) const = default;
};
struct PerAxis {
  int64_t axis = 0;  // one scale an index of this axis; negative counts from the end
  bool operator==(const PerAxis&) const = default;
};
struct PerGroup {
  int64_t group_size;  // consecutive elements of the last axis
  bool operator==(const PerGroup&) const = default;
};
struct PerRow {
  int64_t axis = -1;  // one scale for everything but this axis, which is reduced whole
  bool operator==(const PerRow&) const = default;
};
struct PerToken {
  bool operator==(const PerToken&) const = default;  // PerRow{-1}, by its name for activations
};
struct PerBlock {
  std::vector<int64_t> block_size;  // elements along each axis
  bool operator==(const PerBlock&) const = default;
};

using Granularity = std::variant<PerTensor, PerAxis, PerGroup, PerRow, PerToken, PerBlock>;

// Elements along each axis that share one scale. Throws Error where an axis or size does not fit `shape`.
std::vector<int64_t> block_size_of(const Granularity& granularity, std::span<const int64_t> shape);

std::string to_string(const Granularity& granularity);  // "PerGroup(group_size=32)", as torchao prints it

}  // namespace torquant
