#include "torquant/format/at_length.h"

#include <algorithm>
#include <string>

#include "torquant/format/node_rules.h"

namespace torquant::format {
namespace {

constexpr int64_t kMostGrowth = int64_t{1} << 31;  // times kMostLength, within 64 bits

bool holds(const std::vector<int64_t>& growth, size_t count) {
  const auto fits = [](int64_t number) { return number <= kMostGrowth && number >= -kMostGrowth; };
  return growth.empty() || (growth.size() == count && std::all_of(growth.begin(), growth.end(), fits));
}

void grow(std::vector<int64_t>& numbers, const int64_t* growth, int64_t steps) {
  for (int64_t& number : numbers) number += *growth++ * steps;
}

// 0 where that is more than a value may have.
int64_t product(const std::vector<int64_t>& sizes) {
  int64_t elements = 1;
  for (const int64_t size : sizes) {
    if (size < 1 || size > kMostElements / elements) return 0;
    elements *= size;
  }
  return elements;
}

// The first `sizes` of each dimension of numbers of sizes `from`, which are nowhere smaller.
void cut(const float* numbers, const int64_t* from, const int64_t* sizes, size_t rank, std::vector<float>& to) {
  if (rank == 0) {
    to.push_back(*numbers);
    return;
  }
  if (rank == 1) {
    to.insert(to.end(), numbers, numbers + *sizes);
    return;
  }
  int64_t step = 1;
  for (size_t i = 1; i < rank; ++i) step *= from[i];
  for (int64_t i = 0; i < *sizes; ++i) cut(numbers + i * step, from + 1, sizes + 1, rank - 1, to);
}

// Whether what is cut lies side by side: only the first size that is not 1 is another.
bool is_front(const std::vector<int64_t>& from, const std::vector<int64_t>& sizes) {
  size_t first = 0;
  while (first < sizes.size() && from[first] == 1) ++first;
  return first >= sizes.size() || std::equal(sizes.begin() + static_cast<ptrdiff_t>(first) + 1, sizes.end(),
                                             from.begin() + static_cast<ptrdiff_t>(first) + 1);
}

}  // namespace

std::vector<int64_t> sizes_at(const Model& model, const Value& value, int64_t batch, int64_t length) {
  std::vector<int64_t> sizes = value.sizes;
  if (!value.growth.empty()) grow(sizes, value.growth.data(), length - model.least_length);
  if (!value.is_constant() && !sizes.empty()) sizes[0] = batch;
  return sizes;
}

int64_t length_of(const Model& model, const Value& value, const std::vector<int64_t>& sizes) {
  for (size_t i = 0; i < value.growth.size() && i < sizes.size(); ++i) {
    if (value.growth[i] != 0) return model.least_length + (sizes[i] - value.sizes[i]) / value.growth[i];
  }
  return model.least_length;
}

Result<ModelOfLength> at_length(const Model& model, int64_t length) {
  if (length < model.least_length || length > model.most_length) {
    return ErrorText{.where = "length",
                     .what = std::to_string(length) + " was asked for",
                     .allowed = std::to_string(model.least_length) + " to " + std::to_string(model.most_length)};
  }
  ModelOfLength made{.model = model, .numbers = {}};
  const int64_t steps = length - model.least_length;
  made.model.least_length = made.model.most_length = length;
  for (Value& value : made.model.values) {
    if (value.growth.empty()) continue;
    const auto error = [&](const char* what) { return ErrorText{.where = "value " + value.name, .what = what}; };
    if (!holds(value.growth, value.sizes.size())) return error("has a growth of other numbers than its sizes");
    std::vector<int64_t> most = value.sizes;
    grow(most, value.growth.data(), model.most_length - model.least_length);
    grow(value.sizes, value.growth.data(), steps);
    const bool grows = std::all_of(value.growth.begin(), value.growth.end(), [](int64_t n) { return n >= 0; });
    if (!grows || product(value.sizes) == 0) return error("has sizes that do not grow with the length");
    if (value.is_constant()) {
      if (value.constant.size() != static_cast<size_t>(product(most)))
        return error("holds another number of floats than it has for the most length");
      if (is_front(most, value.sizes)) {
        value.constant = value.constant.first(static_cast<size_t>(product(value.sizes)));
      } else {
        std::vector<float>& numbers = made.numbers.emplace_back();
        cut(value.constant.data(), most.data(), value.sizes.data(), most.size(), numbers);
        value.constant = numbers;
      }
    }
    value.growth.clear();
  }
  for (Node& node : made.model.nodes) {
    auto* rearrange = std::get_if<Rearrange>(&node.operation);
    if (rearrange == nullptr || rearrange->growth.empty()) continue;
    const size_t sizes = rearrange->sizes.size();
    if (rearrange->steps.size() != sizes || !holds(rearrange->growth, 1 + 2 * sizes))
      return ErrorText{.where = "node " + node.name, .what = "has a growth of other numbers than it moves by"};
    rearrange->begin += rearrange->growth[0] * steps;
    grow(rearrange->sizes, rearrange->growth.data() + 1, steps);
    grow(rearrange->steps, rearrange->growth.data() + 1 + sizes, steps);
    rearrange->growth.clear();
  }
  if (Result<void> checked = check_model(made.model); !checked.ok()) return checked.error();
  return made;
}

}  // namespace torquant::format
