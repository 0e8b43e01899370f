// The C interface and its C++ wrapper, against libtorquant_runtime alone: nothing else of Torquant is linked.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "torquant/runtime/torquant_runtime.hpp"

namespace {

const std::string kFolder = TORQUANT_TEST_MODELS;  // what write_models wrote
const std::string kTiny = kFolder + "/tiny";       // x [N, 3, 8, 8], y [N, 5], N from 1 to 9

std::string message() { return torquant_last_error(); }

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class CApi : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(torquant_model_load(kTiny.c_str(), &model_), TORQUANT_OK) << message();
    const torquant_session_options options = {sizeof options, 2, 1, 0};
    ASSERT_EQ(torquant_session_create(model_, &options, &session_), TORQUANT_OK) << message();
  }
  void TearDown() override {
    torquant_session_free(session_);
    torquant_model_free(model_);
    unsetenv("TORQUANT_FORCE_ISA");
  }

  torquant_status run() { return torquant_session_run(session_, &input_, 1, &output_, 1); }

  torquant_model* model_ = nullptr;
  torquant_session* session_ = nullptr;
  std::vector<float> x_ = std::vector<float>(2 * 3 * 8 * 8, 0.5f), y_ = std::vector<float>(2 * 5, -1);
  torquant_input input_ = torquant_runtime::input(x_);
  torquant_output output_ = torquant_runtime::output(y_);
};

TEST_F(CApi, TellsWhatAModelTakesAndGives) {
  EXPECT_STREQ(torquant_version(), TORQUANT_TEST_VERSION);
  EXPECT_EQ(torquant_abi_version(), TORQUANT_RUNTIME_ABI);
  int64_t least = 0, most = 0;
  EXPECT_EQ(torquant_model_batch_range(model_, &least, &most), TORQUANT_OK);
  EXPECT_EQ(least, 1);
  EXPECT_EQ(most, 9);
  EXPECT_EQ(torquant_model_input_count(model_), 1u);
  EXPECT_EQ(torquant_model_output_count(model_), 1u);
  torquant_tensor_info info = {};
  info.struct_size = sizeof info;
  ASSERT_EQ(torquant_model_input(model_, 0, &info), TORQUANT_OK);
  EXPECT_STREQ(info.name, "x");
  EXPECT_EQ(info.dtype, TORQUANT_FLOAT32);
  EXPECT_EQ(std::vector<int64_t>(info.sizes, info.sizes + info.rank), (std::vector<int64_t>{1, 3, 8, 8}));
  EXPECT_EQ(info.bytes, 3u * 8 * 8 * 4);
  ASSERT_EQ(torquant_session_output(session_, 0, &info), TORQUANT_OK);
  EXPECT_STREQ(info.name, "y");
  EXPECT_EQ(std::vector<int64_t>(info.sizes, info.sizes + info.rank), (std::vector<int64_t>{2, 5}));
  EXPECT_EQ(info.bytes, 2u * 5 * 4);
  EXPECT_GT(torquant_session_memory_bytes(session_), 20u * 8 * 8 * 2);
}

TEST_F(CApi, GivesTheSameFromFileAndMemory) {
  ASSERT_EQ(run(), TORQUANT_OK) << message();
  EXPECT_EQ(std::vector<float>(y_.begin(), y_.begin() + 5), std::vector<float>(y_.begin() + 5, y_.end()))
      << "two equal images";
  const std::string bytes = bytes_of(kTiny);
  void* memory = std::aligned_alloc(64, (bytes.size() + 63) / 64 * 64);
  std::memcpy(memory, bytes.data(), bytes.size());
  std::vector<float> x(3 * 8 * 8, 0.5f), y(5);
  {
    const torquant_runtime::Model model(memory, bytes.size());
    torquant_runtime::Session session(model);
    session.run({torquant_runtime::input(x)}, {torquant_runtime::output(y)});
  }
  EXPECT_EQ(y, std::vector<float>(y_.begin(), y_.begin() + 5));
  torquant_model* askew = nullptr;
  EXPECT_EQ(torquant_model_load_memory(static_cast<char*>(memory) + 16, bytes.size() - 16, &askew),
            TORQUANT_INVALID_ARGUMENT);
  EXPECT_NE(message().find("data: begins 16 bytes behind a multiple of 64"), std::string::npos) << message();
  EXPECT_EQ(askew, nullptr);
  std::free(memory);
}

TEST_F(CApi, ASessionOutlivesItsModel) {
  torquant_model_free(model_);
  model_ = nullptr;
  EXPECT_EQ(run(), TORQUANT_OK);
}

