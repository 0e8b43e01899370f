#include "torquant/core/block_layout.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "torquant/core/error.h"

namespace torquant {

BlockLayout::BlockLayout(const char* where, std::span<const int64_t> shape, std::span<const int64_t> block_size)
    : shape_(shape.begin(), shape.end()), block_size_(block_size.begin(), block_size.end()) {
  if (shape_.size() != block_size_.size()) {
    throw Error({.where = where,
                 .what = fmt::format("block_size [{}] has {} entries, the tensor has shape [{}]",
                                     fmt::join(block_size_, ", "), block_size_.size(), fmt::join(shape_, ", ")),
                 .allowed = fmt::format("{} entries, one an axis", shape_.size())});
  }
  for (size_t i = 0; i < shape_.size(); ++i) {
    if (block_size_[i] > 0 && shape_[i] % block_size_[i] == 0) continue;
    throw Error({.where = where,
                 .what = fmt::format("block_size [{}] does not divide shape [{}] along axis {}",
                                     fmt::join(block_size_, ", "), fmt::join(shape_, ", "), i),
                 .allowed = fmt::format("divisors of {}, from 1", shape_[i])});
  }

  bool contiguous = true;  // every axis seen so far is one block
  for (size_t i = shape_.size(); i-- > 0;) {
    const int64_t blocks = shape_[i] / block_size_[i];
    if (blocks > 1) axes_.push_back({num_elements_ * block_size_[i], blocks, num_blocks_});
    if (contiguous) run_length_ *= std::max<int64_t>(block_size_[i], 1);
    contiguous = contiguous && blocks == 1;
    num_elements_ *= shape_[i];
    num_blocks_ *= blocks;
  }
}

std::vector<int64_t> BlockLayout::blocks_per_axis() const {
  std::vector<int64_t> blocks;
  for (size_t i = 0; i < shape_.size(); ++i) blocks.push_back(shape_[i] / block_size_[i]);
  return blocks;
}

std::vector<int64_t> BlockLayout::reduced_shape() const {
  std::vector<int64_t> blocks;
  for (size_t i = 0; i < shape_.size(); ++i) {
    if (block_size_[i] != shape_[i] || block_size_[i] == 1) blocks.push_back(shape_[i] / block_size_[i]);
  }
  return blocks;
}

}  // namespace torquant
