#include "torquant/observer/affine_observer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <optional>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/all.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include "torquant/core/error.h"
#include "torquant/core/quantize.h"
#include "torquant/observer/moving_average.h"

namespace torquant {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

DType dtype_of_tensor(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return DType::kFloat32;
    case at::kDouble:
      return DType::kFloat64;
    case at::kHalf:
      return DType::kFloat16;
    default:
      return DType::kBFloat16;  // check_input lets nothing else in
  }
}

ConstArray array_of(const at::Tensor& tensor) {
  return {dtype_of_tensor(tensor), tensor.const_data_ptr(), tensor.numel()};
}

// x seen so that each block is reduced whole along `axes`. None: each element is a block.
struct BlockView {
  at::Tensor x;
  std::vector<int64_t> axes;
};

BlockView view_blocks(const at::Tensor& x, const std::vector<int64_t>& block_size) {
  std::vector<int64_t> shape;
  BlockView view;
  for (int64_t i = 0; i < x.dim(); ++i) {
    const int64_t block = block_size[static_cast<size_t>(i)];
    if (block != 1 && block != x.size(i)) shape.push_back(x.size(i) / block);
    if (block != 1) view.axes.push_back(static_cast<int64_t>(shape.size()));
    shape.push_back(block == 1 ? x.size(i) : block);
  }
  view.x = x.reshape(shape);
  return view;
}

at::Tensor least(const BlockView& view) { return view.axes.empty() ? view.x : at::amin(view.x, view.axes); }
at::Tensor greatest(const BlockView& view) { return view.axes.empty() ? view.x : at::amax(view.x, view.axes); }

struct BlockRange {
  at::Tensor min;
  at::Tensor max;
  int64_t nonfinite = 0;
};

BlockRange finite_block_range(const at::Tensor& x, const std::vector<int64_t>& block_size) {
  const BlockView view = view_blocks(x, block_size);
  BlockRange range = {least(view), greatest(view)};
  if (at::all(at::isfinite(range.min) & at::isfinite(range.max)).item<bool>()) return range;
  const at::Tensor finite = at::isfinite(view.x);
  return {least({at::where(finite, view.x, at::full_like(view.x, kInfinity)), view.axes}),
          greatest({at::where(finite, view.x, at::full_like(view.x, -kInfinity)), view.axes}),
          x.numel() - finite.sum().item<int64_t>()};
}

[[noreturn]] void refuse_merge_of(const std::string& name) {
  throw Error({.where = name,
               .what = "cannot merge: what it keeps depends on the order of the batches",
               .hint = "use AffineQuantizedMinMaxObserver, or observe all batches in one place"});
}

void check_steps(const std::string& name, int64_t steps) {
  if (steps < 1) throw Error({.where = name, .what = fmt::format("steps {}", steps), .allowed = "1 and more"});
}

}  // namespace

AffineQuantizedObserver::AffineQuantizedObserver(std::string type_name, const AffineSpec& affine,
                                                 const ObserverOptions& options)
    : affine_(affine),
      dtype_(options.dtype),
      range_(checked_quant_range(type_name.c_str(), options.dtype,
                                 options.quant_range ? std::optional(options.quant_range->min) : std::nullopt,
                                 options.quant_range ? std::optional(options.quant_range->max) : std::nullopt)),
      type_name_(std::move(type_name)) {
  if (affine.eps && !(*affine.eps > 0)) {
    throw Error({.where = type_name_, .what = fmt::format("eps {}", *affine.eps), .allowed = "above 0"});
  }
}

at::Tensor AffineQuantizedObserver::observe(const at::Tensor& x) {
  check_input(x);
  if (x.numel() == 0) return x;
  const at::NoGradGuard no_grad;
  block_size_ = block_size_of(affine_.granularity, x.sizes());
  const BlockRange range = finite_block_range(x.detach(), block_size_);
  count_nonfinite(range.nonfinite);
  check_blocks(range.min);
  update(x.detach(), range.min, range.max);
  return x;
}

