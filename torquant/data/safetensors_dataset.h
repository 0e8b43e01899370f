#pragma once

#include <memory>
#include <string>

#include "torquant/data/dataset.h"

namespace torquant {

// A .safetensors file with tensors `<sample>.x<input>` (x0, x1, … of each sample without a gap) and, for all samples or
// none, `<sample>.y` (labels). Samples come in the order of their names, runs of digits compared as numbers: 2
// before 10. A tensor is handed to the program as it is, batch axis included.
std::unique_ptr<Dataset> open_safetensors_dataset(const std::string& path);

}  // namespace torquant
