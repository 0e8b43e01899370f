#pragma once

#include "tests/support/tiny_model.h"

namespace torquant {

// A model of images of [1, 23, 25] whose nodes 2 and 3 are 3x3 convolutions of stride 1 with many channels: quantize →
// 3x3 convolution → 3x3 convolution → 3x3 convolution + residual → 1x1 convolution to floats.
class TinySquares : public TinyLayers {
 public:
  TinySquares() {
    using namespace format;
    constexpr Windows kSquare = {.kernel = {3, 3}, .padding = {1, 1}};
    const ValueIndex x = add("x", {1, 1, 23, 25}, ValueType::kFloat32), codes = add("codes", {1, 1, 23, 25});
    const ValueIndex few = add("few", {1, 32, 23, 25}), many = add("many", {1, 80, 23, 25});
    const ValueIndex sum = add("sum", {1, 80, 23, 25}), y = add("y", {1, 4, 23, 25}, ValueType::kFloat32);
    model.inputs = {x}, model.outputs = {y};
    model.most_batch = 4;
    model.nodes.push_back({"quantize", Quantize{x, codes}});
    model.nodes.push_back({"first", layer(codes, few, 32, 1, kSquare)});
    model.nodes.push_back({"second", layer(few, many, 80, 32, kSquare)});
    Layer third = layer(few, sum, 80, 32, kSquare);
    third.residual = many, third.residual_multiplier = 0.5f;
    model.nodes.push_back({"third", third});
    model.nodes.push_back({"last", layer(sum, y, 4, 80, {})});
  }
};

}  // namespace torquant
