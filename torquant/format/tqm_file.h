#pragma once

#include <memory>
#include <string>

#include "torquant/format/model.h"

namespace torquant::format {

// A `.tqm` file in memory. It is mapped, not read: the spans of its model lie in the file's own pages, so loading takes
// no time for weights, and processes that run the same file share them.
class TqmFile {
 public:
  // Checks all of the header before anything is used: a file that was cut, damaged or made up is an error.
  static Result<std::shared_ptr<const TqmFile>> open(const std::string& path);

  ~TqmFile();
  TqmFile(const TqmFile&) = delete;
  TqmFile& operator=(const TqmFile&) = delete;

  const Model& model() const { return model_; }

 private:
  TqmFile(const void* data, size_t size) : data_(data), size_(size) {}

  const void* data_;
  size_t size_;
  Model model_;
};

// The model in `size` bytes at `data`, 64-byte aligned, which must outlive it. What open() does behind the mapping.
Result<Model> read_tqm(const void* data, size_t size);

// The bytes of a file that holds `model`; an error where check_model() finds one.
Result<std::string> write_tqm(const Model& model);

}  // namespace torquant::format
