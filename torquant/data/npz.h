#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>

#include "torquant/data/dataset.h"

namespace torquant {

// The arrays of a file that numpy.savez or savez_compressed wrote, by name without ".npy".
std::map<std::string, at::Tensor> read_npz(const std::string& path);

// Arrays x0, x1, … (inputs, samples on axis 0) and, optionally, y (labels) of an .npz file.
std::unique_ptr<Dataset> open_npz(const std::string& path);

}  // namespace torquant
