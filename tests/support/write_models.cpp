// write_models FOLDER: small models of the runtime as files, for tests and fuzz seeds.
#include <cstdio>
#include <fstream>

#include "tests/support/tiny_branches.h"
#include "tests/support/tiny_float_net.h"
#include "tests/support/tiny_floats.h"
#include "tests/support/tiny_model.h"
#include "tests/support/tiny_rotation.h"
#include "tests/support/tiny_transformer.h"
#include "tests/support/tiny_volume.h"
#include "torquant/format/tqm_file.h"

namespace torquant {
namespace {

using namespace format;

// Reals to codes, a depthwise 3x3 convolution (dilated, with a residual), max-pool, flatten, codes to reals.
class DepthwiseModel {
 public:
  DepthwiseModel() {
    const TensorGrid grid{.scale = 0.1, .zero_point = 3};
    const auto add = [&](const char* name, std::vector<int64_t> sizes, ValueType type = ValueType::kUint8) {
      model.values.push_back({.name = name, .type = type, .sizes = std::move(sizes), .grid = grid});
    };
    add("x", {2, 18, 5, 6}, ValueType::kFloat32);
    add("codes", {2, 18, 5, 6});
    add("sum", {2, 18, 5, 6});
    add("small", {2, 18, 3, 3});
    add("flat", {2, 18 * 9});
    add("y", {2, 18 * 9}, ValueType::kFloat32);
    model.inputs = {0}, model.outputs = {5};
    model.least_batch = model.most_batch = 2;
    model.nodes.push_back({"quantize", Quantize{0, 1}});
    model.nodes.push_back({"depthwise", Layer{.input = 1,
                                              .output = 2,
                                              .residual = 1,
                                              .windows = {.kernel = {3, 3}, .padding = {2, 2}, .dilation = {2, 2}},
                                              .depthwise = true,
                                              .weights = weights_,
                                              .start = start_,
                                              .multiplier = multiplier_,
                                              .offset = offset_,
                                              .residual_multiplier = 0.5f}});
    model.nodes.push_back({"pool", MaxPool{2, 3, {.kernel = {2, 2}, .stride = {2, 2}, .padding = {1, 0}}}});
    model.nodes.push_back({"flatten", Flatten{3, 4}});
    model.nodes.push_back({"dequantize", Dequantize{4, 5}});
  }

  Model model;

 private:
  std::vector<int8_t> weights_ = std::vector<int8_t>(9 * 32, 5);
  std::vector<int32_t> start_ = std::vector<int32_t>(32, -3 * 5 * 9);
  std::vector<float> multiplier_ = std::vector<float>(32, 0.01f), offset_ = std::vector<float>(32, 3);
};

bool write(const Model& model, const std::string& path) {
  const Result<std::string> bytes = write_tqm(model);
  if (!bytes.ok()) std::fprintf(stderr, "%s: %s\n", bytes.error().where.c_str(), bytes.error().what.c_str());
  return bytes.ok() && (std::ofstream(path, std::ios::binary) << *bytes).flush().good();
}

}  // namespace
}  // namespace torquant

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  const torquant::TinyModel tiny;
  const torquant::TinyBranches branches;
  const torquant::TinyFloats floats;
  const torquant::TinyFloatNet float_net;
  const torquant::TinyTransformer transformer;
  const torquant::TinyRotation rotation;
  torquant::TinyTransformer growing(3);
  growing.let_grow_to(9);
  const torquant::TinyVolume volume;
  const torquant::DepthwiseModel depthwise;
  const bool written =
      torquant::write(tiny.model, folder + "/tiny") && torquant::write(branches.model, folder + "/branches") &&
      torquant::write(floats.model, folder + "/floats") && torquant::write(float_net.model, folder + "/float_net") &&
      torquant::write(volume.model, folder + "/volume") &&
      torquant::write(transformer.model, folder + "/transformer") &&
      torquant::write(growing.model, folder + "/growing") && torquant::write(depthwise.model, folder + "/depthwise");
  return written ? 0 : 1;
}
