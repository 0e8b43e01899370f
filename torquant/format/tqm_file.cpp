#include "torquant/format/tqm_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace torquant::format {

Result<std::shared_ptr<const TqmFile>> TqmFile::open(const std::string& path) {
  const auto system_error = [&] {
    return ErrorText{.where = path, .what = std::string("cannot be read: ") + std::strerror(errno)};
  };
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return system_error();
  struct stat status{};
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(file);
    return ErrorText{.where = path, .what = "is no regular file"};
  }
  const auto size = static_cast<size_t>(status.st_size);
  void* data = size == 0 ? nullptr : mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  if (size == 0) return ErrorText{.where = path, .what = "is empty"};
  if (data == MAP_FAILED) return system_error();
  std::shared_ptr<TqmFile> opened(new TqmFile(data, size));
  Result<Model> model = read_tqm(data, size);
  if (!model.ok()) {
    ErrorText error = model.error();
    error.where = error.where.empty() ? path : path + ": " + error.where;
    return error;
  }
  opened->model_ = *std::move(model);
  return std::shared_ptr<const TqmFile>(std::move(opened));
}

TqmFile::~TqmFile() { munmap(const_cast<void*>(data_), size_); }

}  // namespace torquant::format
