#include "torquant/core/quantize.h"

#include <array>
#include <cassert>
#include <cmath>
#include <vector>

#include "torquant/core/float_formats.h"
#include "torquant/core/rounding.h"

namespace torquant {
namespace {

// Elements in flight: five float arrays of this length fit the first-level cache (20 KB).
constexpr int64_t kChunk = 1024;

bool is_double(DType dtype) { return dtype == DType::kFloat64; }

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

double mid_point(const QuantRange& range) { return static_cast<double>(range.max + range.min + 1) / 2; }

// --- Quantize (Q10 to Q13).

// The dtypes of the steps, by PyTorch's promotion: x * inv_scale (or x - base), then + zero_point (or / scale).
struct QuantizeDTypes {
  DType first;
  DType second;
};

QuantizeDTypes quantize_dtypes(const QuantizeArgs& args, DType input, const BlockQParams& qparams) {
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

// codes[i]: before the clamp. One body for the formulas Q10 to Q13.
template <class T, class Round>
void quantize_chunk(ZeroPointRule rule, const QuantizeDTypes& dtypes, int64_t count, const T* x, const T* first,
                    const T* second, T* codes) {
  const Round round_first(dtypes.first);
  const Round round_second(dtypes.second);
  switch (rule) {
    case ZeroPointRule::kAfterRounding:
      for (int64_t i = 0; i < count; ++i) {
        codes[i] = round_second(round_half_even(round_first(x[i] * first[i])) + second[i]);
      }
      return;
    case ZeroPointRule::kBeforeRounding:
      for (int64_t i = 0; i < count; ++i) {
        codes[i] = round_half_even(round_second(round_first(x[i] * first[i]) + second[i]));
      }
      return;
    case ZeroPointRule::kFloat:
      for (int64_t i = 0; i < count; ++i) {
        codes[i] = round_half_even(round_second(round_first(x[i] - first[i]) / second[i]));
      }
      return;
    case ZeroPointRule::kNone:
      for (int64_t i = 0; i < count; ++i) codes[i] = round_half_even(round_first(x[i] * first[i]));
      return;
  }
}

// The clamp's ends are numbers of the dtype it works in.
template <class T>
struct Clamp {
  Clamp(const QuantRange& range, DType dtype)
      : min(round_to(static_cast<T>(range.min), dtype)), max(round_to(static_cast<T>(range.max), dtype)) {}
  T min;
  T max;
};

template <class T>
void clamp_chunk(const Clamp<T>& clamp, int64_t count, T* codes) {
  for (int64_t i = 0; i < count; ++i) codes[i] = clamp_keep_nan(codes[i], clamp.min, clamp.max);
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

template <class T, class Round>
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
bool fits_float(const DequantizeArgs& args, const ConstArray& codes, const BlockQParams& qparams) {
  if (!is_integer(args.difference_dtype)) return true;
  if (is_integer(codes.dtype) && bits_of(codes.dtype) > 16) return false;
  for (int64_t i = 0; args.rule != ZeroPointRule::kNone && i < qparams.zero_point.size; ++i) {
    if (std::abs(element(qparams.zero_point, i)) >= 0x1p23) return false;
  }
  return true;
}

// --- The loops over chunks, and the choice of the arithmetic they run in.

template <class T, class Round>
void quantize_in(const QuantizeArgs& args, const BlockLayout& layout, const ConstArray& input,
                 const BlockQParams& qparams, const Array& codes) {
  const QuantizeDTypes dtypes = quantize_dtypes(args, input.dtype, qparams);
  const auto constants = quantize_constants<T>(args, layout.num_blocks(), qparams, dtypes.second);
  const Clamp<T> clamp(args.range, dtypes.second);
  Spread<T> spread(layout, constants);
  std::array<T, kChunk> x;
  std::array<T, kChunk> code;
  for (int64_t begin = 0; begin < input.size; begin += kChunk) {
    const int64_t count = std::min(kChunk, input.size - begin);
    load(input, begin, count, x.data());
    spread.move_to(begin, count);
    quantize_chunk<T, Round>(args.rule, dtypes, count, x.data(), spread.first(), spread.second(), code.data());
    clamp_chunk(clamp, count, code.data());
    store(code.data(), codes, begin, count);
  }
}

template <class T, class Round>
void dequantize_in(const DequantizeArgs& args, const BlockLayout& layout, const ConstArray& codes,
                   const BlockQParams& qparams, const Array& output) {
  const auto constants = dequantize_constants<T>(args, layout.num_blocks(), qparams);
  Spread<T> spread(layout, constants);
  std::array<T, kChunk> code;
  std::array<T, kChunk> real;
  for (int64_t begin = 0; begin < codes.size; begin += kChunk) {
    const int64_t count = std::min(kChunk, codes.size - begin);
    load(codes, begin, count, code.data());
    spread.move_to(begin, count);
    dequantize_chunk<T, Round>(args, count, code.data(), spread.first(), spread.second(), real.data());
    store(real.data(), output, begin, count);
  }
}

template <class T, class Round>
void fake_quantize_in(const QuantizeArgs& args, const BlockLayout& layout, const ConstArray& input,
                      const BlockQParams& qparams, const Array& output, const Array& mask) {
  const QuantizeDTypes dtypes = quantize_dtypes(args, input.dtype, qparams);
  const DequantizeArgs back =
      affine_dequantize_args(args.rule, args.range, qparams.scale.dtype, qparams.zero_point.dtype, output.dtype);
  const auto constants = quantize_constants<T>(args, layout.num_blocks(), qparams, dtypes.second);
  const auto back_constants = dequantize_constants<T>(back, layout.num_blocks(), qparams);
  const Clamp<T> clamp(args.range, dtypes.second);
  Spread<T> spread(layout, constants);
  Spread<T> back_spread(layout, back_constants);
  std::array<T, kChunk> x;
  std::array<T, kChunk> code;
  for (int64_t begin = 0; begin < input.size; begin += kChunk) {
    const int64_t count = std::min(kChunk, input.size - begin);
    load(input, begin, count, x.data());
    spread.move_to(begin, count);
    back_spread.move_to(begin, count);
    quantize_chunk<T, Round>(args.rule, dtypes, count, x.data(), spread.first(), spread.second(), code.data());
    auto* inside = mask.size == 0 ? nullptr : static_cast<uint8_t*>(mask.data) + begin;
    for (int64_t i = 0; inside != nullptr && i < count; ++i) {
      inside[i] = code[i] >= clamp.min && code[i] <= clamp.max ? 1 : 0;
    }
    clamp_chunk(clamp, count, code.data());
    dequantize_chunk<T, Round>(back, count, code.data(), back_spread.first(), back_spread.second(), x.data());
    store(x.data(), output, begin, count);
  }
}

template <class T>
void fake_quantize_backward_in(const QuantizeArgs& args, const BlockLayout& layout, const ConstArray& grad_output,
                               const ConstArray& mask, const BlockQParams& qparams, const Array& grad_input) {
  const QuantizeDTypes dtypes = quantize_dtypes(args, grad_output.dtype, qparams);
  const DequantizeArgs back =
      affine_dequantize_args(args.rule, args.range, qparams.scale.dtype, qparams.zero_point.dtype, grad_output.dtype);
  const RoundTo round_output(grad_output.dtype);
  const RoundTo round_product(back.product_dtype);
  const RoundTo round_first(dtypes.first);
  const RoundTo round_second(dtypes.second);
  const auto constants = quantize_constants<T>(args, layout.num_blocks(), qparams, dtypes.second);
  const auto back_constants = dequantize_constants<T>(back, layout.num_blocks(), qparams);
  Spread<T> spread(layout, constants);
  Spread<T> back_spread(layout, back_constants);
  const auto* inside = static_cast<const uint8_t*>(mask.data);
  std::array<T, kChunk> grad;
  for (int64_t begin = 0; begin < grad_output.size; begin += kChunk) {
    const int64_t count = std::min(kChunk, grad_output.size - begin);
    load(grad_output, begin, count, grad.data());
    spread.move_to(begin, count);
    back_spread.move_to(begin, count);
    const T* scale = back_spread.first();
    for (int64_t i = 0; i < count; ++i) {
      const T of_code = inside[begin + i] != 0 ? round_output(round_product(grad[i] * scale[i])) : T{0};
      grad[i] = args.rule == ZeroPointRule::kFloat ? round_second(of_code / scale[i])
                                                   : round_first(round_first(of_code) * spread.first()[i]);
    }
    store(grad.data(), grad_input, begin, count);
  }
}

bool all_float32(const QuantizeDTypes& dtypes) {
  return dtypes.first == DType::kFloat32 && dtypes.second == DType::kFloat32;
}
bool any_double(const QuantizeDTypes& dtypes) { return is_double(dtypes.first) || is_double(dtypes.second); }

bool all_float32(const DequantizeArgs& args) {
  const bool difference = args.difference_dtype == DType::kFloat32 || is_integer(args.difference_dtype);
  return difference && args.product_dtype == DType::kFloat32 && args.sum_dtype == DType::kFloat32;
}
bool any_double(const DequantizeArgs& args) {
  return is_double(args.difference_dtype) || is_double(args.product_dtype) || is_double(args.sum_dtype);
}

void check_sizes([[maybe_unused]] const BlockLayout& layout, [[maybe_unused]] ZeroPointRule rule,
                 [[maybe_unused]] int64_t input, [[maybe_unused]] int64_t output,
                 [[maybe_unused]] const BlockQParams& qparams) {
  assert(input == layout.num_elements() && output == layout.num_elements());
  assert(qparams.scale.size == layout.num_blocks());
  assert(rule == ZeroPointRule::kNone || qparams.zero_point.size == layout.num_blocks());
}

}  // namespace

DequantizeArgs affine_dequantize_args(ZeroPointRule rule, const QuantRange& range, DType scale, DType zero_point,
                                      DType output) {
  const DType sum = rule == ZeroPointRule::kFloat ? promote(output, zero_point) : output;
  return {.rule = rule,
          .range = range,
          .difference_dtype = output,
          .product_dtype = promote(output, scale),
          .sum_dtype = sum};
}

void quantize(const QuantizeArgs& args, const BlockLayout& layout, const ConstArray& input, const BlockQParams& qparams,
              const Array& codes) {
  check_sizes(layout, args.rule, input.size, codes.size, qparams);
  const QuantizeDTypes dtypes = quantize_dtypes(args, input.dtype, qparams);
  if (all_float32(dtypes)) return quantize_in<float, Exact>(args, layout, input, qparams, codes);
  if (any_double(dtypes)) return quantize_in<double, RoundTo>(args, layout, input, qparams, codes);
  quantize_in<float, RoundTo>(args, layout, input, qparams, codes);
}

void dequantize(const DequantizeArgs& args, const BlockLayout& layout, const ConstArray& codes,
                const BlockQParams& qparams, const Array& output) {
  check_sizes(layout, args.rule, codes.size, output.size, qparams);
  if (any_double(args) || !fits_float(args, codes, qparams)) {
    return dequantize_in<double, RoundTo>(args, layout, codes, qparams, output);
  }
  if (all_float32(args)) return dequantize_in<float, Exact>(args, layout, codes, qparams, output);
  dequantize_in<float, RoundTo>(args, layout, codes, qparams, output);
}

void fake_quantize(const QuantizeArgs& args, const BlockLayout& layout, const ConstArray& input,
                   const BlockQParams& qparams, const Array& output, const Array& mask) {
  check_sizes(layout, args.rule, input.size, output.size, qparams);
  assert(mask.size == 0 || (mask.size == input.size && mask.dtype == DType::kBool));
  const QuantizeDTypes dtypes = quantize_dtypes(args, input.dtype, qparams);
  if (any_double(dtypes)) return fake_quantize_in<double, RoundTo>(args, layout, input, qparams, output, mask);
  if (all_float32(dtypes) && input.dtype == DType::kFloat32) {
    return fake_quantize_in<float, Exact>(args, layout, input, qparams, output, mask);
  }
  fake_quantize_in<float, RoundTo>(args, layout, input, qparams, output, mask);
}

void fake_quantize_backward(const QuantizeArgs& args, const BlockLayout& layout, const ConstArray& grad_output,
                            const ConstArray& mask, const BlockQParams& qparams, const Array& grad_input) {
  check_sizes(layout, args.rule, grad_output.size, grad_input.size, qparams);
  assert(mask.size == grad_output.size && mask.dtype == DType::kBool);
  const QuantizeDTypes dtypes = quantize_dtypes(args, grad_output.dtype, qparams);
  if (any_double(dtypes)) {
    return fake_quantize_backward_in<double>(args, layout, grad_output, mask, qparams, grad_input);
  }
  fake_quantize_backward_in<float>(args, layout, grad_output, mask, qparams, grad_input);
}

}  // namespace torquant
