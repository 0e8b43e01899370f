#pragma once

#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "torquant/format/model.h"

namespace torquant {

// A model in the making: values on one grid, layers with random weights, and the memory that they point to.
class TinyLayers {
 public:
  TinyLayers() = default;
  TinyLayers(const TinyLayers&) = delete;
  TinyLayers& operator=(const TinyLayers&) = delete;

  template <class Operation>
  Operation& at(size_t node) {
    return std::get<Operation>(model.nodes[node].operation);
  }
  format::Layer& layer_of(size_t node) { return at<format::Layer>(node); }

  format::Model model;

 protected:
  format::ValueIndex add(const char* name, std::vector<int64_t> sizes,
                         format::ValueType type = format::ValueType::kUint8) {
    model.values.push_back(
        {.name = name, .type = type, .sizes = std::move(sizes), .grid = {.scale = 0.05, .zero_point = 120}});
    return static_cast<format::ValueIndex>(model.values.size() - 1);
  }

  format::Layer layer(format::ValueIndex input, format::ValueIndex output, int64_t channels, int64_t inputs,
                      const format::Windows& windows) {
    const PackedShape shape =
        format::packed_shape(format::Layer{.input = 0, .output = 0, .windows = windows}, inputs, channels);
    std::vector<int8_t> codes(shape.codes());
    for (int8_t& code : codes) code = static_cast<int8_t>(static_cast<int>(random_() % 255) - 127);
    std::vector<int8_t>& packed = weights_.emplace_back(shape.bytes());
    pack_weights(shape, codes.data(), packed.data());
    const size_t padded = shape.panels() * 16;
    const std::vector<int32_t> sums = column_sums(shape, codes.data());
    std::vector<int32_t>& start = starts_.emplace_back(padded, 0);
    for (size_t n = 0; n < shape.channels; ++n) start[n] = -120 * sums[n];
    return {.input = input,
            .output = output,
            .windows = windows,
            .weights = packed,
            .pairs_fit = flags_.emplace_back(pairs_fit(shape, packed.data())),
            .start = start,
            .multiplier = numbers_.emplace_back(padded, 0.004f),
            .offset = numbers_.emplace_back(padded, 110.0f)};
  }

 private:
  std::mt19937 random_{4};
  std::deque<std::vector<int8_t>> weights_;
  std::deque<std::vector<uint8_t>> flags_;
  std::deque<std::vector<int32_t>> starts_;
  std::deque<std::vector<float>> numbers_;
};

// A model with a node of each kind, its weights random: quantize → 3x3 convolution (padded) → max-pool → 1x1
// convolution + residual → + → mean → flatten → linear to floats. Images of [3, 8, 8], 5 classes.
class TinyModel : public TinyLayers {
 public:
  TinyModel() {
    using namespace format;
    const ValueIndex x = add("x", {1, 3, 8, 8}, ValueType::kFloat32), codes = add("codes", {1, 3, 8, 8});
    const ValueIndex wide = add("wide", {1, 20, 8, 8}), small = add("small", {1, 20, 4, 4});
    const ValueIndex sum = add("sum", {1, 20, 4, 4}), twice = add("twice", {1, 20, 4, 4});
    const ValueIndex mean = add("mean", {1, 20, 1, 1}), flat = add("flat", {1, 20});
    const ValueIndex y = add("y", {1, 5}, ValueType::kFloat32);
    model.inputs = {x}, model.outputs = {y};
    model.least_batch = 1, model.most_batch = 9;
    model.producer = "a test", model.source = "nowhere";
    model.nodes.push_back({"quantize", Quantize{x, codes}});
    model.nodes.push_back({"conv", layer(codes, wide, 20, 3, {.kernel = {3, 3}, .padding = {1, 1}})});
    model.nodes.push_back({"pool", MaxPool{wide, small, {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}}});
    Layer point = layer(small, sum, 20, 20, {});
    point.residual = small, point.residual_multiplier = 0.5f;
    model.nodes.push_back({"point", point});
    model.nodes.push_back({"add", Add{sum, small, twice}});
    model.nodes.push_back({"mean", GlobalAveragePool{twice, mean}});
    model.nodes.push_back({"flatten", Flatten{mean, flat}});
    model.nodes.push_back({"linear", layer(flat, y, 5, 20, {})});
  }
};

}  // namespace torquant
