#pragma once

#include <cmath>
#include <limits>

#include "tests/support/tiny_model.h"

namespace torquant {

// One layer of a transformer on tokens of 24 numbers: ids → embedding → + positions → layer norm → queries, keys and
// values in one linear layer → attention with a mask, 4 heads of 8 numbers that share 2 of keys → linear → + what the
// norm gave → RMS norm.
class TinyTransformer : public TinyLayers {
 public:
  static constexpr int64_t kTokens = 6, kWidth = 24, kHeads = 4, kKeyHeads = 2, kHeadSize = 8, kRows = 11;
  static constexpr int64_t kPacked = (kHeads + 2 * kKeyHeads) * kHeadSize;

  explicit TinyTransformer(int64_t tokens = kTokens) : tokens_(tokens) {
    using namespace format;
    const auto floats = [this](const char* name, std::vector<int64_t> sizes) {
      return add(name, std::move(sizes), ValueType::kFloat32);
    };
    const ValueIndex ids = add("ids", {1, tokens}, ValueType::kInt64);
    const ValueIndex mask = add("mask", {1, tokens}, ValueType::kInt64);
    const ValueIndex embedded = floats("embedded", {1, tokens, kWidth});
    const ValueIndex positions = floats("positions", {1, tokens, kWidth});
    model.values[positions].constant = numbers("positions", tokens * kWidth, 0.3f);
    const ValueIndex placed = floats("placed", {1, tokens, kWidth}), x = floats("x", {1, tokens, kWidth});
    const ValueIndex qkv = floats("qkv", {1, tokens, kPacked});
    const ValueIndex mask_floats = floats("mask_floats", {1, tokens}), seen = floats("seen", {1, tokens});
    const ValueIndex turned = floats("turned", {1, 1, 1, tokens}), added = floats("added", {1, 1, 1, tokens});
    const ValueIndex attended = floats("attended", {1, tokens, kHeads * kHeadSize});
    const ValueIndex projected = floats("projected", {1, tokens, kWidth}), y = floats("y", {1, tokens, kWidth});
    model.inputs = {ids, mask}, model.outputs = {y};
    model.most_batch = 4;
    model.nodes.push_back({"embedding", Embedding{ids, embedded, numbers("table", kRows * kWidth, 1)}});
    model.nodes.push_back({"place", FloatBinary{embedded, positions, placed, FloatArithmetic::kAdd}});
    model.nodes.push_back(
        {"norm", Normalize{placed, x, -1, numbers("weight", kWidth, 1), numbers("bias", kWidth, 0.2f), 1e-5f, false}});
    model.nodes.push_back({"qkv", linear(x, qkv, kWidth, kPacked)});
    model.nodes.push_back({"integers", FromIntegers{mask, mask_floats}});
    model.nodes.push_back({"seen", FloatMap{mask_floats, seen, FloatFunction::kNotEqual, 0, 0}});
    model.nodes.push_back({"turn", Rearrange{seen, turned, 0, {tokens}, {1}}});
    model.nodes.push_back({"added", FloatMap{turned, added, FloatFunction::kLog}});
    model.nodes.push_back({"attention", Attention{.query = {qkv, 0},
                                                  .key = {qkv, kHeads * kHeadSize},
                                                  .value = {qkv, (kHeads + kKeyHeads) * kHeadSize},
                                                  .output = attended,
                                                  .mask = added,
                                                  .heads = kHeads,
                                                  .key_heads = kKeyHeads,
                                                  .head_size = kHeadSize,
                                                  .scale = 0.35f}});
    model.nodes.push_back({"project", linear(attended, projected, kHeads * kHeadSize, kWidth)});
    model.nodes.push_back({"rms", Normalize{projected, y, x, numbers("rms", kWidth, 1), {}, 1e-6f, true}});
  }

  // Lets it take sequences of `most` tokens as well, and all between.
  void let_grow_to(int64_t most) {
    model.least_length = tokens_, model.most_length = most;
    for (format::Value& value : model.values) {
      for (const int64_t size : value.sizes) value.growth.push_back(size == tokens_ ? 1 : 0);
    }
    model.values[3].constant = numbers("positions", most * kWidth, 0.3f);
    at<format::Rearrange>(6).growth = {0, 1, 0};
  }

