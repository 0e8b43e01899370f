#include "torquant/data/shuffle.h"

#include <fmt/format.h>

#include <numeric>
#include <utility>

namespace torquant {
namespace {

// Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
class SplitMix64 {
 public:
  explicit SplitMix64(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

class ShuffledDataset : public Dataset {
 public:
  ShuffledDataset(std::unique_ptr<Dataset> data, uint64_t seed)
      : Dataset(fmt::format("{} (shuffled by seed {})", data->name(), seed), data->size()),
        order_(permutation(data->size(), seed)),
        data_(std::move(data)) {}

  std::vector<std::string> class_names() const override { return data_->class_names(); }

 private:
  Sample load(int64_t index) const override { return data_->sample(order_[static_cast<size_t>(index)]); }

  std::vector<int64_t> order_;
  std::unique_ptr<Dataset> data_;
};

}  // namespace

std::vector<int64_t> permutation(int64_t size, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  SplitMix64 random(seed);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.next() % i]);
  return order;
}

std::unique_ptr<Dataset> shuffled(std::unique_ptr<Dataset> data, uint64_t seed) {
  return std::make_unique<ShuffledDataset>(std::move(data), seed);
}

}  // namespace torquant
