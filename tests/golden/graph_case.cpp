#include "graph_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "torquant/core/error.h"

namespace torquant::golden {

GraphCase::GraphCase(std::filesystem::path folder) : folder_(std::move(folder)), name_(folder_.filename().string()) {
  std::ifstream stream(folder_ / "case.json");
  if (!stream) throw Error({.where = (folder_ / "case.json").string(), .what = "cannot be read"});
  json_ = nlohmann::json::parse(stream);
  tensors_ = std::make_shared<const SafetensorsFile>(SafetensorsFile::open(file("io.safetensors")));
}

std::optional<std::string> GraphCase::error() const {
  return json_.contains("error") ? std::optional(json_["error"].get<std::string>()) : std::nullopt;
}

std::vector<std::string> GraphCase::names() const { return tensors_->names(); }

bool GraphCase::has(const std::string& tensor) const {
  const std::vector<std::string> all = tensors_->names();
  return std::find(all.begin(), all.end(), tensor) != all.end();
}

std::vector<at::Tensor> GraphCase::tensors(const std::string& name) const {
  if (has(name)) return {tensor(name)};
  std::vector<at::Tensor> list;
  while (has(fmt::format("{}.{}", name, list.size()))) list.push_back(tensor(fmt::format("{}.{}", name, list.size())));
  return list;
}

std::vector<GraphCase> graph_cases(const std::string& family) {
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(directory() / family)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  std::vector<GraphCase> cases;
  for (auto& folder : folders) cases.emplace_back(std::move(folder));
  return cases;
}

}  // namespace torquant::golden
