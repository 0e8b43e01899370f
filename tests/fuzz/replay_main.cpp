// Runs a fuzz target on each file named, without libFuzzer.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/fuzz/input.h"

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    if (!file.good() && !file.eof()) {
      fmt::print(stderr, "{} cannot be read\n", argv[i]);
      return 1;
    }
    fmt::print(stderr, "{}\n", argv[i]);  // the last line names the file that crashed
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  }
  fmt::print(stderr, "{} files\n", argc - 1);
  return argc > 1 ? 0 : 1;  // a corpus that is not found is no success
}
