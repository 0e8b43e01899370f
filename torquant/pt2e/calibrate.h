#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "torquant/pt2e/prepare.h"

namespace torquant {

struct CalibrateOptions {
  int threads = 1;  // batches in work at a time
  // After each batch, how many are done; one call at a time.
  std::function<void(int64_t done)> after_batch = nullptr;
  // Asked at each observer, one call at a time: true ends the calibration there.
  std::function<bool()> stop = nullptr;
  // What errors call batch i: "samples 8 to 15 of train.npz".
  std::function<std::string(int64_t batch)> name_of = nullptr;
};

// Where a calibration stands: by observer, how many values it recorded. Empty at the start.
using CalibrationPosition = std::vector<int64_t>;

// Shows batches 0 to `batches` - 1 to the observers. What they record has the same bits for any number of threads: each
// batch runs on one thread of LibTorch (its 1x1 convolutions add up in another order on two), and each observer sees
// the batches in their order.
//
// Gives true when all was recorded; false when options.stop said so, and then the same call with the position and with
// observers in the state they had, in this process or another one, goes on as if nothing had been. A program that
// writes to its own buffers, or that has fake quantizers, stops between batches alone and takes one at a time.
bool calibrate(PreparedProgram& prepared, int64_t batches,
               const std::function<std::vector<at::Tensor>(int64_t batch)>& load, CalibrationPosition& position,
               const CalibrateOptions& options = {});

// Whether running the program changes what it does next: it writes to its buffers or parameters.
bool keeps_state(const Program& program);

}  // namespace torquant
