#include "torquant/data/input_file.h"

#include <filesystem>
#include <system_error>

#include "torquant/core/error.h"

namespace torquant {

int64_t input_file_bytes(const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  if (error) throw Error({.where = path, .what = "cannot be read: " + error.message(), .allowed = "a file"});
  return static_cast<int64_t>(bytes);
}

}  // namespace torquant
