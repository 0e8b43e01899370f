#include "torquant/core/granularity.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "torquant/core/error.h"

namespace torquant {
namespace {

size_t resolve_axis(const char* who, int64_t axis, size_t rank) {
  const int64_t resolved = axis < 0 ? axis + static_cast<int64_t>(rank) : axis;
  if (resolved < 0 || resolved >= static_cast<int64_t>(rank)) {
    throw Error({.where = who,
                 .what = fmt::format("axis {} of a tensor of rank {}", axis, rank),
                 .allowed = rank == 0 ? "none" : fmt::format("{} to {}", -static_cast<int64_t>(rank), rank - 1)});
  }
  return static_cast<size_t>(resolved);
}

std::vector<int64_t> all_but(std::span<const int64_t> shape, size_t kept_axis) {
  std::vector<int64_t> block(shape.size(), 1);
  block[kept_axis] = shape[kept_axis];
  return block;
}

struct BlockSizeOf {
  std::span<const int64_t> shape;

  std::vector<int64_t> operator()(const PerTensor&) const { return {shape.begin(), shape.end()}; }

  std::vector<int64_t> operator()(const PerAxis& g) const {
    std::vector<int64_t> block(shape.begin(), shape.end());
    block[resolve_axis("PerAxis", g.axis, shape.size())] = 1;
    return block;
  }

  std::vector<int64_t> operator()(const PerRow& g) const {
    return all_but(shape, resolve_axis("PerRow", g.axis, shape.size()));
  }

  std::vector<int64_t> operator()(const PerToken&) const {
    return all_but(shape, resolve_axis("PerToken", -1, shape.size()));
  }

  std::vector<int64_t> operator()(const PerGroup& g) const {
    const size_t last = resolve_axis("PerGroup", -1, shape.size());
    if (g.group_size <= 0 || shape[last] % g.group_size != 0) {
      throw Error({.where = "PerGroup",
                   .what = fmt::format("group_size {} does not divide the last axis of shape [{}]", g.group_size,
                                       fmt::join(shape, ", ")),
                   .allowed = fmt::format("a divisor of {}", shape[last])});
    }
    std::vector<int64_t> block(shape.size(), 1);
    block[last] = g.group_size;
    return block;
  }

  std::vector<int64_t> operator()(const PerBlock& g) const {
    if (g.block_size.size() != shape.size()) {
      throw Error({.where = "PerBlock",
                   .what = fmt::format("block_size [{}] has {} entries, the tensor has rank {}",
                                       fmt::join(g.block_size, ", "), g.block_size.size(), shape.size())});
    }
    std::vector<int64_t> block = g.block_size;
    for (size_t i = 0; i < block.size(); ++i) block[i] = std::min(block[i], shape[i]);
    return block;
  }
};

struct ToString {
  std::string operator()(const PerTensor&) const { return "PerTensor()"; }
  std::string operator()(const PerAxis& g) const { return fmt::format("PerAxis(axis={})", g.axis); }
  std::string operator()(const PerGroup& g) const { return fmt::format("PerGroup(group_size={})", g.group_size); }
  std::string operator()(const PerRow& g) const { return fmt::format("PerRow(dim={})", g.axis); }
  std::string operator()(const PerToken&) const { return "PerToken()"; }
  std::string operator()(const PerBlock& g) const {
    return fmt::format("PerBlock(block_size=[{}])", fmt::join(g.block_size, ", "));
  }
};

}  // namespace

std::vector<int64_t> block_size_of(const Granularity& granularity, std::span<const int64_t> shape) {
  return std::visit(BlockSizeOf{shape}, granularity);
}

std::string to_string(const Granularity& granularity) { return std::visit(ToString{}, granularity); }

}  // namespace torquant
