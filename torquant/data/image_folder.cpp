#include "torquant/data/image_folder.h"

#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iterator>
#include <utility>
#include <vector>

#include "torquant/core/error.h"
#include "torquant/data/image.h"
#include "torquant/data/preprocess.h"
#include "torquant/io/mapped_file.h"

namespace torquant {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExtensions = ".jpg, .jpeg, .png";

// What file managers and notebooks leave behind.
bool is_ignored(const std::string& name) {
  return name.starts_with(".") || name == "Thumbs.db" || name == "desktop.ini";
}

struct Listing {
  std::vector<fs::path> folders, files;  // sorted by name
};

Listing list(const fs::path& folder) {
  Listing listing;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (is_ignored(entry.path().filename())) continue;
    (entry.is_directory() ? listing.folders : listing.files).push_back(entry.path());
  }
  const auto by_name = [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); };
  std::ranges::sort(listing.folders, by_name);
  std::ranges::sort(listing.files, by_name);
  return listing;
}

void check_images(const std::vector<fs::path>& files) {
  for (const fs::path& file : files) {
    if (!is_image_name(file.filename())) throw Error({.where = file, .what = "is no image", .allowed = kExtensions});
  }
}

struct ImageFile {
  std::string path;
  int64_t label;  // -1: none
};

std::vector<ImageFile> images_of_class(const fs::path& folder, int64_t label) {
  const Listing listing = list(folder);
  if (!listing.folders.empty()) {
    throw Error(
        {.where = folder,
         .what = fmt::format("is taken as a class, but holds the folder {}", listing.folders[0].filename().native()),
         .hint = "name the folder whose folders are the classes, such as …/train"});
  }
  check_images(listing.files);
  if (listing.files.empty()) {
    throw Error({.where = folder, .what = "is taken as a class, but holds no image", .allowed = kExtensions});
  }
  std::vector<ImageFile> images;
  for (const fs::path& file : listing.files) images.push_back({.path = file, .label = label});
  return images;
}

struct Images {
  std::vector<ImageFile> files;
  std::vector<std::string> classes;
};

Images images_of(const std::string& path) {
  const Listing listing = list(path);
  check_images(listing.files);
  if (!listing.folders.empty() && !listing.files.empty()) {
    throw Error({.where = path,
                 .what = fmt::format("holds images ({}, …) beside folders ({}, …)",
                                     listing.files[0].filename().native(), listing.folders[0].filename().native()),
                 .allowed = "class folders alone, or images alone"});
  }
  Images images;
  for (const fs::path& file : listing.files) images.files.push_back({.path = file, .label = -1});
  for (const fs::path& folder : listing.folders) {
    std::ranges::move(images_of_class(folder, static_cast<int64_t>(images.classes.size())),
                      std::back_inserter(images.files));
    images.classes.push_back(folder.filename());
  }
  return images;
}

class ImageFolder : public Dataset {
 public:
  ImageFolder(const std::string& path, Images images, ImageOptions options)
      : Dataset(path, static_cast<int64_t>(images.files.size())),
        images_(std::move(images)),
        options_(std::move(options)) {}

  std::vector<std::string> class_names() const override { return images_.classes; }

 private:
  Sample load(int64_t index) const override {
    const auto& [path, label] = images_.files[static_cast<size_t>(index)];
    const MappedFile file(path);
    Sample sample = {.inputs = {preprocess(path, decode_image(path, file.bytes()), options_)}, .labels = {}};
    if (label >= 0) sample.labels = at::full({1}, label, at::kLong);
    return sample;
  }

  Images images_;
  ImageOptions options_;
};

}  // namespace

bool is_image_name(const std::string& name) {
  std::string extension = fs::path(name).extension();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  return !is_ignored(name) && (extension == ".jpg" || extension == ".jpeg" || extension == ".png");
}

bool is_image_folder(const std::string& path) {
  const Listing listing = list(path);
  return !listing.folders.empty() ||
         std::ranges::any_of(listing.files, [](const fs::path& file) { return is_image_name(file.filename()); });
}

std::unique_ptr<Dataset> open_image_folder(const std::string& path, const ImageOptions& options) {
  if (!options.resize || !options.crop || !options.channels) {
    throw Error({.where = path,
                 .what = "the image options leave resize, crop or channels open",
                 .hint = "fit_to_program(options, program) takes them from the program"});
  }
  return std::make_unique<ImageFolder>(path, images_of(path), options);
}

}  // namespace torquant
