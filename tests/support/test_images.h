#pragma once

#include <ATen/core/Tensor.h>

#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "torquant/data/npz.h"

namespace torquant {

// tests/data/images: files, and what Pillow and torch make of them (make.py there).
inline std::string test_image_path(const std::string& name) { return TORQUANT_TEST_DATA "/images/" + name; }

inline std::string test_image(const std::string& name) {
  std::ifstream file(test_image_path(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline at::Tensor expected_image(const std::string& name) {
  static const std::map<std::string, at::Tensor> expected = read_npz(test_image_path("expected.npz"));
  return expected.at(name);
}

}  // namespace torquant
