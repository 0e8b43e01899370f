#include "torquant/core/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "torquant/core/error.h"

namespace torquant {
namespace {

// mkstemp makes files private to the user; a result file has the permissions any other new file would have.
void give_default_permissions(int descriptor) {
  const mode_t mask = umask(0);
  umask(mask);
  (void)fchmod(descriptor, 0666 & ~mask);
}

// The rename itself is on the disk once its folder is.
void flush_folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const int descriptor = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  (void)fsync(descriptor);
  close(descriptor);
}

}  // namespace

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)), temporary_path_(path_ + ".XXXXXX") {
  descriptor_ = mkstemp(temporary_path_.data());
  if (descriptor_ < 0) fail("create");
  give_default_permissions(descriptor_);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!committed_) unlink(temporary_path_.c_str());
}

void AtomicFile::write(const void* data, size_t bytes) {
  // One call takes at most 2 GB on Linux.
  constexpr size_t kMostAtOnce = size_t{1} << 30;
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, next, std::min(bytes, kMostAtOnce));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write");
    next += written;
    bytes -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  if (fsync(descriptor_) != 0) fail("flush");
  if (rename(temporary_path_.c_str(), path_.c_str()) != 0) fail("rename");
  committed_ = true;
  flush_folder_of(path_);
}

void AtomicFile::fail(const char* doing) const {
  const int reason = errno;
  if (descriptor_ < 0) {
    throw Error({.where = path_,
                 .what = fmt::format("cannot {} the file: {}", doing, std::strerror(reason)),
                 .hint = "give a path in an existing folder that you may write to"});
  }
  throw Error({.where = path_,
               .what = fmt::format("cannot {} the file: {}", doing, std::strerror(reason)),
               .hint = "a file that was there before is unchanged"});
}

}  // namespace torquant
