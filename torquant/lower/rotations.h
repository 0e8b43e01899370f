#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// rotate(x, cos, sin): pairs of numbers half of the last dimension apart, turned by constant angles (rotary embedding).
inline const OpId kRotate{"torquant.rotate.default"};

// Makes that one node of rotary embedding as PyTorch programs spell it:
//
//   %a = aten.mul.Tensor(%x, %cos)
//   %h = aten.slice.Tensor(%x, 3, size / 2, size)
//   %n = aten.neg.default(%h)
//   %l = aten.slice.Tensor(%x, 3, 0, size / 2)
//   %r = aten.cat.default([%n, %l], -1)
//   %b = aten.mul.Tensor(%r, %sin)
//   %y = aten.add.Tensor(%a, %b)                      ⇒      %y = torquant.rotate(%x, %cos, %sin)
//
// where cos and sin depend on no input.
PassResult rewrite_rotations(Program& program);

}  // namespace torquant
