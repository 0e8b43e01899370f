#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "torquant/data/dataset.h"

namespace torquant {

// An IDX file of unsigned bytes, plain or gzipped: two zero bytes, type 0x08, the rank, each size as a big-endian
// uint32, then the values (the format of MNIST and its successors). uint8, of any rank from 1 to 8.
at::Tensor read_idx(const std::string& path);

// Images [N, H, W] and labels [N]. A sample is float32 [1, 1, H, W], pixels / 255, and its label.
// `labels_path` may be empty: the samples then have no label.
std::unique_ptr<Dataset> open_idx(const std::string& images_path, const std::string& labels_path);

}  // namespace torquant
