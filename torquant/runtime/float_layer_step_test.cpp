#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/float_steps.h"
#include "tests/support/tiny_float_net.h"
#include "torquant/core/packed_floats.h"

// Float layers and pools, run as models of one node, against K11 and K12 as they stand: the same bits.
namespace torquant::runtime {
namespace {

using namespace format;

struct Layer {
  Sizes input, output;  // without the batch, channels last
  Windows windows = {};
  int64_t groups = 1;
  bool depthwise = false, residual = false, relu = false;
};

class FloatLayers : public FloatSteps {
 protected:
  void expect_formula(const Layer& layer) {
    const auto with_batch = [](Sizes sizes) { return sizes.insert(sizes.begin(), 1), sizes; };
    FloatLayer node{.input = 0, .output = layer.residual ? 2u : 1u};
    node.residual = layer.residual ? 1 : -1;
    node.windows = layer.windows, node.groups = layer.groups, node.depthwise = layer.depthwise;
    if (layer.relu) node.lo = 0;
    const int64_t inputs = layer.input.back(), channels = layer.output.back();
    const PackedFloatsShape shape = packed_shape(node, inputs, channels);
    const auto groups = static_cast<size_t>(layer.groups);
    Floats weights = numbers(static_cast<size_t>(channels) * shape.depth()),
           bias = numbers(static_cast<size_t>(channels));
    Floats packed(groups * shape.floats()), packed_bias(groups * shape.panels() * 16);
    for (size_t g = 0; g < groups; ++g) {
      pack_floats(shape, weights.data() + g * shape.channels * shape.depth(), packed.data() + g * shape.floats());
      std::copy_n(bias.begin() + static_cast<ptrdiff_t>(g * shape.channels), shape.channels,
                  packed_bias.begin() + static_cast<ptrdiff_t>(g * shape.panels() * 16));
    }
    node.weights = packed, node.bias = packed_bias;
    std::vector<Sizes> values = {with_batch(layer.input), with_batch(layer.output)};
    if (layer.residual) values.push_back(values.back());
    build(values, node);
    expect_each_image([&](const std::vector<Floats>& x) {
      return computed(layer, node, shape, x[0], layer.residual ? x[1] : Floats(), weights, bias);
    });
  }

  static Floats computed(const Layer& layer, const FloatLayer& node, const PackedFloatsShape& shape, const Floats& x,
                         const Floats& residual, const Floats& weights, const Floats& bias) {
    const auto axis_size = [](const Sizes& sizes, size_t from_behind) {
      return sizes.size() > from_behind ? sizes[sizes.size() - 1 - from_behind] : 1;
    };
    const int64_t height = axis_size(layer.input, 2), width = axis_size(layer.input, 1), inputs = layer.input.back();
    const int64_t planes = axis_size(layer.input, 3), channels = layer.output.back();
    const Windows& w = layer.windows;
    Floats y;
    for (int64_t z = 0; z < planes; ++z) {
      for (int64_t row = 0; row < axis_size(layer.output, 2); ++row) {
        for (int64_t column = 0; column < axis_size(layer.output, 1); ++column) {
          for (int64_t n = 0; n < channels; ++n) {
            float sum = bias[static_cast<size_t>(n)];
            const int64_t first = layer.depthwise ? n : n / (channels / layer.groups) * (inputs / layer.groups);
            for (int64_t tap = 0; tap < w.taps(); ++tap) {
              const int64_t in_y = row * w.stride[0] + tap / w.kernel[1] * w.dilation[0] - w.padding[0];
              const int64_t in_x = column * w.stride[1] + tap % w.kernel[1] * w.dilation[1] - w.padding[1];
              if (in_y < 0 || in_y >= height || in_x < 0 || in_x >= width) continue;
              for (int64_t c = 0; c < static_cast<int64_t>(shape.inputs); ++c) {
                const int64_t at = ((z * height + in_y) * width + in_x) * inputs + first + c;
                const int64_t weight = (n * static_cast<int64_t>(shape.inputs) + c) * w.taps() + tap;
                sum = std::fma(x[static_cast<size_t>(at)], weights[static_cast<size_t>(weight)], sum);
              }
            }
            if (!residual.empty()) sum += residual[y.size()];
            y.push_back(std::max(sum, node.lo));
          }
        }
      }
    }
    return y;
  }

