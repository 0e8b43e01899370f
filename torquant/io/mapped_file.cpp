#include "torquant/io/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "torquant/core/error.h"

namespace torquant {

MappedFile::MappedFile(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe without a writer would wait
  if (file < 0) throw Error({.where = path, .what = fmt::format("cannot be opened: {}", std::strerror(errno))});
  struct stat status = {};
  const bool is_file = fstat(file, &status) == 0 && S_ISREG(status.st_mode);
  const size_t size = is_file ? static_cast<size_t>(status.st_size) : 0;
  // No swap is set aside for pages that nobody writes to: files may be larger than the memory.
  constexpr int kFlags = MAP_PRIVATE | MAP_NORESERVE;
  void* data = size == 0 ? nullptr : mmap(nullptr, size, PROT_READ | PROT_WRITE, kFlags, file, 0);
  const int map_error = errno;
  ::close(file);
  if (!is_file) {
    throw Error({.where = path,
                 .what = S_ISDIR(status.st_mode) ? "is a folder" : "is not a regular file",
                 .allowed = "a file"});
  }
  if (data == MAP_FAILED) {
    throw Error({.where = path, .what = fmt::format("cannot be mapped into memory: {}", std::strerror(map_error))});
  }
  bytes_ = {static_cast<const char*>(data), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace torquant
