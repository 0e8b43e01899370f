#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "torquant/data/open_dataset.h"
#include "torquant/graph/program.h"

namespace torquant::cli {

// The flags that say which data a command takes, and how images are prepared.
struct DataFlags {
  std::string path;  // or kSynthetic
  std::optional<int64_t> samples = {};
  std::optional<uint64_t> shuffle = {};
  std::string preset = {};
  std::optional<int64_t> resize = {};
  std::string crop = {};  // "224", or height and width: "192x320"
  std::vector<double> mean = {}, std = {};

  bool is_synthetic() const;
};

// --data, --samples, --shuffle and those of images. `data` and `samples` are the help texts of the first two. Gives
// --data.
CLI::Option* add_data_flags(CLI::App& command, DataFlags& flags, const std::string& data, const std::string& samples);

// The data that the flags name, as `program` takes them.
std::unique_ptr<Dataset> open_data(const DataFlags& flags, const Program& program, Split split);

// "calibrating with 512 of the 50,000 samples of photos (--samples)"; nothing where all are used.
void note_subset(const char* doing, int64_t samples, const Dataset& data, bool json);

// What the flags say of images, completed by the program's input; nothing where they say nothing of images.
std::optional<ImageOptions> image_options(const DataFlags& flags, const Program& program);

}  // namespace torquant::cli
