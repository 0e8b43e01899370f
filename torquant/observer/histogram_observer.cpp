#include "torquant/observer/histogram_observer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

#include "torquant/core/error.h"
#include "torquant/core/histogram.h"
#include "torquant/observer/finite.h"

namespace torquant {
namespace {

template <class T>
std::span<const T> values_of(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<T>(), static_cast<size_t>(tensor.numel())};
}

// O7 in the arithmetic of T, as torch.histc counts 16-bit floats.
template <class T>
void count_bins_in(const at::Tensor& x, float left, float right, std::span<int64_t> counts) {
  const auto bins = static_cast<T>(static_cast<float>(counts.size()));
  const auto low = static_cast<T>(left);
  const auto high = static_cast<T>(right);
  const T width = high - low;
  for (const T value : values_of<T>(x)) {
    if (!(value >= low && value <= high)) continue;
    const auto bin = static_cast<size_t>(static_cast<float>((value - low) * bins / width));
    ++counts[std::min(bin, counts.size() - 1)];
  }
}

template <class T>
bool overflows(float left, float right, size_t bins) {
  const T width = static_cast<T>(right) - static_cast<T>(left);
  return !std::isfinite(static_cast<float>(width * static_cast<T>(static_cast<float>(bins))));
}

// torch.histc(x, bins, left, right) as float32 [bins]; left <= right.
at::Tensor count(const at::Tensor& x, int64_t bins, float left, float right) {
  std::vector<int64_t> counts(static_cast<size_t>(bins));
  if (left == right) {  // PyTorch's widening of an empty range
    left -= 1;
    right += 1;
  }
  if (!(left < right)) {  // beyond 2^24, where 1 is lost: all values are equal
    counts[counts.size() / 2] = x.numel();
  } else if (x.scalar_type() == at::kBFloat16 && !overflows<at::BFloat16>(left, right, counts.size())) {
    count_bins_in<at::BFloat16>(x, left, right, counts);
  } else if (x.scalar_type() == at::kHalf && !overflows<at::Half>(left, right, counts.size())) {
    count_bins_in<at::Half>(x, left, right, counts);
  } else {
    count_bins(values_of<float>(x.to(at::kFloat)), left, right, counts);
  }
  at::Tensor result = at::empty({bins}, at::kFloat);
  std::copy(counts.begin(), counts.end(), result.mutable_data_ptr<float>());
  return result;
}

// The histogram over [min, max] as one over the wider [new_min, new_max] (O8).
at::Tensor widen(const at::Tensor& histogram, float min, float max, float new_min, float new_max) {
  const int64_t bins = histogram.numel();
  if (min == max) return count(at::full({1}, min, at::kFloat), bins, new_min, new_max) * at::sum(histogram);
  const int64_t parts = bins * kBinParts;
  const float part_width = (max - min) / static_cast<float>(parts);
  const at::Tensor middle = at::linspace(min, max, parts + 1, at::kFloat).slice(0, 0, parts).add_(0.5f * part_width);
  const at::Tensor edges = at::linspace(new_min, new_max, bins + 1, at::kFloat);
  at::Tensor result = at::empty_like(histogram);
  rebin(values_of<float>(histogram), values_of<float>(middle), values_of<float>(edges),
        {result.mutable_data_ptr<float>(), static_cast<size_t>(bins)});
  return result;
}

}  // namespace

HistogramObserver::HistogramObserver(int64_t bins, const ObserverSpec& spec, const ObserverOptions& options)
    : UniformObserver("HistogramObserver", spec, options, Channels::kNo),
      bins_(bins),
      codes_(int64_t{1} << bits_of(storage_dtype(options.dtype))) {
  constexpr int64_t kMostBins = int64_t{1} << 20;  // an exact float32, and bin numbers are counted in int32
  if (bins < 1 || bins > kMostBins) {
    throw Error(
        {.where = type_name(), .what = fmt::format("bins {}", bins), .allowed = fmt::format("1 to {}", kMostBins)});
  }
  if (options.is_dynamic) throw Error({.where = type_name(), .what = "is_dynamic", .allowed = "static quantization"});
  histogram_ = at::zeros({bins}, at::kFloat);
}

bool HistogramObserver::observed() const { return min_val_.item<float>() <= max_val_.item<float>(); }

at::Tensor HistogramObserver::observe(const at::Tensor& x) {
  check_input(x);
  if (x.numel() == 0) return x;
  const at::NoGradGuard no_grad;
  const at::Tensor data = (x.scalar_type() == at::kDouble ? x.to(at::kFloat) : x.detach()).contiguous();
  const FiniteRange range = finite_range(data);
  count_nonfinite(range.nonfinite);
  if (!range.values.defined()) return x;

  const float left = std::min(min_val_.item<float>(), range.min.to(at::kFloat).item<float>());
  const float right = std::max(max_val_.item<float>(), range.max.to(at::kFloat).item<float>());
  check_range(left, right);
  add(count(range.values, bins_, left, right), left, right);
  return x;
}

void HistogramObserver::check_range(float left, float right) const {
  if (std::isfinite((right - left) * static_cast<float>(bins_))) return;
  throw Error({.where = type_name(),
               .what = fmt::format("observed values from {} to {}", left, right),
               .allowed = fmt::format("a range of up to {:.3g}",
                                      std::numeric_limits<float>::max() / static_cast<float>(bins_))});
}

