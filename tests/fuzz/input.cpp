#include "tests/fuzz/input.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace torquant::fuzz {

InputFile::InputFile(std::string_view bytes)
    : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)), path_(fmt::format("/proc/self/fd/{}", descriptor_)) {
  const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
  expect_that(written == static_cast<ssize_t>(bytes.size()), "memfd_create or write failed");
}

InputFile::~InputFile() { close(descriptor_); }

OutputFile::OutputFile() {
  static int count = 0;
  path_ = fmt::format("/dev/shm/torquant_fuzz_{}_{}", getpid(), count++);
}

OutputFile::~OutputFile() { unlink(path_.c_str()); }

void expect_that(bool holds, const std::string& what) {
  if (holds) return;
  fmt::print(stderr, "broken promise: {}\n", what);
  std::abort();
}

}  // namespace torquant::fuzz
