#include "torquant/format/tqm_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>

#include "tests/support/temp_folder.h"
#include "tests/support/tiny_branches.h"
#include "tests/support/tiny_float_net.h"
#include "tests/support/tiny_floats.h"
#include "tests/support/tiny_model.h"
#include "tests/support/tiny_transformer.h"

namespace torquant::format {
namespace {

std::string written() {
  TinyModel tiny;
  Result<std::string> bytes = write_tqm(tiny.model);
  EXPECT_TRUE(bytes.ok());
  return *bytes;
}

// Reads from memory that is aligned as a mapping is, and exactly as long as the file.
class Aligned {
 public:
  explicit Aligned(const std::string& bytes)
      : size_(bytes.size()), data_(std::aligned_alloc(64, (bytes.size() + 64) / 64 * 64)) {
    std::memcpy(data_, bytes.data(), bytes.size());
  }
  ~Aligned() { std::free(data_); }
  Result<Model> read() const { return read_tqm(data_, size_); }

 private:
  size_t size_;
  void* data_;
};

TEST(TqmFile, GivesBackWhatWasWritten) {
  TinyModel tiny;
  const Aligned file(written());
  const Result<Model> read = file.read();
  ASSERT_TRUE(read.ok()) << read.error().what;
  const Model& model = *read;
  EXPECT_EQ(model.producer, "a test");
  EXPECT_EQ(model.source, "nowhere");
  EXPECT_EQ(model.inputs, tiny.model.inputs);
  EXPECT_EQ(model.outputs, tiny.model.outputs);
  EXPECT_EQ(model.most_batch, 9);
  ASSERT_EQ(model.values.size(), tiny.model.values.size());
  for (size_t i = 0; i < model.values.size(); ++i) {
    EXPECT_EQ(model.values[i].name, tiny.model.values[i].name);
    EXPECT_EQ(model.values[i].sizes, tiny.model.values[i].sizes);
    EXPECT_EQ(model.values[i].type, tiny.model.values[i].type);
    EXPECT_EQ(model.values[i].grid.scale, tiny.model.values[i].grid.scale);
    EXPECT_EQ(model.values[i].grid.zero_point, tiny.model.values[i].grid.zero_point);
  }
  ASSERT_EQ(model.nodes.size(), tiny.model.nodes.size());
  for (size_t i = 0; i < model.nodes.size(); ++i) {
    EXPECT_EQ(model.nodes[i].name, tiny.model.nodes[i].name);
    EXPECT_EQ(model.nodes[i].operation.index(), tiny.model.nodes[i].operation.index());
    EXPECT_EQ(inputs_of(model.nodes[i].operation), inputs_of(tiny.model.nodes[i].operation));
    EXPECT_EQ(output_of(model.nodes[i].operation), output_of(tiny.model.nodes[i].operation));
    const auto* layer = std::get_if<Layer>(&model.nodes[i].operation);
    if (layer == nullptr) continue;
    const Layer& expected = tiny.layer_of(i);
    EXPECT_TRUE(std::ranges::equal(layer->weights, expected.weights));
    EXPECT_TRUE(std::ranges::equal(layer->start, expected.start));
    EXPECT_TRUE(std::ranges::equal(layer->multiplier, expected.multiplier));
    EXPECT_TRUE(std::ranges::equal(layer->offset, expected.offset));
    EXPECT_EQ(layer->windows.padding[1], expected.windows.padding[1]);
    EXPECT_EQ(layer->residual, expected.residual);
    EXPECT_EQ(layer->residual_multiplier, expected.residual_multiplier);
    EXPECT_EQ(layer->lo, expected.lo);
    EXPECT_EQ(layer->hi, expected.hi);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(layer->weights.data()) % 64, 0u) << "kernels load whole lines";
  }
}

TEST(TqmFile, GivesBackTheOtherKindsOfNodes) {
  TinyBranches tiny;
  const Aligned file(*write_tqm(tiny.model));
  const Result<Model> read = file.read();
  ASSERT_TRUE(read.ok()) << read.error().what;
  const auto at = [&]<class Operation>(size_t node, const Operation&) -> const Operation& {
    return std::get<Operation>(read->nodes[node].operation);
  };
  EXPECT_EQ(at(1, Layer{}).groups, 3);
  EXPECT_TRUE(std::ranges::equal(at(1, Layer{}).weights, tiny.at<Layer>(1).weights));
  EXPECT_TRUE(std::ranges::equal(at(2, MapCodes{}).table, tiny.at<MapCodes>(2).table));
  EXPECT_EQ(at(3, AveragePool{}).windows.kernel[1], 2);
  EXPECT_EQ(at(5, Multiply{}).b, tiny.at<Multiply>(5).b);
  EXPECT_EQ(at(6, Concat{}).inputs, tiny.at<Concat>(6).inputs);
  EXPECT_EQ(at(7, Rearrange{}).sizes, tiny.at<Rearrange>(7).sizes);
  EXPECT_EQ(at(7, Rearrange{}).steps, tiny.at<Rearrange>(7).steps);
}

TEST(TqmFile, GivesBackNodesOnFloats) {
  TinyFloats tiny;
  tiny.at<FloatMap>(2) = {2, 3, FloatFunction::kSoftplus, 2.5f, -1};
  tiny.at<Softmax>(7).log = true;
  const Aligned file(*write_tqm(tiny.model));
  const Result<Model> read = file.read();
  ASSERT_TRUE(read.ok()) << read.error().what;
  const auto at = [&]<class Operation>(size_t node, const Operation&) -> const Operation& {
    return std::get<Operation>(read->nodes[node].operation);
  };
  EXPECT_EQ(at(2, FloatMap{}).function, FloatFunction::kSoftplus);
  EXPECT_EQ(at(2, FloatMap{}).a, 2.5f);
  EXPECT_EQ(at(2, FloatMap{}).b, -1);
  EXPECT_EQ(at(3, FloatMean{}).output, tiny.at<FloatMean>(3).output);
  EXPECT_EQ(at(4, FloatBinary{}).arithmetic, FloatArithmetic::kMultiply);
  EXPECT_EQ(at(4, FloatBinary{}).b, tiny.at<FloatBinary>(4).b);
  EXPECT_EQ(at(7, Softmax{}).dim, 1u);
  EXPECT_TRUE(at(7, Softmax{}).log);
}

TEST(TqmFile, GivesBackNetworksInFloat) {
  TinyFloatNet tiny;
  const Aligned file(*write_tqm(tiny.model));
  const Result<Model> read = file.read();
  ASSERT_TRUE(read.ok()) << (read.ok() ? "" : read.error().what);
  for (size_t node = 0; node < 4; ++node) {
    const auto layer = std::get<FloatLayer>(read->nodes[node].operation), &wanted = tiny.at<FloatLayer>(node);
    EXPECT_EQ(layer.input, wanted.input);
    EXPECT_EQ(layer.output, wanted.output);
    EXPECT_EQ(layer.residual, wanted.residual);
    EXPECT_EQ(layer.windows.padding[1], wanted.windows.padding[1]);
    EXPECT_EQ(layer.windows.dilation[1], wanted.windows.dilation[1]);
    EXPECT_EQ(layer.groups, wanted.groups);
    EXPECT_EQ(layer.depthwise, wanted.depthwise);
    EXPECT_TRUE(std::ranges::equal(layer.weights, wanted.weights) && std::ranges::equal(layer.bias, wanted.bias));
    EXPECT_EQ(layer.lo, wanted.lo);
    EXPECT_EQ(layer.hi, wanted.hi);
  }
  const auto most = std::get<FloatPool>(read->nodes[4].operation), mean = std::get<FloatPool>(read->nodes[5].operation);
  EXPECT_EQ(most.windows.stride[0], 2);
  EXPECT_EQ(most.pooling, FloatPooling::kMax);
  EXPECT_EQ(mean.pooling, FloatPooling::kMean);
}

TEST(TqmFile, GivesBackTransformers) {
  TinyTransformer tiny;
  tiny.at<Attention>(8).in_float = true;
  const Aligned file(*write_tqm(tiny.model));
  const Result<Model> read = file.read();
  ASSERT_TRUE(read.ok()) << (read.ok() ? "" : read.error().what);
  const auto same = [](const auto& a, const auto& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); };
  EXPECT_EQ(read->values[0].type, ValueType::kInt64);
  EXPECT_FALSE(read->values[4].is_constant());
  EXPECT_TRUE(same(read->values[3].constant, tiny.model.values[3].constant));
  const auto node = [&](size_t i) { return read->nodes[i].operation; };
  EXPECT_TRUE(same(std::get<Embedding>(node(0)).table, tiny.at<Embedding>(0).table));
  const auto norm = std::get<Normalize>(node(2)), rms = std::get<Normalize>(node(10));
  EXPECT_TRUE(same(norm.weight, tiny.at<Normalize>(2).weight) && same(norm.bias, tiny.at<Normalize>(2).bias));
  EXPECT_EQ(norm.epsilon, 1e-5f);
  EXPECT_FALSE(norm.rms);
  EXPECT_EQ(norm.residual, -1);
  EXPECT_TRUE(rms.rms);
  EXPECT_EQ(rms.residual, 5);
  const auto linear = std::get<DynamicLinear>(node(3)), &wanted = tiny.at<DynamicLinear>(3);
  EXPECT_TRUE(same(linear.weights, wanted.weights) && same(linear.pairs_fit, wanted.pairs_fit) &&
              same(linear.column_sum, wanted.column_sum) && same(linear.multiplier, wanted.multiplier) &&
              same(linear.offset, wanted.offset));
  EXPECT_EQ(std::get<FromIntegers>(node(4)).input, 1u);
  const auto attention = std::get<Attention>(node(8));
  EXPECT_EQ(attention.query.of, 6u);
  EXPECT_EQ(attention.key.begin, 32u);
  EXPECT_EQ(attention.value.begin, 48u);
  EXPECT_EQ(attention.mask, 10);
  EXPECT_EQ(attention.heads, 4u);
  EXPECT_EQ(attention.key_heads, 2u);
  EXPECT_EQ(attention.head_size, 8u);
  EXPECT_EQ(attention.scale, 0.35f);
  EXPECT_FALSE(attention.causal);
  EXPECT_TRUE(attention.in_float);
}

