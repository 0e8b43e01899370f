#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

// The schema's numbers for dtypes, layouts and memory formats, which are not c10's. Errors name what has no number.
namespace torquant::pt2 {

at::ScalarType dtype_from_code(int64_t code);
int64_t code_of(at::ScalarType dtype);
at::Layout layout_from_code(int64_t code);
int64_t code_of(at::Layout layout);
at::MemoryFormat memory_format_from_code(int64_t code);
int64_t code_of(at::MemoryFormat format);

}  // namespace torquant::pt2
