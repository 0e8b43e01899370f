#include "torquant/cli/checkpoint.h"

#include <fmt/format.h>

#include "torquant/core/error.h"

namespace torquant::cli {

std::string keep_calibration(const PreparedProgram& prepared, const std::string& recipe, int64_t samples_done,
                             const UnfinishedCalibration& place, const std::string& path) {
  try {
    ObserverStatistics statistics = collect_statistics(prepared, recipe, samples_done);
    statistics.unfinished = place;
    save_statistics(statistics, path);
  } catch (const Error& error) {
    return fmt::format("nothing was kept: {}", error.what());
  }
  return fmt::format("what was calibrated is in {}\n  to go on: the same command with --resume {}", path, path);
}

int64_t resume_calibration(PreparedProgram& prepared, const std::string& recipe, const std::string& path,
                           UnfinishedCalibration& place) {
  const ObserverStatistics statistics = load_statistics(path);
  if (!statistics.unfinished) {
    throw Error({.where = path,
                 .what = "holds a finished calibration",
                 .hint = "`torquant quantize … --observers` takes it, without data"});
  }
  const UnfinishedCalibration& theirs = *statistics.unfinished;
  if (theirs.samples != place.samples || theirs.samples_per_batch != place.samples_per_batch) {
    throw Error({.where = path,
                 .what = fmt::format("was calibrating with {} samples, {} a call; now it is {}, {} a call",
                                     theirs.samples, theirs.samples_per_batch, place.samples, place.samples_per_batch),
                 .hint = "give the same --data, --samples and --batch-size"});
  }
  if (theirs.data != place.data) {
    throw Error({.where = path, .what = "was calibrating with other data", .hint = "give the same --data"});
  }
  try {
    restore_statistics(prepared, statistics, recipe);
  } catch (const Error& error) {
    throw error.within(path);
  }
  place.position = theirs.position;
  return statistics.samples;
}

int64_t read_observers(PreparedProgram& prepared, const std::string& recipe, const std::string& path) {
  const ObserverStatistics statistics = load_statistics(path);
  try {
    if (statistics.unfinished) {
      throw Error({.where = "",
                   .what = fmt::format("holds an interrupted calibration: {} of {} samples", statistics.samples,
                                       statistics.unfinished->samples),
                   .hint = "--resume goes on with it"});
    }
    restore_statistics(prepared, statistics, recipe);
  } catch (const Error& error) {
    throw error.within(path);
  }
  return statistics.samples;
}

}  // namespace torquant::cli
