#pragma once

#include <string>

#include "torquant/pt2e/observer_statistics.h"

namespace torquant::cli {

// What an interrupted calibration leaves behind, and how another run takes it up.

// Writes it to `path` and says where it is and how to go on; or, where it has no form in a file, why nothing was kept.
std::string keep_calibration(const PreparedProgram& prepared, const std::string& recipe, int64_t samples_done,
                             const UnfinishedCalibration& place, const std::string& path);

// Gives the observers what `path` holds and `place` its position, and says how many samples were done. Throws Error
// where it was calibrated with other data or batches than `place` has, or another program or recipe.
int64_t resume_calibration(PreparedProgram& prepared, const std::string& recipe, const std::string& path,
                           UnfinishedCalibration& place);

// Gives the observers the finished statistics at `path`, and says of how many samples.
int64_t read_observers(PreparedProgram& prepared, const std::string& recipe, const std::string& path);

}  // namespace torquant::cli
