#pragma once

#include <cstddef>
#include <string>

namespace torquant {

// A file that appears whole or not at all: written beside `path` under a temporary name, flushed to the disk
// and renamed by commit(). Without commit() (an exception, a crash) whatever stood at `path` stays as it was.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  void commit();

  // Where the bytes are until commit(), for libraries that want to open the file themselves.
  const std::string& temporary_path() const { return temporary_path_; }

 private:
  [[noreturn]] void fail(const char* doing) const;

  std::string path_;
  std::string temporary_path_;
  int descriptor_ = -1;
  bool committed_ = false;
};

}  // namespace torquant
