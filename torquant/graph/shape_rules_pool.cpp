// Pooling, padding, resampling.
#include <fmt/format.h>

#include "torquant/graph/shape_call.h"

namespace torquant::shape {
namespace {

// The leading axes (batch and channels) and how many spatial ones follow.
Dims leading(const Call& call, const TensorMeta& self, size_t spatial) {
  if (self.rank() != spatial + 1 && self.rank() != spatial + 2) {
    call.fail(fmt::format("input of rank {}", self.rank()), fmt::format("{} or {}", spatial + 1, spatial + 2));
  }
  return {self.sizes.begin(), self.sizes.end() - static_cast<std::ptrdiff_t>(spatial)};
}

// How many windows fit; nothing where rounding up meets a symbolic size (ATen/native/Pool.h).
std::optional<Dim> windows(const Call& call, const Dim& size, int64_t kernel, int64_t stride, int64_t padding,
                           int64_t dilation, bool ceil_mode) {
  if (kernel < 1 || stride < 1 || dilation < 1) {
    call.fail(fmt::format("kernel {}, stride {}, dilation {}", kernel, stride, dilation), "1 or more");
  }
  const Dim reach = add(mul(Dim(dilation), Dim(kernel - 1)), Dim(1));
  if (padding < 0 || padding > std::get<int64_t>(reach) / 2) {
    call.fail(fmt::format("padding {} of a kernel of {}", padding, kernel), "0 to half the kernel");
  }
  const Dim room = sub(add(size, mul(Dim(2), Dim(padding))), reach);
  if (!ceil_mode) {
    Dim count = add(floor_div(room, stride), Dim(1));
    if (is_static(count) && std::get<int64_t>(count) < 1) {
      call.fail(fmt::format("a kernel of {} on a size of {} with padding {}", kernel, to_string(size), padding));
    }
    return count;
  }
  if (!is_static(size)) return std::nullopt;
  const Dim steps = ceil_div(room, stride);
  const Dim last_start = mul(steps, Dim(stride));
  const bool in_padding = std::get<int64_t>(last_start) >= std::get<int64_t>(add(size, Dim(padding)));
  return in_padding ? steps : add(steps, Dim(1));
}

template <size_t kSpatial, bool kDilated>
std::optional<Dims> pooled(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  Dims sizes = leading(call, self, kSpatial);
  const std::vector<int64_t> kernel = call.integers("kernel_size", kSpatial);
  std::vector<int64_t> stride = call.node().find_arg("stride") == nullptr ? kernel : call.integers("stride");
  if (stride.empty()) stride = kernel;
  if (stride.size() == 1) stride.resize(kSpatial, stride[0]);
  call.check(stride.size() == kSpatial, fmt::format("stride has {} values", stride.size()));
  const std::vector<int64_t> padding = call.integers("padding", kSpatial);
  const std::vector<int64_t> dilation =
      kDilated ? call.integers("dilation", kSpatial) : std::vector<int64_t>(kSpatial, 1);
  const bool ceil_mode = call.boolean("ceil_mode");
  for (size_t i = 0; i < kSpatial; ++i) {
    const Dim& size = self.sizes[self.rank() - kSpatial + i];
    const auto count = windows(call, size, kernel[i], stride[i], padding[i], dilation[i], ceil_mode);
    if (!count) return std::nullopt;
    sizes.push_back(*count);
  }
  return sizes;
}

template <size_t kSpatial, bool kDilated>
Result pool(const Call& call) {
  const std::optional<Dims> sizes = pooled<kSpatial, kDilated>(call);
  if (!sizes) return std::nullopt;
  return call.one(call.tensor("self").dtype, *sizes);
}
template <size_t kSpatial>
Result max_pool_with_indices(const Call& call) {
  const std::optional<Dims> sizes = pooled<kSpatial, true>(call);
  if (!sizes) return std::nullopt;
  return Metas{call.result(call.tensor("self").dtype, *sizes), call.result(at::kLong, *sizes)};
}

template <size_t kSpatial, bool kIndices>
Result adaptive_pool(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  Dims sizes = leading(call, self, kSpatial);
  std::optional<Dims> output = call.dims("output_size");
  if (!output) return std::nullopt;
  if (output->size() == 1) output->resize(kSpatial, output->front());
  call.check(output->size() == kSpatial, fmt::format("output_size has {} values", output->size()));
  sizes.insert(sizes.end(), output->begin(), output->end());
  Metas metas = call.one(self.dtype, sizes);
  if (kIndices) metas.push_back(call.result(at::kLong, sizes));
  return metas;
}

// Pairs (before, after), the last axis first.
Result pad(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  const std::optional<Dims> padding = call.dims("pad");
  if (!padding) return std::nullopt;
  if (padding->size() % 2 != 0 || padding->size() > 2 * self.rank()) {
    call.fail(fmt::format("pad {} of a tensor of rank {}", text_of(*padding), self.rank()), "two numbers an axis");
  }
  Dims sizes = self.sizes;
  for (size_t i = 0; i < padding->size() / 2; ++i) {
    Dim& size = sizes[sizes.size() - 1 - i];
    size = add(size, add((*padding)[2 * i], (*padding)[2 * i + 1]));
    if (is_static(size) && std::get<int64_t>(size) < 0) {
      call.fail(fmt::format("pad {} makes the size {}", text_of(*padding), to_string(size)));
    }
  }
  return call.one(self.dtype, std::move(sizes));
}

constexpr int64_t kMostFactor = 1 << 20;  // its square fits

// [..., C r², H, W] → [..., C, H r, W r]
Result pixel_shuffle(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  const int64_t factor = call.integer("upscale_factor");
  call.check(self.rank() >= 3, fmt::format("input of rank {}", self.rank()));
  call.check(factor >= 1 && factor <= kMostFactor, fmt::format("upscale_factor {}", factor));
  Dims sizes = self.sizes;
  const size_t channel = self.rank() - 3;
  if (is_static(sizes[channel]) && std::get<int64_t>(sizes[channel]) % (factor * factor) != 0) {
    call.fail(fmt::format("{} channels for an upscale_factor of {}", to_string(sizes[channel]), factor),
              fmt::format("a multiple of {}", factor * factor));
  }
  sizes[channel] = floor_div(sizes[channel], factor * factor);
  for (const size_t axis : {channel + 1, channel + 2}) sizes[axis] = mul(sizes[axis], Dim(factor));
  return call.one(self.dtype, std::move(sizes));
}

Result pixel_unshuffle(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  const int64_t factor = call.integer("downscale_factor");
  call.check(self.rank() >= 3, fmt::format("input of rank {}", self.rank()));
  call.check(factor >= 1 && factor <= kMostFactor, fmt::format("downscale_factor {}", factor));
  Dims sizes = self.sizes;
  const size_t channel = self.rank() - 3;
  sizes[channel] = mul(sizes[channel], Dim(factor * factor));
  for (const size_t axis : {channel + 1, channel + 2}) sizes[axis] = floor_div(sizes[axis], factor);
  return call.one(self.dtype, std::move(sizes));
}

// To output_size, or by scale factors: floor(size * factor) in double (ATen/native/UpSample.h).
Result upsample(const Call& call) {
  const Argument* given = call.node().find_arg("input");
  const TensorMeta& input = call.tensor(given != nullptr ? "input" : "self");
  call.check(input.rank() >= 3, fmt::format("input of rank {}", input.rank()));
  Dims sizes(input.sizes.begin(), input.sizes.begin() + 2);
  if (call.node().find_arg("output_size") != nullptr && !call.is_none("output_size")) {
    const std::optional<Dims> output = call.dims("output_size");
    if (!output) return std::nullopt;
    sizes.insert(sizes.end(), output->begin(), output->end());
    return call.one(input.dtype, std::move(sizes));
  }
  const Argument* factors = call.node().find_arg("scale_factors");
  const auto* values = factors == nullptr ? nullptr : std::get_if<std::vector<double>>(factors);
  if (values == nullptr || values->size() != input.rank() - 2) call.fail("neither output_size nor scale_factors");
  for (size_t i = 0; i < values->size(); ++i) {
    const Dim& size = input.sizes[2 + i];
    const double factor = (*values)[i];
    if (!(factor > 0 && factor <= static_cast<double>(kMostFactor))) call.fail(fmt::format("scale factor {}", factor));
    if (is_static(size)) {
      call.check(std::get<int64_t>(size) <= int64_t{1} << 42, fmt::format("size {}", to_string(size)));
      sizes.emplace_back(static_cast<int64_t>(static_cast<double>(std::get<int64_t>(size)) * factor));
    } else if (factor == static_cast<double>(static_cast<int64_t>(factor))) {
      sizes.push_back(mul(size, Dim(static_cast<int64_t>(factor))));
    } else {
      return std::nullopt;
    }
  }
  return call.one(input.dtype, std::move(sizes));
}

}  // namespace

void add_pool_rules(RuleTable& table) {
  table["max_pool1d.default"] = pool<1, true>;
  table["max_pool2d.default"] = pool<2, true>;
  table["max_pool3d.default"] = pool<3, true>;
  table["avg_pool1d.default"] = pool<1, false>;
  table["avg_pool2d.default"] = pool<2, false>;
  table["avg_pool3d.default"] = pool<3, false>;
  table["max_pool1d_with_indices.default"] = max_pool_with_indices<1>;
  table["max_pool2d_with_indices.default"] = max_pool_with_indices<2>;
  table["max_pool3d_with_indices.default"] = max_pool_with_indices<3>;
  table["adaptive_avg_pool1d.default"] = adaptive_pool<1, false>;
  table["adaptive_avg_pool2d.default"] = adaptive_pool<2, false>;
  table["adaptive_avg_pool3d.default"] = adaptive_pool<3, false>;
  table["adaptive_max_pool1d.default"] = adaptive_pool<1, true>;
  table["adaptive_max_pool2d.default"] = adaptive_pool<2, true>;
  table["adaptive_max_pool3d.default"] = adaptive_pool<3, true>;
  for (const char* name : {"pad.default", "constant_pad_nd.default", "reflection_pad1d.default",
                           "reflection_pad2d.default", "replication_pad1d.default", "replication_pad2d.default"}) {
    table[name] = pad;
  }
  table["pixel_shuffle.default"] = pixel_shuffle;
  table["pixel_unshuffle.default"] = pixel_unshuffle;
  for (const char* name :
       {"upsample_nearest1d.vec", "upsample_nearest2d.vec", "upsample_nearest3d.vec", "upsample_bilinear2d.vec",
        "upsample_bicubic2d.vec", "upsample_linear1d.vec", "upsample_nearest1d.default", "upsample_nearest2d.default",
        "upsample_bilinear2d.default", "upsample_bicubic2d.default"}) {
    table[name] = upsample;
  }
}

}  // namespace torquant::shape
