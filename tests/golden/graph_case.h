#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "golden.h"

namespace torquant::golden {

// One folder of a graph family: case.json, io.safetensors and archives.
class GraphCase {
 public:
  explicit GraphCase(std::filesystem::path folder);

  const std::string& name() const { return name_; }
  const nlohmann::json& json() const { return json_; }
  std::optional<std::string> error() const;
  std::string file(const std::string& name) const { return (folder_ / name).string(); }

  bool has(const std::string& tensor) const;
  at::Tensor tensor(const std::string& name) const { return tensors_->tensor(name); }
  // "test" or "test.0", "test.1", …: the tensors of one argument list or result, in order.
  std::vector<at::Tensor> tensors(const std::string& name) const;
  std::vector<std::string> names() const;

 private:
  std::filesystem::path folder_;
  nlohmann::json json_;
  std::shared_ptr<const SafetensorsFile> tensors_;
  std::string name_;
};

// Every case of directory()/FAMILY, by name.
std::vector<GraphCase> graph_cases(const std::string& family);

}  // namespace torquant::golden
