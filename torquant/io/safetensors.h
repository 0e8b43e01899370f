#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace torquant {

// A `.safetensors` file: an 8-byte little-endian header length, a JSON header, then the tensors' bytes.
// https://github.com/huggingface/safetensors
//
// open() checks the whole header against the file; a file that is truncated, or whose tensors overlap, leave
// holes, or do not have the bytes their dtype and shape ask for, is an Error naming file and tensor.
class SafetensorsFile {
 public:
  static SafetensorsFile open(const std::string& path);

  const std::vector<std::string>& names() const;  // in the header's order
  bool contains(const std::string& name) const;

  // Shares the file's pages and keeps them alive; writing to the tensor does not change the file. Tensors off the
  // 64-byte alignment and booleans are copies.
  at::Tensor tensor(const std::string& name) const;

  const std::map<std::string, std::string>& metadata() const;

 private:
  struct Contents;
  explicit SafetensorsFile(std::shared_ptr<Contents> contents) : contents_(std::move(contents)) {}

  std::shared_ptr<Contents> contents_;
};

// Writes the tensors under their names; the header lists them in this order. The file appears whole or not at all.
// Tensors may be strided, on any device, and may share memory; each is written dense.
void save_safetensors(const std::string& path, const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                      const std::map<std::string, std::string>& metadata = {});

}  // namespace torquant
