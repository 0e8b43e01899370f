#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <vector>

#include "torquant/core/float_formats.h"
#include "torquant/core/quantize.h"
#include "torquant/core/rounding.h"

// The bodies of the formulas Q10 to Q15, shared by quantize.cpp and fake_quantize.cpp; not for other files.

namespace torquant::quantize_internal {

// Elements in flight: five float arrays of this length fit the first-level cache (20 KB).
constexpr int64_t kChunk = 1024;

inline bool is_double(DType dtype) { return dtype == DType::kFloat64; }

// --- Roundings after each operation: none where the arithmetic type is the dtype, else to a dtype known at run time.

struct Exact {
  explicit Exact(DType) {}
  template <class T>
  T operator()(T value) const {
    return value;
  }
};

class RoundTo {
 public:
  explicit RoundTo(DType dtype) : dtype_(dtype) {}
  template <class T>
  T operator()(T value) const {
    return round_to(value, dtype_);
  }

 private:
  DType dtype_;
};

// --- What a formula needs of a block, computed once a block and spread over the elements of a chunk.

template <class T>
struct Constants {
  std::vector<T> first;   // by block: the reciprocal scale, or for kFloat the value of code "minus mid"
  std::vector<T> second;  // the zero point, or for kFloat the scale
};

template <class T>
class Spread {
 public:
  Spread(const BlockLayout& layout, const Constants<T>& constants) : layout_(layout), constants_(constants) {}

  // Makes first()[i], second()[i] those of element begin + i.
  void move_to(int64_t begin, int64_t count) {
    int64_t filled = 0;
    layout_.for_each_run(begin, begin + count, [&](int64_t, int64_t run, int64_t block) {
      const bool kept = filled == 0 && uniform_block_ == block && uniform_count_ >= run;
      if (!kept) {
        std::fill_n(first_.begin() + filled, run, constants_.first[block]);
        std::fill_n(second_.begin() + filled, run, constants_.second[block]);
        uniform_block_ = filled == 0 ? block : -1;
        uniform_count_ = run;
      }
      filled += run;
    });
  }

  const T* first() const { return first_.data(); }
  const T* second() const { return second_.data(); }