  // What it computes, in float64 and with exact products: for one sequence.
  std::vector<double> reference(const int64_t* ids, const int64_t* mask) {
    using Reals = std::vector<double>;
    const auto norm = [](Reals rows, const format::Normalize& node) {
      for (size_t begin = 0; begin < rows.size(); begin += kWidth) {
        double mean = 0, square = 0;
        for (size_t c = 0; c < kWidth && !node.rms; ++c) mean += rows[begin + c] / kWidth;
        for (size_t c = 0; c < kWidth; ++c) square += (rows[begin + c] - mean) * (rows[begin + c] - mean) / kWidth;
        for (size_t c = 0; c < kWidth; ++c) {
          const double bias = node.bias.empty() ? 0 : static_cast<double>(node.bias[c]);
          rows[begin + c] = (rows[begin + c] - mean) / std::sqrt(square + static_cast<double>(node.epsilon)) *
                                static_cast<double>(node.weight[c]) +
                            bias;
        }
      }
      return rows;
    };
    const auto product = [this](const Reals& rows, size_t inputs, size_t outputs, size_t node) {
      const auto& linear = at<format::DynamicLinear>(node);
      std::vector<int8_t> codes(inputs * outputs);
      unpack_weights({.channels = outputs, .inputs = inputs}, linear.weights.data(), codes.data());
      Reals made;
      for (size_t row = 0; row < rows.size() / inputs; ++row) {
        for (size_t n = 0; n < outputs; ++n) {
          double sum = 0;
          for (size_t k = 0; k < inputs; ++k) sum += rows[row * inputs + k] * codes[n * inputs + k];
          made.push_back(sum * static_cast<double>(linear.multiplier[n]) + static_cast<double>(linear.offset[n]));
        }
      }
      return made;
    };
    const auto& table = at<format::Embedding>(0).table;
    Reals placed;
    for (size_t i = 0; i < kTokens * kWidth; ++i) {
      const size_t row = static_cast<size_t>(ids[i / kWidth]);
      placed.push_back(static_cast<double>(table[row * kWidth + i % kWidth] + model.values[3].constant[i]));
    }
    const Reals x = norm(placed, at<format::Normalize>(2));
    const Reals qkv = product(x, kWidth, kPacked, 3);
    Reals attended(kTokens * kHeads * kHeadSize);
    for (size_t head = 0; head < kHeads; ++head) {
      const size_t key = (kHeads + head / 2) * kHeadSize, value = key + kKeyHeads * kHeadSize;
      for (size_t i = 0; i < kTokens; ++i) {
        double sum = 0;
        for (size_t j = 0; j < kTokens; ++j) {
          double score = 0;
          for (size_t d = 0; d < kHeadSize; ++d)
            score += qkv[i * kPacked + head * kHeadSize + d] * qkv[j * kPacked + key + d];
          const double p = mask[j] == 0 ? 0 : std::exp(score * 0.35);
          sum += p;
          for (size_t d = 0; d < kHeadSize; ++d)
            attended[(i * kHeads + head) * kHeadSize + d] += p * qkv[j * kPacked + value + d];
        }
        for (size_t d = 0; d < kHeadSize; ++d) attended[(i * kHeads + head) * kHeadSize + d] /= sum == 0 ? 1 : sum;
      }
    }
    Reals sum = product(attended, kHeads * kHeadSize, kWidth, 9);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += x[i];
    return norm(sum, at<format::Normalize>(10));
  }

 private:
  // From -most to most, the same for the same name.
  std::span<const float> numbers(const char* name, int64_t count, float most) {
    std::seed_seq seed(name, name + 3);
    std::mt19937 random(seed);
    std::vector<float>& made = numbers_.emplace_back();
    for (int64_t i = 0; i < count; ++i) made.push_back(std::uniform_real_distribution<float>(-most, most)(random));
    return made;
  }

  format::DynamicLinear linear(format::ValueIndex input, format::ValueIndex output, int64_t inputs, int64_t outputs) {
    const PackedShape shape{.channels = static_cast<size_t>(outputs), .inputs = static_cast<size_t>(inputs)};
    std::vector<int8_t> codes(shape.codes());
    for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<int8_t>(static_cast<int>(i * 37) % 255 - 127);
    std::vector<int8_t>& packed = packed_.emplace_back(shape.bytes());
    pack_weights(shape, codes.data(), packed.data());
    std::vector<int32_t>& sums = sums_.emplace_back(column_sums(shape, codes.data()));
    sums.resize(shape.panels() * 16, 0);
    return {.input = input,
            .output = output,
            .weights = packed,
            .pairs_fit = fits_.emplace_back(pairs_fit(shape, packed.data())),
            .column_sum = sums,
            .multiplier = numbers_.emplace_back(sums.size(), 0.004f),
            .offset = numbers_.emplace_back(sums.size(), 0.1f)};
  }

  int64_t tokens_;
  std::deque<std::vector<float>> numbers_;
  std::deque<std::vector<int8_t>> packed_;
  std::deque<std::vector<uint8_t>> fits_;
  std::deque<std::vector<int32_t>> sums_;
};

}  // namespace torquant
