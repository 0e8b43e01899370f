#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "torquant/cli/data_flags.h"
#include "torquant/cli/interrupt.h"
#include "torquant/data/dataset.h"
#include "torquant/pt2e/observer_statistics.h"
#include "torquant/pt2e/prepare.h"

namespace torquant::cli {

// What a calibration is to do.
struct CalibrationFlags {
  std::string program, recipe;  // for messages, and to tell files of other calibrations apart
  DataFlags data;
  std::optional<int64_t> batch_size = {};
  std::string resume = {};      // an interrupted calibration to go on with
  std::string checkpoint = {};  // where to leave one
  bool allow_synthetic = false;
  bool json = false;
};

// How many observers wait for data: none where all scales are chosen when the program runs.
size_t observers_without_range(const PreparedProgram& prepared);

// Made-up data give no ranges: an Error where observers wait for some, unless allowed.
void refuse_synthetic(const CalibrationFlags& flags, const PreparedProgram& prepared);

// Shows the data to the observers, and gives where that ended: what was seen, as an interruption would leave it.
UnfinishedCalibration calibrate_with(const Dataset& data, PreparedProgram& prepared, const CalibrationFlags& flags,
                                     const InterruptGuard& interrupt);

// The first samples, at most `count`, as inputs of calls.
std::vector<std::vector<at::Tensor>> first_samples(const Dataset& data, const Program& program,
                                                   const CalibrationFlags& flags, int64_t count);

}  // namespace torquant::cli
