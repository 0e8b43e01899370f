#pragma once

#include <deque>
#include <random>
#include <vector>

#include "torquant/format/model.h"

namespace torquant {

// A network in float32, its weights random, of images [9, 8, 3] whose channels lie last: 3x3 convolution of stride 2
// and ReLU → 3x3 depthwise → 1x1 convolution + residual → 1x3 convolution in 2 groups, dilated → max-pool → mean-pool.
class TinyFloatNet {
 public:
  TinyFloatNet() {
    using namespace format;
    const ValueIndex x = add("x", {1, 9, 8, 3}), conv = add("conv", {1, 5, 4, 20}), deep = add("deep", {1, 5, 4, 20});
    const ValueIndex point = add("point", {1, 5, 4, 20}), grouped = add("grouped", {1, 5, 4, 6});
    const ValueIndex most = add("most", {1, 3, 2, 6}), y = add("y", {1, 1, 1, 6});
    model.inputs = {x}, model.outputs = {y};
    model.most_batch = 4;
    FloatLayer first = layer({x, conv, -1, {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}});
    first.lo = 0;
    model.nodes.push_back({"conv", first});
    model.nodes.push_back(
        {"deep", layer({conv, deep, -1, {.kernel = {3, 3}, .padding = {1, 1}}, 1, /*depthwise=*/true})});
    model.nodes.push_back({"point", layer({deep, point, conv})});
    model.nodes.push_back(
        {"grouped", layer({point, grouped, -1, {.kernel = {1, 3}, .padding = {0, 2}, .dilation = {1, 2}}, 2})});
    model.nodes.push_back(
        {"most",
         FloatPool{grouped, most, {.kernel = {2, 2}, .stride = {2, 2}, .padding = {1, 0}}, FloatPooling::kMax}});
    model.nodes.push_back({"mean", FloatPool{most, y, {.kernel = {3, 2}}, FloatPooling::kMean}});
  }
  TinyFloatNet(const TinyFloatNet&) = delete;
  TinyFloatNet& operator=(const TinyFloatNet&) = delete;

  template <class Operation>
  Operation& at(size_t node) {
    return std::get<Operation>(model.nodes[node].operation);
  }

  format::Model model;

 private:
  format::ValueIndex add(const char* name, std::vector<int64_t> sizes) {
    model.values.push_back({.name = name, .type = format::ValueType::kFloat32, .sizes = std::move(sizes)});
    return static_cast<format::ValueIndex>(model.values.size() - 1);
  }
  format::FloatLayer layer(format::FloatLayer of) {
    const PackedFloatsShape shape =
        packed_shape(of, model.values[of.input].sizes.back(), model.values[of.output].sizes.back());
    const auto groups = static_cast<size_t>(of.groups);
    of.weights = numbers(groups * shape.floats());
    of.bias = numbers(groups * shape.panels() * 16);
    return of;
  }
  const std::vector<float>& numbers(size_t count) {
    std::vector<float>& all = numbers_.emplace_back(count);
    for (float& x : all) x = static_cast<float>(random_() % 255) / 128 - 1;
    return all;
  }

  std::mt19937 random_{4};
  std::deque<std::vector<float>> numbers_;
};

}  // namespace torquant