 private:
  const BlockLayout& layout_;
  const Constants<T>& constants_;
  // The block that the beginning of both arrays holds, so that long blocks are filled in once; -1: several.
  int64_t uniform_block_ = -1;
  int64_t uniform_count_ = 0;
  std::array<T, kChunk> first_;
  std::array<T, kChunk> second_;
};

inline double mid_point(const QuantRange& range) { return static_cast<double>(range.max + range.min + 1) / 2; }

// --- Quantize (Q10 to Q13).

// The dtypes of the steps, by PyTorch's promotion: x * inv_scale (or x - base), then + zero_point (or / scale).
struct QuantizeDTypes {
  DType first;
  DType second;
};

inline QuantizeDTypes quantize_dtypes(const QuantizeArgs& args, DType input, const BlockQParams& qparams) {
  if (args.scalar_qparams) return {input, input};
  if (args.rule == ZeroPointRule::kFloat) {
    const DType base = promote(qparams.zero_point.dtype, qparams.scale.dtype);
    const DType first = promote(input, base);
    return {first, promote(first, qparams.scale.dtype)};
  }
  const DType first = promote(input, qparams.scale.dtype);
  return {first, args.rule == ZeroPointRule::kNone ? first : promote(first, qparams.zero_point.dtype)};
}

template <class T>
Constants<T> quantize_constants(const QuantizeArgs& args, int64_t blocks, const BlockQParams& qparams, DType second) {
  Constants<T> constants{std::vector<T>(blocks), std::vector<T>(blocks)};
  const DType scale_dtype = qparams.scale.dtype;
  for (int64_t i = 0; i < blocks; ++i) {
    const double scale = element(qparams.scale, i);
    const double zero_point = args.rule == ZeroPointRule::kNone ? 0 : element(qparams.zero_point, i);
    if (args.rule == ZeroPointRule::kFloat) {
      const double half = round_to(scale * mid_point(args.range), scale_dtype);
      constants.first[i] = round_to(zero_point - half, promote(qparams.zero_point.dtype, scale_dtype));
      constants.second[i] = scale;
    } else {
      constants.first[i] = round_to(1.0 / scale, scale_dtype);
      constants.second[i] = round_to(zero_point, second);
    }
  }
  return constants;
}

// The ends of the range as numbers of the dtype the clamp works in.
template <class T>
struct Clamp {
  Clamp(const QuantRange& range, DType dtype)
      : min(round_to(static_cast<T>(range.min), dtype)), max(round_to(static_cast<T>(range.max), dtype)) {}
  T operator()(T code) const { return clamp_keep_nan(code, min, max); }
  bool contains(T code) const { return code >= min && code <= max; }
  T min;
  T max;
};

struct NoClamp {
  template <class T>
  T operator()(T code) const {
    return code;
  }
};

// One body for the formulas Q10 to Q13.
template <class Round, class T, class ClampOrNot>
void quantize_chunk(ZeroPointRule rule, const QuantizeDTypes& dtypes, ClampOrNot clamp, int64_t count, const T* x,
                    const T* first, const T* second, T* codes) {
  const Round round_first(dtypes.first);
  const Round round_second(dtypes.second);
  switch (rule) {
    case ZeroPointRule::kAfterRounding:
      for (int64_t i = 0; i < count; ++i) {
        codes[i] = clamp(round_second(round_half_even(round_first(x[i] * first[i])) + second[i]));
      }
      return;
    case ZeroPointRule::kBeforeRounding:
      for (int64_t i = 0; i < count; ++i) {
        codes[i] = clamp(round_half_even(round_second(round_first(x[i] * first[i]) + second[i])));
      }
      return;
    case ZeroPointRule::kFloat:
      for (int64_t i = 0; i < count; ++i) {
        codes[i] = clamp(round_half_even(round_second(round_first(x[i] - first[i]) / second[i])));
      }
      return;
    case ZeroPointRule::kNone:
      for (int64_t i = 0; i < count; ++i) codes[i] = clamp(round_half_even(round_first(x[i] * first[i])));
      return;
  }
}

// --- Dequantize (Q14, Q15).

template <class T>
Constants<T> dequantize_constants(const DequantizeArgs& args, int64_t blocks, const BlockQParams& qparams) {
  Constants<T> constants{std::vector<T>(blocks), std::vector<T>(blocks)};
  const bool has_zero_point = args.rule != ZeroPointRule::kNone;
  for (int64_t i = 0; i < blocks; ++i) {
    constants.first[i] = element(qparams.scale, i);
    const double zero_point = has_zero_point ? element(qparams.zero_point, i) : 0;
    const bool as_it_is = args.rule == ZeroPointRule::kFloat || args.scalar_qparams;
    constants.second[i] = as_it_is ? zero_point : round_to(zero_point, args.difference_dtype);
  }
  return constants;
}

template <class Round, class T>
void dequantize_chunk(const DequantizeArgs& args, int64_t count, const T* codes, const T* scale, const T* zero_point,
                      T* real) {
  const Round round_difference(args.difference_dtype);
  const Round round_product(args.product_dtype);
  const Round round_sum(args.sum_dtype);
  if (args.rule == ZeroPointRule::kFloat) {
    const T mid = static_cast<T>(mid_point(args.range));
    for (int64_t i = 0; i < count; ++i) {
      const T product = round_difference(round_product(round_difference(codes[i] - mid) * scale[i]));
      real[i] = round_sum(product + zero_point[i]);
    }
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    const T difference = round_difference(round_difference(codes[i]) - zero_point[i]);
    real[i] = round_product(round_product(difference) * scale[i]);
  }
}

// Whether float holds every code and difference: integers are exact below 2^24.
inline bool fits_float(const DequantizeArgs& args, const ConstArray& codes, const BlockQParams& qparams) {
  if (!is_integer(args.difference_dtype)) return true;
  if (is_integer(codes.dtype) && bits_of(codes.dtype) > 16) return false;
  for (int64_t i = 0; args.rule != ZeroPointRule::kNone && i < qparams.zero_point.size; ++i) {
    if (std::abs(element(qparams.zero_point, i)) >= 0x1p23) return false;
  }
  return true;
}

// --- Elements in and out: in place where they are of the arithmetic's own type, else through `buffer`.

template <class T>
const T* loaded(const ConstArray& from, int64_t begin, int64_t count, std::array<T, kChunk>& buffer) {
  if (from.dtype == torquant::dtype_of<T>()) return static_cast<const T*>(from.data) + begin;
  load(from, begin, count, buffer.data());
  return buffer.data();
}

template <class T>
class Sink {
 public:
  Sink(const Array& to, int64_t begin, int64_t count) : to_(to), begin_(begin), count_(count) {}
  ~Sink() {
    if (!direct()) store(buffer_.data(), to_, begin_, count_);
  }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  T* data() { return direct() ? static_cast<T*>(to_.data) + begin_ : buffer_.data(); }

 private:
  bool direct() const { return to_.dtype == torquant::dtype_of<T>(); }

  const Array& to_;
  int64_t begin_;
  int64_t count_;
  std::array<T, kChunk> buffer_;
};

inline bool all_float32(const QuantizeDTypes& dtypes) {
  return dtypes.first == DType::kFloat32 && dtypes.second == DType::kFloat32;
}
inline bool any_double(const QuantizeDTypes& dtypes) { return is_double(dtypes.first) || is_double(dtypes.second); }

inline bool all_float32(const DequantizeArgs& args) {
  const bool difference = args.difference_dtype == DType::kFloat32 || is_integer(args.difference_dtype);
  return difference && args.product_dtype == DType::kFloat32 && args.sum_dtype == DType::kFloat32;
}
inline bool any_double(const DequantizeArgs& args) {
  return is_double(args.difference_dtype) || is_double(args.product_dtype) || is_double(args.sum_dtype);
}

inline void check_sizes([[maybe_unused]] const BlockLayout& layout, [[maybe_unused]] ZeroPointRule rule,
                        [[maybe_unused]] int64_t input, [[maybe_unused]] int64_t output,
                        [[maybe_unused]] const BlockQParams& qparams) {
  assert(input == layout.num_elements() && output == layout.num_elements());
  assert(qparams.scale.size == layout.num_blocks());
  assert(rule == ZeroPointRule::kNone || qparams.zero_point.size == layout.num_blocks());
}

}  // namespace torquant::quantize_internal
