#include "torquant/core/quantize.h"
#include "torquant/core/quantize_internal.h"

namespace torquant {
namespace {

using namespace quantize_internal;

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
  std::array<T, kChunk> buffer;
  std::array<T, kChunk> code;
  for (int64_t begin = 0; begin < input.size; begin += kChunk) {
    const int64_t count = std::min(kChunk, input.size - begin);
    const T* x = loaded(input, begin, count, buffer);
    Sink<T> sink(output, begin, count);
    spread.move_to(begin, count);
    back_spread.move_to(begin, count);
    quantize_chunk<Round>(args.rule, dtypes, NoClamp(), count, x, spread.first(), spread.second(), code.data());
    auto* inside = mask.size == 0 ? nullptr : static_cast<uint8_t*>(mask.data) + begin;
    for (int64_t i = 0; inside != nullptr && i < count; ++i) inside[i] = clamp.contains(code[i]) ? 1 : 0;
    for (int64_t i = 0; i < count; ++i) code[i] = clamp(code[i]);
    dequantize_chunk<Round>(back, count, code.data(), back_spread.first(), back_spread.second(), sink.data());
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

}  // namespace

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
