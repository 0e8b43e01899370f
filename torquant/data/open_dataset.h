#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "torquant/data/dataset.h"
#include "torquant/data/image_options.h"

namespace torquant {

// Which data to take where a folder holds both: to calibrate with, or to judge by.
enum class Split { kTrain, kTest };

struct DataOptions {
  // For a folder of images, and for nothing else: what fit_to_program made of a preset.
  std::optional<ImageOptions> images = {};
  // The seed of another order (shuffle.h). Absent: images by seed 0, since the first of a folder are all of one class;
  // other data in their own order.
  std::optional<uint64_t> shuffle = {};
};

// Opens the data at `path`, a file or a folder:
//   x.safetensors          tensors <sample>.x<input>, <sample>.y            (safetensors_dataset.h)
//   x.npz                  arrays x0, x1, … and y, samples on axis 0        (npz.h)
//   x.npy                  one array of inputs, samples on axis 0           (npy.h)
//   …images…idx3…[.gz]     images, with the labels in …labels…idx1… beside  (idx.h)
//   a folder               the one such file in it. Of several, the one whose name says what it is for: train or calib
//                          for kTrain; test, t10k, val or eval for kTest
//   a folder of images     JPEG and PNG files, in a folder for each class or without classes  (image_folder.h)
// Throws Error naming what was found where this does not say which data are meant.
std::unique_ptr<Dataset> open_dataset(const std::string& path, Split split, const DataOptions& options = {});

}  // namespace torquant
