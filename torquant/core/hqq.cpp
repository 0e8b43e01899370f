#include "torquant/core/hqq.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <vector>

#include "torquant/core/float_formats.h"
#include "torquant/core/rounding.h"

namespace torquant {
namespace {

// The constants of the method's authors, as torchao has them.
constexpr float kLpNorm = 0.7f;
constexpr double kBeta = 10.0;
constexpr double kKappa = 1.01;
constexpr int kIterations = 20;
constexpr float kLargestInvScale = 2e4f;  // kept below what float16 can hold

// sign(x) * max(|x| - |x|^(p - 1) / beta, 0): the proximal operator of the p-norm.
float shrink(float x, float inv_beta) {
  const float magnitude = std::fabs(x);
  if (magnitude == 0) return 0;
  const float shrunk = std::max(magnitude - inv_beta * std::pow(magnitude, kLpNorm - 1.0f), 0.0f);
  return x > 0 ? shrunk : -shrunk;
}

// The elements of one group.
struct Group {
  int64_t begin;
  int64_t stride;
  int64_t size;
  int64_t operator[](int64_t i) const { return begin + i * stride; }
};

class Groups {
 public:
  explicit Groups(const HqqArgs& args) : args_(args) {}
  int64_t count() const { return args_.groups_are_rows ? args_.rows : args_.cols; }
  Group operator[](int64_t g) const {
    return args_.groups_are_rows ? Group{g * args_.cols, 1, args_.cols} : Group{g, args_.cols, args_.rows};
  }

 private:
  const HqqArgs& args_;
};

float code_of(float weight, float inv_scale, float zero, float max) {
  return clamp_keep_nan(round_half_even(weight * inv_scale + zero), 0.0f, max);
}

// One step of the search in a group; adds its |weight - real| to `error`.
float next_zero(const Group& group, std::span<const float> weight, float inv_scale, float zero, float max,
                float inv_beta, double& error) {
  double sum = 0;
  for (int64_t i = 0; i < group.size; ++i) {
    const float w = weight[group[i]];
    const float code = code_of(w, inv_scale, zero, max);
    const float real = (code - zero) / inv_scale;
    const float residual = shrink(w - real, inv_beta);
    sum += code - (w - residual) * inv_scale;
    error += std::fabs(w - real);
  }
  return static_cast<float>(sum / static_cast<double>(group.size));
}

}  // namespace

void hqq_quantize(const HqqArgs& args, std::span<const float> weight, std::span<uint8_t> codes,
                  std::span<float> inv_scale, std::span<float> zero) {
  const Groups groups(args);
  assert(weight.size() == codes.size() && static_cast<int64_t>(weight.size()) == args.rows * args.cols);
  assert(static_cast<int64_t>(inv_scale.size()) == groups.count() && zero.size() == inv_scale.size());
  const auto max = static_cast<float>((1 << args.bits) - 1);
  for (int64_t g = 0; g < groups.count(); ++g) {
    const Group group = groups[g];
    float low = weight[group[0]];
    float high = low;
    for (int64_t i = 0; i < group.size; ++i) {
      low = std::min(low, weight[group[i]]);
      high = std::max(high, weight[group[i]]);
    }
    inv_scale[g] = std::min(max / (high - low), kLargestInvScale);
    zero[g] = -low * inv_scale[g];
    if (args.bits == 4) zero[g] = round_half_even(zero[g]);
    if (!args.optimize) {
      inv_scale[g] = round_to(inv_scale[g], args.compute);
      zero[g] = round_to(zero[g], args.compute);
    }
  }

  double beta = kBeta;
  double best_error = 1e4;
  for (int iteration = 0; args.optimize && iteration < kIterations; ++iteration) {
    double error = 0;
    for (int64_t g = 0; g < groups.count(); ++g) {
      const auto inv_beta = static_cast<float>(1.0 / beta);
      zero[g] = next_zero(groups[g], weight, inv_scale[g], zero[g], max, inv_beta, error);
    }
    beta *= kKappa;
    const double mean_error = static_cast<float>(error / static_cast<double>(weight.size()));
    if (mean_error >= best_error) break;
    best_error = mean_error;
  }

  for (int64_t g = 0; g < groups.count(); ++g) {
    const Group group = groups[g];
    for (int64_t i = 0; i < group.size; ++i) {
      codes[group[i]] = static_cast<uint8_t>(code_of(weight[group[i]], inv_scale[g], zero[g], max));
    }
  }
}

void hqq_quantize_scale_only(const HqqScaleOnlyArgs& args, std::span<const float> weight, std::span<int32_t> codes,
                             std::span<float> scale) {
  constexpr float kFloor = std::numeric_limits<float>::epsilon();
  const auto size = static_cast<size_t>(args.group_size);
  assert(weight.size() == codes.size() && scale.size() * size == weight.size());
  const auto min = static_cast<float>(args.range.min);
  const auto max = static_cast<float>(args.range.max);
  const auto largest = static_cast<float>(std::max(std::abs(args.range.min), std::abs(args.range.max)));
  const auto code_at = [&](size_t i, float s) { return clamp_keep_nan(round_half_even(weight[i] / s), min, max); };

  for (size_t g = 0; g < scale.size(); ++g) {
    float absmax = 0;
    for (size_t i = g * size; i < (g + 1) * size; ++i) absmax = std::max(absmax, std::fabs(weight[i]));
    scale[g] = std::max(absmax / largest, kFloor);
  }
  // All groups take part until the one that changes most changes little.
  for (int iteration = 0; iteration < std::max(1, args.iterations); ++iteration) {
    float largest_change = 0;
    for (size_t g = 0; g < scale.size(); ++g) {
      double products = 0;
      double squares = 0;
      for (size_t i = g * size; i < (g + 1) * size; ++i) {
        const float code = code_at(i, scale[g]);
        products += weight[i] * code;
        squares += code * code;
      }
      const float previous = scale[g];
      if (squares > 0) scale[g] = static_cast<float>(products) / static_cast<float>(squares);
      scale[g] = std::fabs(std::max(scale[g], kFloor));
      largest_change = std::max(largest_change, std::fabs(scale[g] - previous) / std::max(previous, kFloor));
    }
    if (largest_change < args.early_stop) break;
  }
  for (size_t i = 0; i < weight.size(); ++i) codes[i] = static_cast<int32_t>(code_at(i, scale[i / size]));
}

}  // namespace torquant
