#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include "torquant/format/model.h"
#include "torquant/format/node_rules.h"

// What the rules of all nodes are made of. Private to format/.
namespace torquant::format {

struct Image {
  int64_t channels, depth, height, width;
};

inline Image image_of(const Value& value) {
  const size_t rank = value.sizes.size();
  return {.channels = value.sizes[1],
          .depth = rank == 5 ? value.sizes[2] : 1,
          .height = rank >= 4 ? value.sizes[rank - 2] : 1,
          .width = rank == 2 ? 1 : value.sizes.back()};
}

class Rules {
 public:
  explicit Rules(const Model& model) : model_(model) {}

 protected:
  static constexpr const char* kTypes = "reads or gives values of another type than it computes";

  const Value& value(ValueIndex index) const { return model_.values[index]; }
  int64_t batch(ValueIndex index) const { return value(index).sizes[0]; }
  bool on(ValueType type, std::initializer_list<ValueIndex> indices) const {
    return std::all_of(indices.begin(), indices.end(), [&](ValueIndex index) { return value(index).type == type; });
  }
  bool on_codes(std::initializer_list<ValueIndex> indices) const { return on(ValueType::kUint8, indices); }
  bool on_floats(std::initializer_list<ValueIndex> indices) const { return on(ValueType::kFloat32, indices); }
  int64_t elements(ValueIndex index) const {
    int64_t count = 1;
    for (const int64_t size : value(index).sizes) count *= size;
    return count;
  }
  std::string sizes_of(ValueIndex input, ValueIndex output) const {
    return "makes " + text_of(value(output).sizes) + " of " + text_of(value(input).sizes);
  }
  std::string same_sizes(ValueIndex input, ValueIndex output) const {
    return value(input).sizes == value(output).sizes ? "" : sizes_of(input, output);
  }

 private:
  const Model& model_;
};

}  // namespace torquant::format
