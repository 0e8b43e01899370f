#pragma once

#include "tests/support/tiny_model.h"

namespace torquant {

// A model of images with a depth, of [2, 3, 6, 5]: quantize → convolution, padded on all sides → convolution with the
// sum, its windows apart → turned around → times the mean of each channel → 1x1x1 convolution to floats.
class TinyVolume : public TinyLayers {
 public:
  TinyVolume() {
    using namespace format;
    const auto add = [&](const char* name, std::vector<int64_t> sizes, ValueType type = ValueType::kUint8) {
      model.values.push_back(
          {.name = name, .type = type, .sizes = std::move(sizes), .grid = {.scale = 0.05, .zero_point = 120}});
      return static_cast<ValueIndex>(model.values.size() - 1);
    };
    const ValueIndex x = add("x", {1, 2, 3, 6, 5}, ValueType::kFloat32), codes = add("codes", {1, 2, 3, 6, 5});
    const ValueIndex wide = add("wide", {1, 20, 4, 3, 5}), sum = add("sum", {1, 20, 4, 3, 5});
    const ValueIndex turned = add("turned", {1, 20, 3, 4, 5}), mean = add("mean", {1, 20, 1, 1, 1});
    const ValueIndex scaled = add("scaled", {1, 20, 3, 4, 5});
    const ValueIndex y = add("y", {1, 18, 3, 4, 5}, ValueType::kFloat32);
    model.inputs = {x}, model.outputs = {y};
    model.most_batch = 4;
    model.nodes.push_back({"quantize", Quantize{x, codes}});
    model.nodes.push_back(
        {"conv",
         layer(codes, wide, 20, 2, {.kernel = {3, 3}, .stride = {2, 1}, .padding = {1, 1}, .planes = {2, 1, 1}})});
    Layer apart =
        layer(wide, sum, 20, 20, {.kernel = {1, 3}, .padding = {0, 2}, .dilation = {1, 2}, .planes = {3, 1, 2, 2}});
    apart.residual = wide, apart.residual_multiplier = 0.5f;
    model.nodes.push_back({"apart", apart});
    // Planes for rows.
    model.nodes.push_back({"turn", Rearrange{sum, turned, 0, {20, 3, 4, 5}, {60, 5, 15, 1}}});
    model.nodes.push_back({"mean", GlobalAveragePool{turned, mean}});
    model.nodes.push_back({"scale", Multiply{turned, mean, scaled}});
    model.nodes.push_back({"last", layer(scaled, y, 18, 20, {})});
  }
};

}  // namespace torquant