struct Misuse {
  const char* says;
  torquant_status status;
  std::function<torquant_status(torquant_model*, torquant_session*, torquant_input, torquant_output)> call;
};

class CApiMisuse : public CApi, public testing::WithParamInterface<Misuse> {};

TEST_P(CApiMisuse, IsACodeAndAMessage) {
  EXPECT_EQ(GetParam().call(model_, session_, input_, output_), GetParam().status);
  EXPECT_NE(message().find(GetParam().says), std::string::npos) << message();
  EXPECT_EQ(y_, std::vector<float>(10, -1)) << "nothing was written";
  EXPECT_EQ(run(), TORQUANT_OK) << "and all goes on";
}

using M = torquant_model*;
using S = torquant_session*;
using I = torquant_input;
using O = torquant_output;

torquant_status run_with(S session, const I& input, const O& output) {
  return torquant_session_run(session, &input, 1, &output, 1);
}

torquant_status create_with(M model, torquant_session_options options) {
  S session = nullptr;
  const torquant_status status = torquant_session_create(model, &options, &session);
  EXPECT_EQ(session, nullptr);
  return status;
}

torquant_status load_path(const std::string& path) {
  M model = reinterpret_cast<M>(16);
  const torquant_status status = torquant_model_load(path.c_str(), &model);
  EXPECT_EQ(model, nullptr);
  return status;
}

constexpr size_t kOptions = sizeof(torquant_session_options);

