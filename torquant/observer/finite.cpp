#include "torquant/observer/finite.h"

#include <cmath>
#include <limits>
#include <tuple>

#include <ATen/ops/all.h>
#include <ATen/ops/aminmax.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/masked_select.h>
#include <ATen/ops/where.h>

namespace torquant {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

// aminmax is NaN where x has one and infinite where x is, so that finite data costs one pass.
FiniteRange finite_range(const at::Tensor& x) {
  auto [min, max] = at::aminmax(x);
  if (std::isfinite(min.item<double>()) && std::isfinite(max.item<double>())) return {x, min, max, 0};
  const at::Tensor finite = at::masked_select(x, at::isfinite(x));
  const int64_t nonfinite = x.numel() - finite.numel();
  if (finite.numel() == 0) return {{}, {}, {}, nonfinite};
  std::tie(min, max) = at::aminmax(finite);
  return {finite, min, max, nonfinite};
}

FiniteRangePerRow finite_range_per_row(const at::Tensor& x) {
  auto [min, max] = at::aminmax(x, /*dim=*/1);
  if (at::all(at::isfinite(min)).item<bool>() && at::all(at::isfinite(max)).item<bool>()) return {min, max, 0};
  const at::Tensor finite = at::isfinite(x);
  return {std::get<0>(at::aminmax(at::where(finite, x, kInfinity), 1)),
          std::get<1>(at::aminmax(at::where(finite, x, -kInfinity), 1)), x.numel() - finite.sum().item<int64_t>()};
}

}  // namespace torquant