void AffineQuantizedObserver::check_blocks(const at::Tensor& min) const {
  if (!observed() || min.sizes() == min_val_.sizes()) return;
  throw Error({.where = type_name_,
               .what = fmt::format("{} gives blocks of shape [{}]", torquant::to_string(affine_.granularity),
                                   fmt::join(min.sizes(), ", ")),
               .allowed = fmt::format("[{}], as in the first batch", fmt::join(min_val_.sizes(), ", "))});
}

TensorQParams AffineQuantizedObserver::calculate_qparams() const {
  if (!observed()) refuse_qparams("it observed nothing; calibrate with at least one batch that reaches it");
  return qparams_of(min_val_, max_val_);
}

TensorQParams AffineQuantizedObserver::qparams_of(const at::Tensor& min, const at::Tensor& max) const {
  const ChooseQParamsArgs args = {
      .mapping = affine_.mapping_type, .range = range_, .eps = affine_.eps, .compute = dtype_of_tensor(min)};
  const at::Tensor low = min.to(at::kDouble).contiguous();
  const at::Tensor high = max.to(at::kDouble).contiguous();
  at::Tensor scale = at::empty_like(low);
  at::Tensor zero_point = at::empty_like(low);
  for (int64_t i = 0; i < low.numel(); ++i) {
    const double block_min = low.const_data_ptr<double>()[i];
    const double block_max = high.const_data_ptr<double>()[i];
    if (!(block_min <= block_max)) refuse_qparams(fmt::format("block {} holds no finite value", i));
    const QParams chosen = choose_qparams(block_min, block_max, args);
    scale.mutable_data_ptr<double>()[i] = chosen.scale;
    zero_point.mutable_data_ptr<double>()[i] = chosen.zero_point;
  }
  return {scale.to(affine_.scale_dtype.value_or(min.scalar_type())), zero_point.to(affine_.zero_point_dtype)};
}

Observer::State AffineQuantizedObserver::state() const {
  State state = Observer::state();
  if (observed()) {
    state["min_val"] = min_val_.clone();
    state["max_val"] = max_val_.clone();
  }
  return state;
}

void AffineQuantizedObserver::load_state(const State& state) {
  Observer::load_state(state);
  const bool saved = state.contains("min_val");
  min_val_ = saved ? state_tensor(state, "min_val", type_name_).clone() : at::Tensor();
  max_val_ = saved ? state_tensor(state, "max_val", type_name_).clone() : at::Tensor();
}

void AffineQuantizedMinMaxObserver::update(const at::Tensor&, const at::Tensor& min, const at::Tensor& max) {
  max_val_ = observed() ? at::maximum(max_val_, max) : max.clone();
  min_val_ = observed() ? at::minimum(min_val_, min) : min.clone();
}

void AffineQuantizedMinMaxObserver::merge(const Observer& other) {
  const auto& same = same_type<AffineQuantizedMinMaxObserver>(other);
  if (same.observed()) check_blocks(same.min_val_);
  Observer::merge(other);
  if (same.observed()) update({}, same.min_val_, same.max_val_);
}

AffineQuantizedMovingAverageMinMaxObserver::AffineQuantizedMovingAverageMinMaxObserver(double averaging_constant,
                                                                                       const AffineSpec& affine,
                                                                                       const ObserverOptions& options)
    : AffineQuantizedObserver("AffineQuantizedMovingAverageMinMaxObserver", affine, options),
      averaging_constant_(checked_averaging_constant(type_name(), averaging_constant, options.is_dynamic)) {}

void AffineQuantizedMovingAverageMinMaxObserver::update(const at::Tensor&, const at::Tensor& min,
                                                        const at::Tensor& max) {
  if (!observed()) {
    min_val_ = min.clone();
    max_val_ = max.clone();
    return;
  }
  const MovingRange moved = move_average({min_val_, max_val_}, {min, max}, averaging_constant_);
  min_val_ = moved.min;
  max_val_ = moved.max;
}

