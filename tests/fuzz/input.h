#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// What each fuzz target defines: reads `data` as a user would read a file. It may throw torquant::Error, and nothing
// else; whatever breaks a promise of the library must crash (expect_that).
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace torquant::fuzz {

inline std::string_view as_text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// A file in memory, with a path, for readers that open files themselves.
class InputFile {
 public:
  explicit InputFile(std::string_view bytes);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  int descriptor_;
  std::string path_;
};

// A path in memory for what is to be written; the file is removed again.
class OutputFile {
 public:
  OutputFile();
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Ends the process, saying `what`, when a promise does not hold.
void expect_that(bool holds, const std::string& what);

}  // namespace torquant::fuzz
