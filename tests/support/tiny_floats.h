#pragma once

#include "tests/support/tiny_model.h"

namespace torquant {

// A model that computes in float between codes, on images of [6, 4, 5]: quantize → 1x1 convolution that ends in floats
// → silu → times the mean of each channel → transposed, beside itself → softmax over the channels → quantize →
// max-pool → dequantize. What the softmax gives is an output, too.
class TinyFloats : public TinyLayers {
 public:
  TinyFloats() {
    using namespace format;
    const ValueIndex x = add("x", {1, 6, 4, 5}, ValueType::kFloat32), codes = add("codes", {1, 6, 4, 5});
    const ValueIndex wide = add("wide", {1, 8, 4, 5}, ValueType::kFloat32);
    const ValueIndex gated = add("gated", {1, 8, 4, 5}, ValueType::kFloat32);
    const ValueIndex mean = add("mean", {1, 8, 1, 1}, ValueType::kFloat32);
    const ValueIndex scaled = add("scaled", {1, 8, 4, 5}, ValueType::kFloat32);
    const ValueIndex turned = add("turned", {1, 8, 5, 4}, ValueType::kFloat32);
    const ValueIndex both = add("both", {1, 16, 5, 4}, ValueType::kFloat32);
    const ValueIndex soft = add("soft", {1, 16, 5, 4}, ValueType::kFloat32), again = add("again", {1, 16, 5, 4});
    const ValueIndex small = add("small", {1, 16, 2, 2}), y = add("y", {1, 16, 2, 2}, ValueType::kFloat32);
    model.inputs = {x}, model.outputs = {y, soft};
    model.most_batch = 4;
    model.nodes.push_back({"quantize", Quantize{x, codes}});
    model.nodes.push_back({"conv", point(codes, wide)});
    model.nodes.push_back({"silu", FloatMap{wide, gated, FloatFunction::kSilu}});
    model.nodes.push_back({"mean", FloatMean{gated, mean}});
    model.nodes.push_back({"scale", FloatBinary{gated, mean, scaled, FloatArithmetic::kMultiply}});
    model.nodes.push_back({"turn", Rearrange{scaled, turned, 0, {8, 5, 4}, {20, 1, 5}}});
    model.nodes.push_back({"both", Concat{{turned, turned}, both}});
    model.nodes.push_back({"softmax", Softmax{both, soft, 1, false}});
    model.nodes.push_back({"again", Quantize{soft, again}});
    model.nodes.push_back({"pool", MaxPool{again, small, {.kernel = {2, 2}, .stride = {2, 2}}}});
    model.nodes.push_back({"dequantize", Dequantize{small, y}});
  }

 private:
  format::Layer point(format::ValueIndex input, format::ValueIndex output) {
    format::Layer layer{.input = input, .output = output};
    const PackedShape shape = format::packed_shape(layer, 6, 8);
    std::vector<int8_t> codes(shape.codes());
    for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<int8_t>(static_cast<int>(i * 37) % 201 - 100);
    weights_.resize(shape.bytes());
    pack_weights(shape, codes.data(), weights_.data());
    fits_ = pairs_fit(shape, weights_.data());
    for (const int32_t sum : column_sums(shape, codes.data())) start_.push_back(-120 * sum);
    start_.resize(16);
    layer.weights = weights_, layer.pairs_fit = fits_, layer.start = start_;
    layer.multiplier = multiplier_, layer.offset = offset_;
    return layer;
  }

  std::vector<int8_t> weights_;
  std::vector<uint8_t> fits_;
  std::vector<int32_t> start_;
  std::vector<float> multiplier_ = std::vector<float>(16, 2e-4f), offset_ = std::vector<float>(16, 0.25f);
};

}  // namespace torquant