void AffineQuantizedMovingAverageMinMaxObserver::merge(const Observer&) { refuse_merge_of(type_name()); }

AffineQuantizedMSEObserver::AffineQuantizedMSEObserver(const AffineMSESpec& mse, const ObserverOptions& options)
    : AffineQuantizedObserver("AffineQuantizedMSEObserver", mse.affine, options),
      steps_(mse.steps),
      run_once_(mse.run_once) {
  check_steps(type_name(), steps_);
}

void AffineQuantizedMSEObserver::update(const at::Tensor& x, const at::Tensor& min, const at::Tensor& max) {
  if (run_once_ && observed()) return;
  const at::Tensor absmax = at::maximum(min.abs(), max);
  at::Tensor best_min = min;
  at::Tensor best_max = max;
  at::Tensor least_error = at::zeros_like(min) + 1e9;
  for (int64_t step = 1; step <= steps_; ++step) {
    const at::Tensor reach = absmax / steps_ * step;
    const at::Tensor error = error_of(x, reach);
    const at::Tensor better = error < least_error;
    best_min = at::where(better, -reach, best_min);
    best_max = at::where(better, reach, best_max);
    least_error = at::minimum(error, least_error);
  }
  min_val_ = best_min;
  max_val_ = best_max;
}

// The mean squared error of quantizing each block of x to [-reach, reach].
at::Tensor AffineQuantizedMSEObserver::error_of(const at::Tensor& x, const at::Tensor& reach) const {
  const TensorQParams qparams = qparams_of(-reach, reach);
  const at::Tensor input = x.contiguous();
  const at::Tensor scale = qparams.scale.to(at::kFloat).contiguous();
  const at::Tensor zero_point = qparams.zero_point.to(at::kFloat).contiguous();
  at::Tensor output = at::empty_like(input);
  fake_quantize({.rule = ZeroPointRule::kAfterRounding, .range = range_},
                BlockLayout(type_name().c_str(), x.sizes(), block_size()), array_of(input),
                {.scale = array_of(scale), .zero_point = array_of(zero_point)},
                {dtype_of_tensor(output), output.mutable_data_ptr(), output.numel()}, {});
  const BlockView view = view_blocks((output - x).abs().pow(2), block_size());
  return view.axes.empty() ? view.x : at::mean(view.x, view.axes);
}

void AffineQuantizedMSEObserver::merge(const Observer&) { refuse_merge_of(type_name()); }

AffineQuantizedFixedQParamObserver::AffineQuantizedFixedQParamObserver(const AffineSpec& affine,
                                                                       const ObserverOptions& options)
    : affine_(affine) {
  checked_quant_range("AffineQuantizedFixedQParamObserver", options.dtype,
                      options.quant_range ? std::optional(options.quant_range->min) : std::nullopt,
                      options.quant_range ? std::optional(options.quant_range->max) : std::nullopt);
  set_qparams(at::full({1}, 1.0, at::kFloat));
}

void AffineQuantizedFixedQParamObserver::set_qparams(const at::Tensor& scale, const at::Tensor& zero_point) {
  if (!at::all(at::isfinite(scale) & (scale > 0)).item<bool>()) {
    throw Error({.where = type_name(), .what = "a scale is not above 0", .allowed = "finite scales above 0"});
  }
  scale_ = scale.to(affine_.scale_dtype.value_or(scale.scalar_type())).clone();
  zero_point_ = zero_point.defined() ? zero_point.to(affine_.zero_point_dtype).clone()
                                     : at::zeros_like(scale, affine_.zero_point_dtype);
}

Observer::State AffineQuantizedFixedQParamObserver::state() const {
  State state = Observer::state();
  state["scale"] = scale_.clone();
  state["zero_point"] = zero_point_.clone();
  return state;
}

void AffineQuantizedFixedQParamObserver::load_state(const State& state) {
  Observer::load_state(state);
  set_qparams(state_tensor(state, "scale", type_name()), state_tensor(state, "zero_point", type_name()));
}

}  // namespace torquant
