#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// Node metadata of operators that the source program wrote in place (add_): "true". Set by canonicalize.
inline constexpr const char* kWrittenInPlaceKey = "torquant.written_in_place";

// Replaces quantize / dequantize patterns by the integer arithmetic that they stand for, in ATen operators: what a
// backend is to compute, to run and to compare with (torchao pt2e/reference_representation_rewrite.py;
// docs/semantics.md). int8 only. sx, zx: scale and zero point of x, and so on; o: of the output.
//
//   linear, convolution    acc = int16(x - zx) · int16(w - zw) + trunc(bias / (sx * sw))            in int32
//                          codes = clamp(trunc(acc * (sx * sw / so)) + zo)
//   dynamic linear         real = acc * (sx * sw)
//   add                    codes = clamp(round(sx/so * (x - zx)) + round(sy/so * (y - zy)) + zo)
//   add, relu              codes = clamp(trunc((x - zx) * sx/so) + trunc((y - zy) * sy/so) + zo, from zo)
//   max_pool2d             codes = clamp(max(x - zx) * (sx / so) + zo)
//   other quantize         codes = clamp(round(x / s) + z)      per tensor and per channel
//   other dequantize       real = (clamp(codes) - z) * s
//
// It takes what PyTorch's rewrite takes, so that both give one graph and the same bits. It leaves alone, as that does:
// conv2d (PyTorch looks for aten.convolution, which only decomposed programs have), max_pool2d without indices, and
// operators that the program wrote in place; these compute on dequantized values. Truncation is PyTorch's, up to one
// code away from the quantize / dequantize program. Refuses, naming the node: quantizing what is no float32 tensor,
// where dividing would round to the narrower type.
PassResult rewrite_as_reference_representation(Program& program);

}  // namespace torquant
