#include "torquant/format/at_length.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>

#include "tests/support/tiny_transformer.h"
#include "torquant/format/tqm_file.h"

namespace torquant::format {
namespace {

struct Growing : TinyTransformer {
  Growing() : TinyTransformer(3) { let_grow_to(9); }
};

// A model that adds a constant of sizes [1, A, B, C] to its input.
struct SumWithConstant {
  SumWithConstant(std::vector<int64_t> sizes, std::vector<int64_t> growth, int64_t floats)
      : numbers(static_cast<size_t>(floats)) {
    std::iota(numbers.begin(), numbers.end(), 0.0f);
    for (const char* name : {"x", "constant", "y"})
      model.values.push_back({.name = name, .type = ValueType::kFloat32, .sizes = sizes, .growth = growth});
    model.values[1].constant = numbers;
    model.nodes.push_back({"sum", FloatBinary{0, 1, 2, FloatArithmetic::kAdd}});
    model.inputs = {0}, model.outputs = {2};
    model.least_length = 2, model.most_length = 5;
  }
  std::vector<float> numbers;
  Model model;
};

std::vector<float> constant_at(const Model& model, int64_t length) {
  const Result<ModelOfLength> made = at_length(model, length);
  EXPECT_TRUE(made.ok());
  const std::span<const float> numbers = made->model.values[1].constant;
  return {numbers.begin(), numbers.end()};
}

TEST(AtLength, GivesTheModelThatWasMadeForThatLength) {
  const Growing model;
  for (int64_t length = 3; length <= 9; ++length) {
    const Result<ModelOfLength> made = at_length(model.model, length);
    ASSERT_TRUE(made.ok());
    const TinyTransformer fixed(length);
    Model expected = fixed.model;
    expected.least_length = expected.most_length = length;
    EXPECT_EQ(*write_tqm(made->model), *write_tqm(expected)) << length;
  }
}

TEST(AtLength, CutsConstantsAtTheirEnds) {
  const SumWithConstant front({1, 2, 3}, {0, 1, 0}, 5 * 3);  // a piece, not a copy
  EXPECT_EQ(at_length(front.model, 3)->model.values[1].constant.data(), front.numbers.data());
  EXPECT_EQ(constant_at(front.model, 3), (std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
  const SumWithConstant square({1, 1, 2, 2}, {0, 0, 1, 1}, 5 * 5);
  EXPECT_EQ(constant_at(square.model, 2), (std::vector<float>{0, 1, 5, 6}));
  EXPECT_EQ(constant_at(square.model, 5), square.numbers);
  const SumWithConstant last({1, 2, 4}, {0, 0, 2}, 2 * 10);  // two numbers more for each of length
  EXPECT_EQ(constant_at(last.model, 3), (std::vector<float>{0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15}));
}

TEST(AtLength, IsPartOfTheFile) {
  const Growing model;
  const Result<std::string> bytes = write_tqm(model.model);
  ASSERT_TRUE(bytes.ok());
  void* memory = std::aligned_alloc(64, (bytes->size() + 63) / 64 * 64);
  std::memcpy(memory, bytes->data(), bytes->size());
  const Result<Model> read = read_tqm(memory, bytes->size());
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->least_length, 3);
  EXPECT_EQ(read->most_length, 9);
  EXPECT_EQ(*write_tqm(*read), *bytes);
  EXPECT_EQ(*write_tqm(at_length(*read, 7)->model), *write_tqm(at_length(model.model, 7)->model));
  std::free(memory);
}

TEST(AtLength, TellsSizesAndLengths) {
  const Growing model;
  const Value& ids = model.model.values[0];
  EXPECT_EQ(sizes_at(model.model, ids, 4, 8), (std::vector<int64_t>{4, 8}));
  EXPECT_EQ(length_of(model.model, ids, {4, 8}), 8);
  EXPECT_EQ(length_of(model.model, ids, {4}), 3);
}

// What is wrong, and what check_model() says of it.
void expect_refused(const Model& model, const std::string& where, const std::string& what) {
  const Result<void> checked = check_model(model);
  ASSERT_FALSE(checked.ok());
  EXPECT_EQ(checked.error().where, where);
  EXPECT_EQ(checked.error().what, what);
}

TEST(AtLength, RefusesGrowthThatDoesNotFit) {
  const auto with = [](const auto& change) {
    auto tiny = std::make_unique<Growing>();
    change(*tiny);
    return tiny;
  };
  expect_refused(with([](auto& tiny) { tiny.model.values[0].growth = {0}; })->model, "value ids",
                 "has a growth of other numbers than its sizes");
  expect_refused(with([](auto& tiny) { tiny.model.values[0].growth = {0, -1}; })->model, "value ids",
                 "has sizes that do not grow with the length");
  expect_refused(with([](auto& tiny) { tiny.model.values[0].growth = {0, int64_t{1} << 31}; })->model, "value ids",
                 "has sizes that do not grow with the length");
  expect_refused(with([](auto& tiny) { tiny.model.values[0].growth = {1, 1}; })->model, "value ids",
                 "has sizes [7, 9] in a model for batches of 1");
  expect_refused(
      with([](auto& tiny) { tiny.model.values[3].constant = tiny.model.values[3].constant.first(3 * 24); })->model,
      "value positions", "holds another number of floats than it has for the most length");
  expect_refused(with([](auto& tiny) { tiny.template at<Rearrange>(6).growth = {0, 1}; })->model, "node turn",
                 "has a growth of other numbers than it moves by");
  expect_refused(with([](auto& tiny) { tiny.template at<Rearrange>(6).growth = {1, 1, 0}; })->model, "node turn",
                 "reads elements outside its input");
  expect_refused(with([](auto& tiny) { tiny.model.most_length = 2; })->model, "model", "takes lengths of 3 to 2");
  expect_refused(with([](auto& tiny) { tiny.model.least_length = 0; })->model, "model", "takes lengths of 0 to 9");
  expect_refused(with([](auto& tiny) { tiny.model.most_length = kMostLength + 1; })->model, "model",
                 "takes lengths of 3 to 16777217");
  expect_refused(with([](auto& tiny) { tiny.model.most_length = 3; })->model, "value ids",
                 "grows in a model of one length");
}

}  // namespace
}  // namespace torquant::format
