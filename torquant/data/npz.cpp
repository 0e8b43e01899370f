#include "torquant/data/npz.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "torquant/core/error.h"
#include "torquant/data/npy.h"
#include "torquant/io/zip_archive.h"

namespace torquant {

std::map<std::string, at::Tensor> read_npz(const std::string& path) {
  constexpr std::string_view kSuffix = ".npy";
  const ZipArchive zip = ZipArchive::open(path);
  std::map<std::string, at::Tensor> arrays;
  for (const std::string& member : zip.names()) {
    const std::string where = path + ": " + member;
    if (!member.ends_with(kSuffix)) {
      throw Error({.where = where, .what = "is no array", .allowed = "members that end in .npy"});
    }
    arrays[member.substr(0, member.size() - kSuffix.size())] = parse_npy(where, zip.bytes(member), zip.mapping());
  }
  return arrays;
}

std::unique_ptr<Dataset> open_npz(const std::string& path) {
  std::map<std::string, at::Tensor> arrays = read_npz(path);
  std::vector<std::string> names;
  for (const auto& [name, array] : arrays) names.push_back(name);
  std::vector<at::Tensor> inputs;
  while (arrays.contains(fmt::format("x{}", inputs.size()))) {
    inputs.push_back(arrays.at(fmt::format("x{}", inputs.size())));
  }
  const bool labelled = arrays.contains("y");
  if (inputs.empty() || inputs.size() + labelled != arrays.size()) {
    throw Error({.where = path,
                 .what = fmt::format("holds the arrays {}", fmt::join(names, ", ")),
                 .allowed = "x0, x1, … without a gap (inputs) and y (labels)"});
  }
  return std::make_unique<ArrayDataset>(path, std::move(inputs), labelled ? arrays.at("y") : at::Tensor());
}

}  // namespace torquant
