#include "torquant/graph/made_up_tensor.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "torquant/core/error.h"

namespace torquant {
namespace {

uint64_t fnv1a(std::string_view text) {
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

// Far above what anyone makes up; a text may ask for anything.
constexpr int64_t kMostElements = int64_t{1} << 28;

void check_size(const std::string& name, const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides) {
  int64_t elements = 1, reach = 1;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const int64_t stride = i < strides.size() ? std::max<int64_t>(1, strides[i]) : 1;
    if (sizes[i] > kMostElements / elements || (sizes[i] > 1 && stride > (kMostElements - reach) / (sizes[i] - 1))) {
      throw Error({.where = name,
                   .what = fmt::format("sizes [{}] are too many to make up", fmt::join(sizes, ", ")),
                   .allowed = fmt::format("{} elements", kMostElements)});
    }
    elements = std::max<int64_t>(1, elements * sizes[i]);
    reach += std::max<int64_t>(0, sizes[i] - 1) * stride;
  }
}

std::vector<int64_t> numbers(const std::string& name, const std::vector<Dim>& dims, std::string_view what) {
  std::vector<int64_t> values;
  for (const Dim& dim : dims) {
    if (!is_static(dim)) {
      throw Error({.where = name, .what = fmt::format("{} {} of a stored tensor", what, to_string(dim))});
    }
    values.push_back(std::get<int64_t>(dim));
  }
  return values;
}

}  // namespace

at::Tensor made_up_tensor(const std::string& name, const TensorMeta& meta) {
  const std::vector<int64_t> sizes = numbers(name, meta.sizes, "size");
  const std::vector<int64_t> strides = numbers(name, meta.strides, "stride");
  check_size(name, sizes, strides);
  const bool is_positive = name.find("var") != std::string::npos || name.find("scale") != std::string::npos;
  try {
    at::Tensor tensor = at::empty_strided(sizes, strides, at::TensorOptions().dtype(meta.dtype));
    const at::Generator generator = at::detail::createCPUGenerator(fnv1a(name));
    if (!c10::isFloatingType(meta.dtype)) {
      tensor.zero_();
    } else if (is_positive) {
      tensor.copy_(at::rand(sizes, generator).add_(0.5));
    } else {
      tensor.copy_(at::randn(sizes, generator).mul_(0.2));
    }
    return tensor;
  } catch (const c10::Error& error) {
    throw Error({.where = name, .what = error.what_without_backtrace()});
  }
}

}  // namespace torquant
