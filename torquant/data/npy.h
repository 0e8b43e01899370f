#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <string_view>

namespace torquant {

// One array as numpy.save writes it (NumPy's format 1.0 to 3.0; little-endian bool, integers but uint16 to uint64,
// float16 to float64; C or Fortran order). Its values stay in the file until they are used.
at::Tensor read_npy(const std::string& path);

// The same of the bytes of such a file, which `owner` keeps alive for the tensor. Errors begin with `where`.
at::Tensor parse_npy(const std::string& where, std::string_view bytes, std::shared_ptr<void> owner);

}  // namespace torquant