TEST(TqmFile, HasTheSameBytesForTheSameModel) { EXPECT_EQ(written(), written()); }

TEST(TqmFile, IsMappedFromItsPath) {
  const TempFolder folder;
  const std::string path = folder.path("tiny.tqm"), bytes = written();
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  const auto file = TqmFile::open(path);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((*file)->model().nodes.size(), 8u);
}

TEST(TqmFile, SaysWhatIsWrongWithAPath) {
  const TempFolder folder;
  const auto error_of = [&](const std::string& path) {
    const auto file = TqmFile::open(path);
    return file.ok() ? "" : file.error().where + ": " + file.error().what;
  };
  EXPECT_NE(error_of(folder.path("none.tqm")).find("none.tqm: cannot be read: No such file"), std::string::npos);
  EXPECT_NE(error_of(folder.path("")).find("is no regular file"), std::string::npos);
  std::ofstream(folder.path("empty.tqm"));
  EXPECT_NE(error_of(folder.path("empty.tqm")).find("empty.tqm: is empty"), std::string::npos);
  std::ofstream(folder.path("text.tqm")) << "this is a text of more than thirty-two bytes";
  EXPECT_NE(error_of(folder.path("text.tqm")).find("text.tqm: is no .tqm file"), std::string::npos);
}

TEST(TqmFile, CutAnywhereIsAnError) {
  const std::string bytes = written();
  for (size_t size = 0; size < bytes.size(); size += size < 3000 ? 1 : 61) {
    EXPECT_FALSE(Aligned(bytes.substr(0, size)).read().ok()) << size << " of " << bytes.size();
  }
}

