#pragma once

#include <cstddef>
#include <string>

namespace torquant {

// Throws Error unless a file can be written at `path`: to be told before long work, not after it.
void check_output_path(const std::string& path);

// A file that appears whole or not at all: written beside `path` as `path`.torquant-partial, flushed to the disk and
// renamed by commit(). Without commit() whatever stood at `path` stays as it was.
//
// Of several processes that write one path each has a partial file of its own (….torquant-partial1, …), and the last
// commit() wins. A killed process leaves its partial file behind; the next one that writes `path` takes it over, which
// a lock on the file tells it that it may.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  void commit();

 private:
  bool open_partial(const std::string& name);
  [[noreturn]] void fail(const char* doing) const;

  std::string path_;
  std::string partial_path_;
  int descriptor_ = -1;
  bool committed_ = false;
};

}  // namespace torquant
