#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "torquant/observer/observer_spec.h"
#include "torquant/pt2e/calibrate.h"
#include "torquant/pt2e/prepare.h"

namespace torquant {

// Of a calibration that was interrupted: what it takes to go on with it.
struct UnfinishedCalibration {
  CalibrationPosition position;
  int64_t samples = 0;  // in all
  int64_t samples_per_batch = 0;
  std::string data;  // fingerprint of the data
};

// What the observers of a prepared program have recorded of its activations, apart from the program: a small file, to
// be merged with those of other data, or gone on with. Weights are not in it: they are observed wherever the program is
// prepared.
struct ObserverStatistics {
  struct Entry {
    std::string name;  // "12.conv2d_3": the observer's index, and the first value that it observes
    ObserverSpec spec;
    ObserverOptions options;
    Observer::State state;
  };
  std::string recipe;   // its name, for messages
  std::string weights;  // fingerprint of the program's tensors
  std::string graph;    // and of its nodes and observers
  int64_t samples = 0;
  std::vector<Entry> observers = {};
  std::optional<UnfinishedCalibration> unfinished = std::nullopt;
};

// Throws Error for observers of the user's own, which have no form in a file, and for a program that keeps state: what
// its observers see depends on all batches before.
ObserverStatistics collect_statistics(const PreparedProgram& prepared, const std::string& recipe, int64_t samples);

// Gives the observers of `prepared` that state. Throws Error where the statistics are of another program, other weights
// or another recipe.
void restore_statistics(PreparedProgram& prepared, const ObserverStatistics& statistics, const std::string& recipe);

// What one pass over all the data would have recorded, in the order of the parts: exactly for ranges
// (docs/semantics.md, O4, O6), by O14 for histograms. Throws Error where an observer's definition depends on the order
// of batches, where parts are of different programs or recipes, or unfinished. `names`: of the parts, for messages.
ObserverStatistics merge_statistics(const std::vector<ObserverStatistics>& parts,
                                    const std::vector<std::string>& names);

// A safetensors file: tensors "<entry's name>.<name in the state>", the rest as JSON in its metadata.
void save_statistics(const ObserverStatistics& statistics, const std::string& path);
ObserverStatistics load_statistics(const std::string& path);

// Of tensors: their dtypes, shapes and bytes.
std::string fingerprint(const std::vector<at::Tensor>& tensors);

}  // namespace torquant
