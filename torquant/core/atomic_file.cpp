#include "torquant/core/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

#include "torquant/core/error.h"

namespace torquant {
namespace {

constexpr std::string_view kPartial = ".torquant-partial";
constexpr int kMostWriters = 100;  // of one path at once

std::string folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

// The rename itself is on the disk once its folder is.
void flush_folder_of(const std::string& path) {
  const int descriptor = open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  (void)fsync(descriptor);
  close(descriptor);
}

// A name is a place where anyone may have put a link, or a file of his own.
bool is_own_file_named(int descriptor, const std::string& name) {
  struct stat opened = {};
  struct stat named = {};
  return fstat(descriptor, &opened) == 0 && lstat(name.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev && S_ISREG(opened.st_mode) && opened.st_nlink == 1 && opened.st_uid == geteuid();
}

}  // namespace

void check_output_path(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    throw Error({.where = path,
                 .what = S_ISDIR(status.st_mode) ? "cannot be written: it is a folder"
                                                 : "cannot be written: it is not a regular file",
                 .hint = "give the path of a file"});
  }
  const std::string folder = folder_of(path);
  if (access(folder.c_str(), W_OK | X_OK) == 0) return;
  throw Error({.where = path,
               .what = fmt::format("cannot be written: folder {}: {}", folder, std::strerror(errno)),
               .hint = "give a path in an existing folder that you may write to"});
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  check_output_path(path_);
  for (int writer = 0; writer < kMostWriters; ++writer) {
    if (open_partial(fmt::format("{}{}{}", path_, kPartial, writer == 0 ? "" : std::to_string(writer)))) return;
  }
  throw Error({.where = path_,
               .what = fmt::format("cannot be written: the partial files beside it ({}{}, …) belong to others",
                                   std::filesystem::path(path_).filename().string(), kPartial),
               .hint = "remove them, if nothing writes them any more"});
}

// False if that name is taken by someone who still writes.
bool AtomicFile::open_partial(const std::string& name) {
  int descriptor = open(name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
  const bool is_new = descriptor >= 0;
  if (!is_new && errno != EEXIST) fail("create");
  if (!is_new) descriptor = open(name.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool is_locked = flock(descriptor, LOCK_EX | LOCK_NB) == 0;
  // Some network file systems have no locks: there only a new file is ours.
  const bool is_free = is_locked || (is_new && errno != EWOULDBLOCK);
  // Whoever had the lock before may have renamed or removed the file in the meantime.
  if (!is_free || !is_own_file_named(descriptor, name) || ftruncate(descriptor, 0) != 0) {
    close(descriptor);
    return false;
  }
  descriptor_ = descriptor;
  partial_path_ = name;
  return true;
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  if (!committed_) unlink(partial_path_.c_str());
  close(descriptor_);  // ends the lock, so after the name is gone
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
  if (rename(partial_path_.c_str(), path_.c_str()) != 0) fail("rename");
  committed_ = true;
  flush_folder_of(path_);
}

void AtomicFile::fail(const char* doing) const {
  throw Error({.where = path_,
               .what = fmt::format("cannot {} the file: {}", doing, std::strerror(errno)),
               .hint = "a file that was there before is unchanged"});
}

}  // namespace torquant