void HistogramObserver::add(const at::Tensor& histogram, float min, float max) {
  if (!observed()) {
    histogram_ = histogram.clone();
    min_val_ = at::scalar_tensor(min, at::kFloat);
    max_val_ = at::scalar_tensor(max, at::kFloat);
    return;
  }
  const float own_min = min_val_.item<float>();
  const float own_max = max_val_.item<float>();
  const float left = std::min(own_min, min);
  const float right = std::max(own_max, max);
  check_range(left, right);
  const auto on_union = [&](const at::Tensor& bins, float low, float high) {
    return low == left && high == right ? bins : widen(bins, low, high, left, right);
  };
  histogram_ = on_union(histogram_, own_min, own_max) + on_union(histogram, min, max);
  min_val_ = at::scalar_tensor(left, at::kFloat);
  max_val_ = at::scalar_tensor(right, at::kFloat);
}

// O10: from both ends, 1e-5 of the mass at a time, on the side where that passes more bins, while the error does not
// grow.
HistogramObserver::BinRange HistogramObserver::search() const {
  constexpr double kStep = 1e-5;
  const at::Tensor cumulative_mass = at::cumsum(histogram_, 0);
  const float* cumulative = cumulative_mass.const_data_ptr<float>();
  const double total = at::sum(histogram_).item<float>();
  const double bin_width =
      (static_cast<double>(max_val_.item<float>()) - min_val_.item<float>()) / static_cast<double>(bins_);
  const at::Tensor density = histogram_ / bin_width;
  at::Tensor errors = at::empty_like(histogram_);
  const auto error_of = [&](BinRange kept) -> double {
    if (bin_width * static_cast<double>(kept.end - kept.start + 1) / static_cast<double>(codes_) == 0) return 0;
    quantization_error({.density = values_of<float>(density),
                        .bin_width = bin_width,
                        .start = kept.start,
                        .end = kept.end,
                        .codes = codes_},
                       {errors.mutable_data_ptr<float>(), static_cast<size_t>(bins_)});
    return at::sum(errors).item<float>();
  };

  BinRange kept = {0, bins_ - 1};
  double least_error = std::numeric_limits<double>::infinity();
  double alpha = 0;  // the share of the mass cut off below, and 1 - beta that above
  double beta = 1;
  int64_t left = 0;  // the first bin at or above alpha, and the last one at or below beta: they only move inwards
  int64_t right = bins_ - 1;
  while (alpha < beta) {
    const double next_alpha = alpha + kStep;
    const double next_beta = beta - kStep;
    const auto lowest_mass = static_cast<float>(next_alpha * total);
    const auto highest_mass = static_cast<float>(next_beta * total);
    while (left < kept.end && cumulative[left] < lowest_mass) ++left;
    while (right > kept.start && cumulative[right] > highest_mass) --right;
    BinRange next = kept;
    if (std::min(left, kept.end) - kept.start > kept.end - std::max(right, kept.start)) {
      next.start = std::min(left, kept.end);
      alpha = next_alpha;
    } else {
      next.end = std::max(right, kept.start);
      beta = next_beta;
      if (next.end == kept.end) continue;
    }
    const double error = error_of(next);
    if (error > least_error) break;
    least_error = error;
    kept = next;
  }
  return kept;
}

TensorQParams HistogramObserver::calculate_qparams() const {
  if (!observed()) return qparams_of(min_val_, max_val_);  // says why not
  const BinRange kept = search();
  const at::Tensor bin_width = (max_val_ - min_val_) / bins_;
  return qparams_of(min_val_ + bin_width * kept.start, min_val_ + bin_width * (kept.end + 1));
}

Observer::State HistogramObserver::state() const {
  State state = UniformObserver::state();
  state["histogram"] = histogram_.clone();
  return state;
}

void HistogramObserver::load_state(const State& state) {
  const at::Tensor histogram = state_floats(state, "histogram", type_name());
  if (histogram.dim() != 1 || histogram.numel() != bins_) {
    throw Error({.where = type_name(),
                 .what = fmt::format("the saved histogram has {} bins", histogram.numel()),
                 .allowed = std::to_string(bins_)});
  }
  for (const float mass : values_of<float>(histogram)) {
    if (std::isfinite(mass) && mass >= 0) continue;
    throw Error(
        {.where = type_name(), .what = fmt::format("the saved histogram holds {}", mass), .allowed = "finite, from 0"});
  }
  UniformObserver::load_state(state);
  if (observed()) check_range(min_val_.item<float>(), max_val_.item<float>());
  histogram_ = histogram;
}

// O14.
void HistogramObserver::merge(const Observer& other) {
  const auto& same = same_type<HistogramObserver>(other);
  if (same.bins_ != bins_) {
    throw Error({.where = type_name(),
                 .what = fmt::format("cannot merge a histogram of {} bins", same.bins_),
                 .allowed = std::to_string(bins_)});
  }
  Observer::merge(other);
  if (same.observed()) add(same.histogram_, same.min_val_.item<float>(), same.max_val_.item<float>());
}

}  // namespace torquant