  static Floats numbers(size_t count) {
    static std::mt19937 random(7);
    Floats all(count);
    for (float& x : all) x = std::uniform_real_distribution<float>(-1, 1)(random);
    return all;
  }
};

TEST_F(FloatLayers, AreLinearLayersOfRows) {
  expect_formula({.input = {7}, .output = {5}});
  expect_formula({.input = {40}, .output = {300}});  // more weights than numbers: threads share columns
  expect_formula({.input = {37, 12}, .output = {37, 20}, .residual = true, .relu = true});
  expect_formula({.input = {3, 4, 6}, .output = {3, 4, 33}});
  expect_formula({.input = {2, 3, 4, 6}, .output = {2, 3, 4, 18}});
}

TEST_F(FloatLayers, OfManyInputsAreCopiedOutOfEachOthersWay) {
  expect_formula({.input = {5, 1024}, .output = {5, 130}});
  expect_formula({.input = {400, 1024}, .output = {400, 128}, .residual = true});  // in blocks of rows
}

TEST_F(FloatLayers, AreConvolutions) {
  expect_formula({.input = {9, 8, 3}, .output = {9, 8, 20}, .windows = {.kernel = {3, 3}, .padding = {1, 1}}});
  expect_formula({.input = {9, 8, 3},
                  .output = {5, 4, 20},
                  .windows = {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}},
                  .relu = true});
  expect_formula({.input = {9, 8, 6}, .output = {5, 4, 17}, .windows = {.kernel = {1, 1}, .stride = {2, 2}}});
  expect_formula({.input = {6, 7, 5}, .output = {5, 6, 9}, .windows = {.kernel = {2, 2}}, .residual = true});
  expect_formula(
      {.input = {8, 9, 4}, .output = {8, 9, 19}, .windows = {.kernel = {3, 3}, .padding = {2, 2}, .dilation = {2, 2}}});
  expect_formula({.input = {12, 4}, .output = {12, 19}, .windows = {.kernel = {1, 3}, .padding = {0, 1}}});
  expect_formula({.input = {4, 4, 3}, .output = {1, 1, 40}, .windows = {.kernel = {4, 4}}});  // a single pixel
}

TEST_F(FloatLayers, AreConvolutionsInBlocksOfRows) {
  expect_formula({.input = {60, 50, 64},
                  .output = {30, 25, 16},
                  .windows = {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}});
}

TEST_F(FloatLayers, AreGroupedConvolutions) {
  expect_formula(
      {.input = {6, 5, 8}, .output = {6, 5, 36}, .windows = {.kernel = {3, 3}, .padding = {1, 1}}, .groups = 2});
  expect_formula({.input = {6, 5, 8}, .output = {6, 5, 8}, .groups = 4, .residual = true});
}

TEST_F(FloatLayers, AreDepthwiseConvolutions) {
  expect_formula(
      {.input = {9, 8, 20}, .output = {9, 8, 20}, .windows = {.kernel = {3, 3}, .padding = {1, 1}}, .depthwise = true});
  expect_formula({.input = {9, 8, 20},
                  .output = {5, 4, 20},
                  .windows = {.kernel = {5, 5}, .stride = {2, 2}, .padding = {2, 2}},
                  .depthwise = true,
                  .residual = true,
                  .relu = true});
}

TEST_F(FloatLayers, AndPoolsMakeANetwork) {
  TinyFloatNet net;
  model_ = net.model;
  store();
  const std::vector<Floats> x = random_inputs(3);
  const Floats y = run(x, 3, 1)[0];
  EXPECT_EQ(run(x, 3, 4)[0], y);
  const Floats first(x[0].begin(), x[0].begin() + 9 * 8 * 3);
  EXPECT_EQ(run({first}, 1, 2)[0], Floats(y.begin(), y.begin() + 6)) << "images do not influence each other";
}

TEST_F(FloatLayers, PoolsTakeTheGreatestAndTheMean) {
  const Windows windows{.kernel = {2, 2}, .stride = {2, 2}, .padding = {1, 0}};
  for (const FloatPooling pooling : {FloatPooling::kMax, FloatPooling::kMean}) {
    build({{1, 3, 4, 5}, {1, 2, 2, 5}}, FloatPool{0, 1, windows, pooling});
    expect_each_image([&](const std::vector<Floats>& x) {
      Floats y;
      const auto at = [&](size_t row, size_t column, size_t c) { return x[0][(row * 4 + column) * 5 + c]; };
      for (size_t row = 0; row < 2; ++row) {
        for (size_t column = 0; column < 4; column += 2) {
          for (size_t c = 0; c < 5; ++c) {
            const float a = row == 0 ? at(0, column, c) : at(1, column, c);
            const float b = row == 0 ? at(0, column + 1, c) : at(1, column + 1, c);
            const bool is_max = pooling == FloatPooling::kMax;
            if (row == 0) {
              y.push_back(is_max ? std::max(a, b) : (a + b) / 4);
            } else {
              const float d = at(2, column, c), e = at(2, column + 1, c);
              y.push_back(is_max ? std::max({a, b, d, e}) : (((a + b) + d) + e) / 4);
            }
          }
        }
      }
      return y;
    });
  }
}

}  // namespace
}  // namespace torquant::runtime
