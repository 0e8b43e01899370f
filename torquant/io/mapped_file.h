#pragma once

#include <string>
#include <string_view>

namespace torquant {

// The bytes of a regular file, mapped into memory. The pages are private to this object: writing to them changes
// neither the file nor another mapping of it. Cutting the file short while it is mapped ends the process (SIGBUS).
class MappedFile {
 public:
  // Throws Error, naming the path, for what is no file or may not be read. An empty file has no bytes.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
};

}  // namespace torquant
