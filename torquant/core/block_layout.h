#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace torquant {

// How blocks tile a dense tensor: `shape[i]` elements along axis i in blocks of `block_size[i]`, each block with one
// scale and zero point. Blocks are numbered row-major, as their scales lie in memory.
//
//   BlockLayout layout({4, 32}, {1, 8});   // 4 x 4 blocks; element (r, c) is in block 4 * r + c / 8
class BlockLayout {
 public:
  // `where` begins the message of the Error thrown if a block size is below 1 or does not divide its axis.
  BlockLayout(const char* where, std::span<const int64_t> shape, std::span<const int64_t> block_size);

  int64_t num_elements() const { return num_elements_; }
  int64_t num_blocks() const { return num_blocks_; }
  const std::vector<int64_t>& shape() const { return shape_; }
  const std::vector<int64_t>& block_size() const { return block_size_; }

  std::vector<int64_t> blocks_per_axis() const;  // the shape of the scales with keepdim
  // The same without the axes that one block of more than one element spans (torchao's keepdim=False).
  std::vector<int64_t> reduced_shape() const;

  // Calls run(begin, count, block) for consecutive stretches of [begin, end), in order, each inside one block and as
  // long as possible.
  template <class Run>
  void for_each_run(int64_t begin, int64_t end, Run run) const {
    while (begin < end) {
      const int64_t count = std::min(run_length_ - begin % run_length_, end - begin);
      run(begin, count, block_of(begin));
      begin += count;
    }
  }

  // The block of the element at `index` (row-major).
  int64_t block_of(int64_t index) const {
    int64_t block = 0;
    for (const Axis& axis : axes_) block += (index / axis.elements % axis.extent) * axis.blocks;
    return block;
  }

 private:
  // One axis as block_of sees it: advancing `elements` elements moves to its next block, `extent` blocks wide.
  struct Axis {
    int64_t elements;
    int64_t extent;
    int64_t blocks;
  };

  std::vector<int64_t> shape_;
  std::vector<int64_t> block_size_;
  std::vector<Axis> axes_;  // those with more than one block
  int64_t num_elements_ = 1;
  int64_t num_blocks_ = 1;
  int64_t run_length_ = 1;  // elements that follow each other in memory and share a block
};

}  // namespace torquant
