#include "torquant/data/open_dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "torquant/core/error.h"
#include "torquant/data/idx.h"
#include "torquant/data/image_folder.h"
#include "torquant/data/npy.h"
#include "torquant/data/npz.h"
#include "torquant/data/safetensors_dataset.h"
#include "torquant/data/shuffle.h"

namespace torquant {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormats =
    ".safetensors, .npz, .npy, IDX images (…images…idx3…, also .gz), or a folder of .jpg, .jpeg and .png images";
constexpr uint64_t kDefaultImageSeed = 0;

bool contains(const std::string& text, const char* part) { return text.find(part) != text.npos; }

bool is_idx_images(const std::string& name) { return contains(name, "images") && contains(name, "idx3"); }

bool is_array_file(const std::string& name) {
  return name.ends_with(".safetensors") || name.ends_with(".npz") || name.ends_with(".npy") || is_idx_images(name);
}

bool is_for(Split split, const std::string& name) {
  const auto has = [&](const char* word) { return contains(name, word); };
  if (split == Split::kTrain) return has("train") || has("calib");
  return has("test") || has("t10k") || has("val") || has("eval");
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

// "t10k-images-idx3-ubyte.gz" → "t10k-labels-idx1-ubyte.gz" beside it, packed or not; "" where there is none.
std::string labels_beside(const fs::path& images) {
  const std::string name = replaced(replaced(images.filename(), "images", "labels"), "idx3", "idx1");
  const std::string other = name.ends_with(".gz") ? name.substr(0, name.size() - 3) : name + ".gz";
  for (const std::string& candidate : {name, other}) {
    if (fs::exists(images.parent_path() / candidate)) return images.parent_path() / candidate;
  }
  return "";
}

std::unique_ptr<Dataset> open_file(const fs::path& path) {
  const std::string name = path.filename();
  if (name.ends_with(".safetensors")) return open_safetensors_dataset(path);
  if (name.ends_with(".npz")) return open_npz(path);
  if (name.ends_with(".npy")) {
    return std::make_unique<ArrayDataset>(path, std::vector<at::Tensor>{read_npy(path)}, at::Tensor());
  }
  if (is_idx_images(name)) return open_idx(path, labels_beside(path));
  throw Error({.where = path, .what = "data of an unknown kind", .allowed = kFormats});
}

// The files in a folder whose names `is_wanted`, sorted.
std::vector<std::string> files_in(const fs::path& folder, bool (*is_wanted)(const std::string& name)) {
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (!entry.is_directory() && is_wanted(name)) found.push_back(name);
  }
  std::sort(found.begin(), found.end());
  return found;
}

fs::path choose(const fs::path& folder, const std::vector<std::string>& found, Split split) {
  if (found.empty()) throw Error({.where = folder, .what = "no data in this folder", .allowed = kFormats});
  if (found.size() == 1) return folder / found[0];

  std::vector<std::string> meant;
  std::copy_if(found.begin(), found.end(), std::back_inserter(meant),
               [&](const auto& name) { return is_for(split, name); });
  if (meant.size() == 1) return folder / meant[0];
  throw Error({.where = folder,
               .what = fmt::format(
                   "holds {}, and {} of them is named as data to {}", fmt::join(found, ", "),
                   meant.empty() ? "none" : "more than one",
                   split == Split::kTrain ? "calibrate with (train, calib)" : "test with (test, t10k, val, eval)"),
               .hint = "name the file instead of the folder"});
}

std::unique_ptr<Dataset> open_images(const std::string& path, const DataOptions& options) {
  if (!options.images) {
    std::vector<std::string> presets;
    for (const ImagePreset& preset : image_presets()) presets.emplace_back(preset.name);
    throw Error({.where = path,
                 .what = "is a folder of images, and how the program wants them prepared was not said",
                 .allowed = fmt::format("--preprocess {}; or --mean and --std (DataOptions::images)",
                                        fmt::join(presets, " | "))});
  }
  return shuffled(open_image_folder(path, *options.images), options.shuffle.value_or(kDefaultImageSeed));
}

std::unique_ptr<Dataset> open(const std::string& path, Split split, const DataOptions& options) {
  const fs::file_status status = fs::status(path);
  if (!fs::exists(status)) throw Error({.where = path, .what = "no such file or folder"});
  fs::path file = path;
  if (fs::is_directory(status)) {
    const std::vector<std::string> arrays = files_in(path, is_array_file);
    const std::vector<std::string> images = files_in(path, is_image_name);
    if (!arrays.empty() && !images.empty()) {
      throw Error({.where = path,
                   .what = fmt::format("holds arrays ({}, …) beside images ({}, …)", arrays[0], images[0]),
                   .hint = "name the file of arrays, or move it away"});
    }
    if (arrays.empty() && is_image_folder(path)) return open_images(path, options);
    file = choose(path, arrays, split);
  }
  std::unique_ptr<Dataset> data = open_file(file);
  if (options.images) {
    throw Error({.where = data->name(),
                 .what = "is no folder of images, and is handed to the program as it is",
                 .hint = "leave out what prepares images: --preprocess, --resize, --crop, --mean, --std "
                         "(DataOptions::images)"});
  }
  return options.shuffle ? shuffled(std::move(data), *options.shuffle) : std::move(data);
}

}  // namespace

std::unique_ptr<Dataset> open_dataset(const std::string& path, Split split, const DataOptions& options) {
  try {
    return open(path, split, options);
  } catch (const fs::filesystem_error& error) {
    throw Error({.where = path, .what = "cannot be read: " + error.code().message()});
  }
}

}  // namespace torquant