TEST(TqmFile, OfAnotherVersionIsAnError) {
  TinyModel tiny;
  std::string bytes = written();
  // The version is the first field of the root table; its place is what changes between files of two versions.
  const Result<Model> read = Aligned(bytes).read();
  ASSERT_TRUE(read.ok());
  size_t changed = 0;
  for (size_t i = 12; i < 200; ++i) {
    std::string other = bytes;
    if (other[i] != 1) continue;
    other[i] = 7;
    const Result<Model> refused = Aligned(other).read();
    if (!refused.ok() && refused.error().what == "has version 7 of the format" && refused.error().allowed == "1")
      ++changed;
  }
  EXPECT_EQ(changed, 1u);
}

// A fuzzer does this better (tests/fuzz); this keeps the plain cases in every test run.
TEST(TqmFile, WithBytesChangedIsAnErrorOrAModel) {
  const std::string bytes = written();
  std::mt19937 random(1);
  size_t refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string other = bytes;
    for (int i = 0; i < 3; ++i) other[random() % 3500] = static_cast<char>(random());
    const Aligned file(other);
    const Result<Model> read = file.read();
    refused += read.ok() ? 0 : 1;
    EXPECT_TRUE(!read.ok() || check_model(*read).ok());
  }
  EXPECT_GT(refused, 5000u);
}

}  // namespace
}  // namespace torquant::format
