#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <tuple>
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

constexpr int64_t kMostOfWindow = 1 << 12;  // pixels from its first to its last one

class Rules {
 public:
  explicit Rules(const Model& model) : model_(model) {}

 protected:
  static constexpr const char* kDepth = "has windows of more than one plane";
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

  static bool of_one_plane(const Windows& windows) { return windows.planes.kernel == 1 && windows.planes.stride == 1; }
  std::string windows_fit(const Windows& windows, const Image& in, const Image& out, ValueIndex input,
                          ValueIndex output) const {
    for (const auto& [axis, in_size, out_size] :
         {std::tuple(windows.rows(), in.height, out.height), std::tuple(windows.columns(), in.width, out.width),
          std::tuple(windows.planes, in.depth, out.depth)}) {
      for (const int64_t size : {axis.kernel, axis.stride, axis.dilation}) {
        if (size < 1 || size > kMostOfWindow) return "has a kernel, stride or dilation of " + std::to_string(size);
      }
      const int64_t reach = (axis.kernel - 1) * axis.dilation + 1, padding = axis.padding;
      if (reach > kMostOfWindow) return "has a window of " + std::to_string(reach) + " pixels";
      if (padding < 0 || padding >= reach)
        return "has padding " + std::to_string(padding) + " around a window of " + std::to_string(reach);
      const int64_t last = (out_size - 1) * axis.stride - padding;  // where the last window begins
      if (last >= in_size || last + reach + axis.stride <= in_size) return sizes_of(input, output);
    }
    return batch(input) == batch(output) ? "" : sizes_of(input, output);
  }

 private:
  const Model& model_;
};

}  // namespace torquant::format
