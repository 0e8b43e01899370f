// Models that leave a length open, by the C interface and its C++ wrapper.
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "torquant/runtime/torquant_runtime.hpp"

namespace {

using torquant_runtime::Model;
using torquant_runtime::Session;
using Sizes = std::vector<int64_t>;

const std::string kFolder = TORQUANT_TEST_MODELS;   // what write_models wrote
const std::string kGrowing = kFolder + "/growing";  // ids, mask [N, T] to y [N, T, 24], N from 1 to 4, T from 3 to 9

std::vector<float> run(Session& session) {
  const auto numbers = [&](size_t input, int64_t step) {
    std::vector<int64_t> made(session.input(input).elements());
    for (size_t i = 0; i < made.size(); ++i) made[i] = step * static_cast<int64_t>(i) % 11;
    return made;
  };
  const std::vector<int64_t> ids = numbers(0, 3), mask = numbers(1, 1);
  std::vector<float> y(session.output(0).elements());
  session.run({torquant_runtime::input(ids), torquant_runtime::input(mask)}, {torquant_runtime::output(y)});
  return y;
}

std::string error_of(const auto& call) {
  try {
    call();
  } catch (const torquant_runtime::Error& error) {
    EXPECT_EQ(error.status(), TORQUANT_INVALID_ARGUMENT);
    return error.what();
  }
  return "";
}

TEST(CApiLength, TellsWhatGrows) {
  const Model model(kGrowing);
  EXPECT_EQ(model.length_range().least, 3);
  EXPECT_EQ(model.length_range().most, 9);
  EXPECT_EQ(model.input(0).sizes, (Sizes{1, 3}));
  EXPECT_EQ(model.input(0).growth, (Sizes{0, 1}));
  EXPECT_EQ(model.output(0).growth, (Sizes{0, 1, 0}));
  const Model fixed(kFolder + "/transformer");
  EXPECT_EQ(fixed.length_range().most, 1);
  EXPECT_EQ(fixed.output(0).growth, (Sizes{0, 0, 0}));
}

TEST(CApiLength, RunsAtTheLengthThatWasChosen) {
  const Model model(kGrowing);
  Session session(model, {.batch = 2, .threads = 2, .length = 5});
  EXPECT_EQ(session.input(1).sizes, (Sizes{2, 5}));
  EXPECT_EQ(session.output(0).sizes, (Sizes{2, 5, 24}));
  EXPECT_EQ(session.output(0).bytes, 2u * 5 * 24 * 4);
  const std::vector<float> expected = run(session);
  session.resize(1, 9);
  EXPECT_EQ(session.output(0).sizes, (Sizes{1, 9, 24}));
  run(session);
  session.resize(3);
  EXPECT_EQ(session.output(0).sizes, (Sizes{3, 3, 24}));
  session.resize(2, 5);
  EXPECT_EQ(run(session), expected);
}

TEST(CApiLength, RefusesOthersAndStaysAsItIs) {
  const Model model(kGrowing);
  EXPECT_EQ(error_of([&] { Session(model, {.length = 10}); }),
            "torquant_session_create: length is 10\n  allowed here: 3 to 9");
  Session session(model, {.length = 4});
  const std::vector<float> expected = run(session);
  EXPECT_EQ(error_of([&] { session.resize(1, 2); }), "torquant_session_resize: length is 2\n  allowed here: 3 to 9");
  EXPECT_EQ(error_of([&] { session.resize(5, 4); }), "torquant_session_resize: batch is 5\n  allowed here: 1 to 4");
  EXPECT_EQ(run(session), expected);
  EXPECT_EQ(torquant_session_resize(nullptr, 1, 1), TORQUANT_INVALID_ARGUMENT);
  EXPECT_EQ(torquant_model_length_range(nullptr, nullptr, nullptr), TORQUANT_INVALID_ARGUMENT);
}

// Programs that were compiled before there was a length.
TEST(CApiLength, TakesStructsOfTheFirstHeader) {
  const Model model(kGrowing);
  torquant_session_options options = {offsetof(torquant_session_options, length), 2, 1, /*length: not read*/ 77};
  torquant_session* session = nullptr;
  ASSERT_EQ(torquant_session_create(model.get(), &options, &session), TORQUANT_OK) << torquant_last_error();
  const Sizes untouched = {1};
  torquant_tensor_info info = {};
  info.struct_size = offsetof(torquant_tensor_info, growth);
  info.growth = untouched.data();
  ASSERT_EQ(torquant_session_output(session, 0, &info), TORQUANT_OK);
  EXPECT_EQ(Sizes(info.sizes, info.sizes + info.rank), (Sizes{2, 3, 24}));
  EXPECT_EQ(info.growth, untouched.data());
  torquant_session_free(session);
}

}  // namespace
