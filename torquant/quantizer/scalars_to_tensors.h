#pragma once

#include "torquant/graph/program.h"

namespace torquant {

// Gives add and mul tensor operands in place of scalars, so that these can be quantized too:
//
//   %y = aten.add.Tensor(self=%x, other=1.5)   ⇒   %y = aten.add.Tensor(self=%x, other=%b__tensor_constant_0)
//
// Where the result is a float; integer arithmetic stays as it is.
void scalars_to_tensors(Program& program);

}  // namespace torquant
