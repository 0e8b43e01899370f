#pragma once

#include <ATen/core/ivalue.h>

#include <vector>

#include "torquant/graph/op_id.h"

namespace torquant {

// True for the Python functions on symbolic scalars that torch.export writes: _operator.mul, torch.sym_max, math.trunc.
bool is_scalar_op(const OpId& op);

// Their value, with Python's rules: floor division, int stays int, true division gives float.
// Throws Error on a division by zero.
c10::IValue run_scalar_op(const OpId& op, const std::vector<c10::IValue>& args);

}  // namespace torquant
