#pragma once

#include <array>

#include "tests/support/tiny_model.h"

namespace torquant {

// A model with the nodes that TinyModel lacks, on images of [6, 6, 6]: quantize → convolution in 3 groups → table →
// mean over windows; times the mean of each channel; both behind one another, rearranged, plus a pixel → dequantize.
class TinyBranches : public TinyLayers {
 public:
  TinyBranches() {
    using namespace format;
    for (size_t i = 0; i < table_.size(); ++i) table_[i] = static_cast<uint8_t>(255 - i);
    const ValueIndex x = add("x", {1, 6, 6, 6}, ValueType::kFloat32), codes = add("codes", {1, 6, 6, 6});
    const ValueIndex wide = add("wide", {1, 12, 6, 6}), turned = add("turned", {1, 12, 6, 6});
    const ValueIndex small = add("small", {1, 12, 3, 3}), mean = add("mean", {1, 12, 1, 1});
    const ValueIndex scaled = add("scaled", {1, 12, 3, 3}), both = add("both", {1, 24, 3, 3});
    const ValueIndex shuffled = add("shuffled", {1, 12, 3, 6}), sum = add("sum", {1, 12, 3, 6});
    const ValueIndex y = add("y", {1, 12, 3, 6}, ValueType::kFloat32);
    model.inputs = {x}, model.outputs = {y};
    model.most_batch = 4;
    model.nodes.push_back({"quantize", Quantize{x, codes}});
    model.nodes.push_back({"conv", grouped(codes, wide)});
    model.nodes.push_back({"turn", MapCodes{wide, turned, table_}});
    model.nodes.push_back({"window", AveragePool{turned, small, {.kernel = {2, 2}, .stride = {2, 2}}}});
    model.nodes.push_back({"mean", GlobalAveragePool{small, mean}});
    model.nodes.push_back({"scale", Multiply{small, mean, scaled}});
    model.nodes.push_back({"both", Concat{{small, scaled}, both}});
    // Channels 2 i and 2 i + 1 side by side: [24, 3, 3] to [12, 3, 6].
    model.nodes.push_back({"shuffle", Rearrange{both, shuffled, 0, {12, 3, 2, 3}, {18, 3, 9, 1}}});
    model.nodes.push_back({"plus", Add{shuffled, mean, sum}});
    model.nodes.push_back({"dequantize", Dequantize{sum, y}});
  }

 private:
  // 3x3, 2 inputs and 4 outputs a group: weights count up and down.
  format::Layer grouped(format::ValueIndex input, format::ValueIndex output) {
    format::Layer layer{
        .input = input, .output = output, .windows = {.kernel = {3, 3}, .padding = {1, 1}}, .groups = 3};
    const PackedShape shape = format::packed_shape(layer, 6, 12);
    weights_.resize(3 * shape.bytes());
    std::vector<int8_t> codes(shape.codes());
    for (size_t group = 0; group < 3; ++group) {
      for (size_t i = 0; i < codes.size(); ++i)
        codes[i] = static_cast<int8_t>(static_cast<int>(i * 37 + group) % 201 - 100);
      int8_t* packed = weights_.data() + group * shape.bytes();
      pack_weights(shape, codes.data(), packed);
      for (const uint8_t fit : pairs_fit(shape, packed)) fits_.push_back(fit);
      const std::vector<int32_t> sums = column_sums(shape, codes.data());
      for (size_t n = 0; n < 16; ++n) start_.push_back(n < sums.size() ? -120 * sums[n] : 0);
    }
    layer.weights = weights_, layer.pairs_fit = fits_, layer.start = start_;
    layer.multiplier = multiplier_, layer.offset = offset_;
    return layer;
  }

  std::array<uint8_t, 256> table_{};
  std::vector<int8_t> weights_;
  std::vector<uint8_t> fits_;
  std::vector<int32_t> start_;
  std::vector<float> multiplier_ = std::vector<float>(48, 0.004f), offset_ = std::vector<float>(48, 110.0f);
};

}  // namespace torquant
