#pragma once

#include <string>
#include <string_view>

#include "torquant/graph/program.h"

namespace torquant {

// A program as text, one line a node, for people and for tests:
//
//   range s6 1..64 example 4
//   parameter %p_conv_weight : f32[8, 3, 3, 3] = "conv.weight"
//   buffer %b_bn_running_mean : f32[8] = "bn.running_mean"
//   input %x : f32[s6, 3, 12, 12]
//   %conv2d : f32[s6, 8, 12, 12] = aten.conv2d.default(input=%x, weight=%p_conv_weight, padding=[1, 1]) @ conv
//   [%a : f32[s6, 4, 12, 12], %b : f32[s6, 4, 12, 12]] = aten.chunk.default(self=%conv2d, chunks=2, dim=1) as %chunk
//   return %a, %b
//
// Dtypes are PyTorch's abbreviations. `strides [...]` follows the sizes where a tensor is not contiguous, `as` gives
// a node the name that its first value does not, `@` the module it stems from, with its type in brackets.
// Not in the text: the data of tensors, metadata but the innermost module, what requires gradients but parameters,
// the example inputs and the remainder of the archive.
std::string to_text(const Program& program);

// One node as its line in the program's text, without the line break.
std::string to_text(const Node& node);

// "f32[s6, 3]", as in the text of a program.
std::string to_text(const ValueMeta& meta);

// Reads that text. Also read: comments from # to the end of the line; a line broken anywhere; a value without a type,
// which the shape rules then give (shape_rules.h).
//
// Tensors of the state get values that depend on their name alone: floats small and normally distributed, positive
// where the name says variance or scale; integers zero.
//
// Throws Error that names line and column.
Program parse_program(std::string_view text);

}  // namespace torquant