INSTANTIATE_TEST_SUITE_P(
    All, CApiMisuse,
    testing::Values(Misuse{"torquant_model_load: model is null", TORQUANT_INVALID_ARGUMENT,
                           [](M, S, I, O) { return torquant_model_load("x", nullptr); }},
                    Misuse{"torquant_model_load: path is null", TORQUANT_INVALID_ARGUMENT,
                           [](M, S, I, O) {
                             M model = nullptr;
                             return torquant_model_load(nullptr, &model);
                           }},
                    Misuse{"torquant_model_load_memory: data is null", TORQUANT_INVALID_ARGUMENT,
                           [](M, S, I, O) {
                             M model = nullptr;
                             return torquant_model_load_memory(nullptr, 100, &model);
                           }},
                    Misuse{"nowhere.tqm: cannot be read: No such file or directory", TORQUANT_INVALID_MODEL,
                           [](M, S, I, O) { return load_path(kFolder + "/nowhere.tqm"); }},
                    Misuse{"is no regular file", TORQUANT_INVALID_MODEL, [](M, S, I, O) { return load_path(kFolder); }},
                    Misuse{"is cut: its header ends behind its end", TORQUANT_INVALID_MODEL,
                           [](M, S, I, O) {
                             const std::string path = testing::TempDir() + "torquant_cut_" + std::to_string(getpid());
                             std::ofstream(path, std::ios::binary) << bytes_of(kTiny).substr(0, 500);
                             const torquant_status status = load_path(path);
                             std::remove(path.c_str());
                             return status;
                           }},
                    Misuse{"TORQUANT_FORCE_ISA: \"sse9\" is no instruction set", TORQUANT_INVALID_ISA,
                           [](M, S, I, O) {
                             setenv("TORQUANT_FORCE_ISA", "sse9", 1);
                             return load_path(kTiny);
                           }},
                    Misuse{"torquant_model_batch_range: model is null", TORQUANT_INVALID_ARGUMENT,
                           [](M, S, I, O) {
                             int64_t least = 0, most = 0;
                             return torquant_model_batch_range(nullptr, &least, &most);
                           }},
                    Misuse{"torquant_model_batch_range: most is null", TORQUANT_INVALID_ARGUMENT,
                           [](M model, S, I, O) {
                             int64_t least = 0;
                             return torquant_model_batch_range(model, &least, nullptr);
                           }},
                    Misuse{"torquant_model_input: index is 1\n  allowed here: 0 to 0", TORQUANT_INVALID_ARGUMENT,
                           [](M model, S, I, O) {
                             torquant_tensor_info info = {};
                             info.struct_size = sizeof info;
                             return torquant_model_input(model, 1, &info);
                           }},
                    Misuse{"torquant_model_output: struct_size is 0", TORQUANT_INVALID_ARGUMENT,
                           [](M model, S, I, O) {
                             torquant_tensor_info info = {};
                             return torquant_model_output(model, 0, &info);
                           }},
                    Misuse{"torquant_session_input: info is null", TORQUANT_INVALID_ARGUMENT,
                           [](M, S session, I, O) { return torquant_session_input(session, 0, nullptr); }},
                    Misuse{"torquant_session_create: session is null", TORQUANT_INVALID_ARGUMENT,
                           [](M model, S, I, O) { return torquant_session_create(model, nullptr, nullptr); }},
                    Misuse{"torquant_session_create: model is null", TORQUANT_INVALID_ARGUMENT,
                           [](M, S, I, O) { return create_with(nullptr, {kOptions, 1, 1, 0}); }},
                    Misuse{"torquant_session_create: batch is 10\n  allowed here: 1 to 9", TORQUANT_INVALID_ARGUMENT,
                           [](M model, S, I, O) { return create_with(model, {kOptions, 10, 1, 0}); }},
                    Misuse{"torquant_session_create: batch is -1\n  allowed here: 1 to 9", TORQUANT_INVALID_ARGUMENT,
                           [](M model, S, I, O) { return create_with(model, {kOptions, -1, 1, 0}); }},
                    Misuse{"torquant_session_create: threads is 0\n  allowed here: 1 to 256", TORQUANT_INVALID_ARGUMENT,
                           [](M model, S, I, O) { return create_with(model, {kOptions, 1, 0, 0}); }},
                    Misuse{"torquant_session_create: struct_size is 0\n  allowed here: sizeof",
                           TORQUANT_INVALID_ARGUMENT,
                           [](M model, S, I, O) { return create_with(model, {0, 1, 1, 0}); }},
                    Misuse{"options set at byte 36 are unknown", TORQUANT_INVALID_ARGUMENT,
                           [](M model, S, I, O) {
                             struct Later {
                               torquant_session_options known;
                               int32_t unset, set;
                             } later = {{sizeof(Later), 1, 1, 0}, 0, 7};
                             S session = nullptr;
                             return torquant_session_create(model, &later.known, &session);
                           }},
                    Misuse{"torquant_session_run: session is null", TORQUANT_INVALID_ARGUMENT,
                           [](M, S, const I& i, const O& o) { return run_with(nullptr, i, o); }},
                    Misuse{"0 inputs were given\n  allowed here: 1", TORQUANT_INVALID_ARGUMENT,
                           [](M, S session, I, O o) { return torquant_session_run(session, nullptr, 0, &o, 1); }},
                    Misuse{"torquant_session_run: inputs is null", TORQUANT_INVALID_ARGUMENT,
                           [](M, S session, I, O o) { return torquant_session_run(session, nullptr, 1, &o, 1); }},
                    Misuse{"2 outputs were given\n  allowed here: 1", TORQUANT_INVALID_ARGUMENT,
                           [](M, S session, I i, O o) { return torquant_session_run(session, &i, 1, &o, 2); }},
                    Misuse{"input 0 (x) has null data", TORQUANT_INVALID_ARGUMENT,
                           [](M, S session, I i, O o) {
                             i.data = nullptr;
                             return run_with(session, i, o);
                           }},
                    Misuse{"input 0 (x) has dtype 0\n  allowed here: TORQUANT_FLOAT32 (1)", TORQUANT_INVALID_ARGUMENT,
                           [](M, S session, I i, O o) {
                             i.dtype = static_cast<torquant_dtype>(0);
                             return run_with(session, i, o);
                           }},
                    Misuse{"input 0 (x) has 768 bytes\n  allowed here: 1536", TORQUANT_INVALID_ARGUMENT,
                           [](M, S session, I i, O o) {
                             i.bytes /= 2;
                             return run_with(session, i, o);
                           }},
                    Misuse{"output 0 (y) has 44 bytes\n  allowed here: 40", TORQUANT_INVALID_ARGUMENT,
                           [](M, S session, I i, O o) {
                             o.bytes += 4;
                             return run_with(session, i, o);
                           }},
                    Misuse{"output 0 (y) begins at no multiple of 4 bytes", TORQUANT_INVALID_ARGUMENT,
                           [](M, S session, I i, O o) {
                             o.data = static_cast<char*>(o.data) + 1;
                             return run_with(session, i, o);
                           }},
                    Misuse{"output 0 overlaps input 0", TORQUANT_INVALID_ARGUMENT, [](M, S session, I i, O o) {
                             o.data = const_cast<void*>(i.data);
                             return run_with(session, i, o);
                           }}));

TEST_F(CApi, OfNullIsNothing) {
  torquant_model_free(nullptr);
  torquant_session_free(nullptr);
  EXPECT_EQ(torquant_model_input_count(nullptr), 0u);
  EXPECT_EQ(torquant_model_output_count(nullptr), 0u);
  EXPECT_EQ(torquant_model_isa(nullptr), nullptr);
  EXPECT_EQ(torquant_session_memory_bytes(nullptr), 0u);
}

