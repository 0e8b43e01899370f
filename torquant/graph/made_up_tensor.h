#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "torquant/graph/value.h"

namespace torquant {

// A tensor of that type for a state whose data is not known. Its values depend on the name alone: floats small and
// normally distributed, positive where the name says variance or scale; all else zero.
// Throws Error that names the tensor: a size that is no number, a type that cannot be made here.
at::Tensor made_up_tensor(const std::string& name, const TensorMeta& meta);

}  // namespace torquant
