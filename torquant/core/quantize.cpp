#include "torquant/core/quantize.h"

#include "torquant/core/quantize_internal.h"

namespace torquant {
namespace {

using namespace quantize_internal;

// --- The loops over chunks, and the choice of the arithmetic they run in.

template <class T, class Round>
void quantize_in(const QuantizeArgs& args, const BlockLayout& layout, const ConstArray& input,
                 const BlockQParams& qparams, const Array& codes) {
  const QuantizeDTypes dtypes = quantize_dtypes(args, input.dtype, qparams);
  const auto constants = quantize_constants<T>(args, layout.num_blocks(), qparams, dtypes.second);
  const Clamp<T> clamp(args.range, dtypes.second);
  Spread<T> spread(layout, constants);
  std::array<T, kChunk> buffer;
  for (int64_t begin = 0; begin < input.size; begin += kChunk) {
    const int64_t count = std::min(kChunk, input.size - begin);
    const T* x = loaded(input, begin, count, buffer);
    Sink<T> sink(codes, begin, count);
    spread.move_to(begin, count);
    quantize_chunk<Round>(args.rule, dtypes, clamp, count, x, spread.first(), spread.second(), sink.data());
  }
}

template <class T, class Round>
void dequantize_in(const DequantizeArgs& args, const BlockLayout& layout, const ConstArray& codes,
                   const BlockQParams& qparams, const Array& output) {
  const auto constants = dequantize_constants<T>(args, layout.num_blocks(), qparams);
  Spread<T> spread(layout, constants);
  std::array<T, kChunk> buffer;
  for (int64_t begin = 0; begin < codes.size; begin += kChunk) {
    const int64_t count = std::min(kChunk, codes.size - begin);
    const T* code = loaded(codes, begin, count, buffer);
    Sink<T> sink(output, begin, count);
    spread.move_to(begin, count);
    dequantize_chunk<Round>(args, count, code, spread.first(), spread.second(), sink.data());
  }
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

}  // namespace torquant
