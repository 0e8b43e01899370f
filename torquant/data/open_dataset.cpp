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
#include "torquant/data/npy.h"
#include "torquant/data/npz.h"
#include "torquant/data/safetensors_dataset.h"

namespace torquant {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormats = ".safetensors, .npz, .npy, or IDX images (…images…idx3…, also .gz)";

bool contains(const std::string& text, const char* part) { return text.find(part) != text.npos; }

bool is_idx_images(const std::string& name) { return contains(name, "images") && contains(name, "idx3"); }

bool is_data(const std::string& name) {
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

fs::path choose(const fs::path& folder, Split split) {
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (!entry.is_directory() && is_data(name)) found.push_back(name);
  }
  std::sort(found.begin(), found.end());
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

}  // namespace

std::unique_ptr<Dataset> open_dataset(const std::string& path, Split split) {
  try {
    const fs::file_status status = fs::status(path);
    if (!fs::exists(status)) throw Error({.where = path, .what = "no such file or folder"});
    return open_file(fs::is_directory(status) ? choose(path, split) : fs::path(path));
  } catch (const fs::filesystem_error& error) {
    throw Error({.where = path, .what = "cannot be read: " + error.code().message()});
  }
}

}  // namespace torquant
