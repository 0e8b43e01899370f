#pragma once

#include <ATen/core/function_schema.h>

#include <string>
#include <vector>

#include "golden.h"

namespace torquant::golden {

// What the case gives for an argument of an operator, by the argument's name: an input, a parameter or its default.
c10::IValue argument_value(const Case& c, const c10::Argument& argument);

// Calls the operator of that name ("quantized_decomposed::quantize_per_tensor.tensor") with the case's arguments,
// through the dispatcher, as graphs do. Its results, all tensors.
std::vector<at::Tensor> call_operator(const Case& c, const std::string& name);

}  // namespace torquant::golden
