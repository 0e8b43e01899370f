#pragma once

#include "torquant/graph/program.h"
#include "torquant/pass/pass_result.h"

namespace torquant {

// Attention that is spelled out in products of matrices of four dimensions becomes PyTorch's one operator:
//
//   %s = aten.matmul.default(%q, %k)
//   %t = aten.mul.Tensor(%s, 0.125)
//   %u = aten.add.Tensor(%t, %mask)                     %k2 = aten.transpose.int(%k, -2, -1)
//   %p = aten.softmax.int(%u, -1)                 ⇒     %y = aten.scaled_dot_product_attention.default(%q, %k2, %v,
//   %y = aten.matmul.default(%p, %v)                                                     attn_mask=%mask, scale=0.125)
//
// The scores may be multiplied or divided by numbers, and hidden by a sum, by masked_fill or by where, with anything of
// -10⁹ or less. Where a mask hides all keys from a query, PyTorch's operator and the products differ, as they do in
// PyTorch. What others read, or what is computed otherwise, stays.
PassResult rewrite_attention_of_products(Program& program);

}  // namespace torquant
