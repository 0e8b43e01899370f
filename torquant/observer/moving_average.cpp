#include "torquant/observer/moving_average.h"

#include <fmt/format.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/where.h>

#include "torquant/core/error.h"

namespace torquant {

MovingRange move_average(const MovingRange& range, const MovingRange& batch, double averaging_constant) {
  const at::Tensor seen = batch.min <= batch.max;
  const at::Tensor first = range.min > range.max;
  const auto moved = [&](const at::Tensor& value, const at::Tensor& newest) {
    const at::Tensor average = value + averaging_constant * (newest - value);
    return at::where(seen, at::where(first, newest, average), value);
  };
  return {moved(range.min, batch.min), moved(range.max, batch.max)};
}

double checked_averaging_constant(const std::string& where, double constant, bool is_dynamic) {
  if (!(constant > 0 && constant <= 1)) {
    throw Error(
        {.where = where, .what = fmt::format("averaging_constant {}", constant), .allowed = "above 0, up to 1"});
  }
  if (is_dynamic && constant != 1) {
    throw Error({.where = where,
                 .what = fmt::format("averaging_constant {} with is_dynamic: a scale chosen for each value has no past",
                                     constant),
                 .allowed = "1"});
  }
  return constant;
}

}  // namespace torquant