TEST_F(CApi, MessagesBelongToTheirThread) {
  EXPECT_EQ(torquant_model_load(nullptr, nullptr), TORQUANT_INVALID_ARGUMENT);
  std::thread([] {
    EXPECT_EQ(message(), "");
    EXPECT_EQ(torquant_session_run(nullptr, nullptr, 0, nullptr, 0), TORQUANT_INVALID_ARGUMENT);
  }).join();
  EXPECT_EQ(message(), "torquant_model_load: model is null");
}

TEST_F(CApi, EightThreadsShareAModel) {
  ASSERT_EQ(run(), TORQUANT_OK);
  const std::vector<float> expected(y_.begin(), y_.begin() + 5);
  std::atomic<int> equal = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const int64_t batch = 9 - i / 2;  // plans that are there and plans that are not
      const torquant_session_options options = {sizeof options, batch, 1 + i % 3, 0};
      torquant_session* session = nullptr;
      if (torquant_session_create(model_, &options, &session) != TORQUANT_OK) return;
      const std::vector<float> x(static_cast<size_t>(batch) * 3 * 8 * 8, 0.5f);
      const torquant_input input = torquant_runtime::input(x);
      for (int round = 0; round < 20; ++round) {
        std::vector<float> y(static_cast<size_t>(batch) * 5);
        const torquant_output output = torquant_runtime::output(y);
        const bool done = torquant_session_run(session, &input, 1, &output, 1) == TORQUANT_OK;
        equal += done && std::equal(expected.begin(), expected.end(), y.end() - 5) ? 1 : 0;
      }
      torquant_session_free(session);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, 8 * 20);
}

// ids and mask [N, 6] of int64, y [N, 6, 24].
TEST(CApiOfTokens, TakesIntegersWhereTheModelDoes) {
  const torquant_runtime::Model model(kFolder + "/transformer");
  EXPECT_EQ(model.input(0).dtype, TORQUANT_INT64);
  EXPECT_EQ(model.input(1).bytes, 6u * 8);
  EXPECT_EQ(model.output(0).dtype, TORQUANT_FLOAT32);
  torquant_runtime::Session session(model);
  std::vector<int64_t> ids = {3, 1, 4, 1, 5, 9}, mask(6, 1);
  std::vector<float> y(6 * 24, -1);
  session.run({torquant_runtime::input(ids), torquant_runtime::input(mask)}, {torquant_runtime::output(y)});
  EXPECT_EQ(std::count(y.begin(), y.end(), -1), 0);
  const auto refused = [&](torquant_input input) {
    const torquant_input inputs[] = {input, torquant_runtime::input(mask)};
    const torquant_output output = torquant_runtime::output(y);
    EXPECT_EQ(torquant_session_run(session.get(), inputs, 2, &output, 1), TORQUANT_INVALID_ARGUMENT);
    return message();
  };
  EXPECT_NE(
      refused({ids.data(), 48, TORQUANT_FLOAT32}).find("input 0 (ids) has dtype 1\n  allowed here: TORQUANT_INT64 (2)"),
      std::string::npos)
      << message();
  std::vector<int64_t> more(7);
  EXPECT_NE(refused({reinterpret_cast<char*>(more.data()) + 4, 48, TORQUANT_INT64}).find("no multiple of 8 bytes"),
            std::string::npos)
      << message();
  ids[5] = 11;
  EXPECT_NE(refused(torquant_runtime::input(ids)).find("input ids: holds 11 at place 5\n  allowed here: 0 to 10"),
            std::string::npos)
      << message();
}

TEST(CppWrapper, ThrowsWhatTheCInterfaceSays) {
  try {
    const torquant_runtime::Model model("nowhere.tqm");
    FAIL();
  } catch (const torquant_runtime::Error& error) {
    EXPECT_EQ(error.status(), TORQUANT_INVALID_MODEL);
    EXPECT_STREQ(error.what(), "nowhere.tqm: cannot be read: No such file or directory");
  }
  const torquant_runtime::Model model(kTiny);
  EXPECT_EQ(model.batch_range().most, 9);
  EXPECT_EQ(model.input(0).name, "x");
  EXPECT_THROW(torquant_runtime::Session(model, {10, 1}), torquant_runtime::Error);
  EXPECT_EQ(torquant_runtime::Session(model, {9, 2}).input(0).sizes[0], 9);
}

}  // namespace
