// Memory and threads that run out, by the C interface. Sanitizers replace operator new themselves, so these tests are
// not for them.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <fstream>
#include <new>
#include <string>

#include "torquant/runtime/torquant_runtime.hpp"

namespace {

// Memory that runs out: counts down to the allocation that fails. Of all programs' `new`, the library's too.
thread_local int64_t allocations_left = -1;  // -1: without end

}  // namespace

void* operator new(size_t size) {
  if (allocations_left == 0) throw std::bad_alloc();
  if (allocations_left > 0) --allocations_left;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void* operator new(size_t size, std::align_val_t alignment) {
  if (allocations_left == 0) throw std::bad_alloc();
  if (allocations_left > 0) --allocations_left;
  const auto to = static_cast<size_t>(alignment);
  if (void* memory = std::aligned_alloc(to, (size + to - 1) / to * to)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace {

const std::string kTiny = std::string(TORQUANT_TEST_MODELS) + "/tiny";

std::string message() { return torquant_last_error(); }

TEST(OutOfMemory, IsACode) {
  for (const bool with_threads : {false, true}) {
    torquant_status status = TORQUANT_OUT_OF_MEMORY;
    int64_t allocations = 0;
    for (; status != TORQUANT_OK; ++allocations) {
      torquant_model* model = nullptr;
      torquant_session* session = nullptr;
      const torquant_session_options options = {sizeof options, 1, with_threads ? 3 : 1, 0};
      allocations_left = allocations;
      status = torquant_model_load(kTiny.c_str(), &model);
      if (status == TORQUANT_OK) status = torquant_session_create(model, &options, &session);
      allocations_left = -1;
      ASSERT_TRUE(status == TORQUANT_OK || status == TORQUANT_OUT_OF_MEMORY) << status << " " << message();
      torquant_session_free(session);
      torquant_model_free(model);
    }
    EXPECT_GT(allocations, 50);
  }
}

TEST(OutOfThreads, IsACode) {
  const torquant_runtime::Model model(kTiny);
  rlimit before{};
  getrlimit(RLIMIT_AS, &before);
  std::ifstream statistics("/proc/self/statm");
  rlim_t pages = 0;
  statistics >> pages;
  const rlimit little = {pages * 4096 + (64 << 20), before.rlim_max};  // 7 stacks of 8 MB
  setrlimit(RLIMIT_AS, &little);
  const torquant_session_options options = {sizeof options, 1, 256, 0};
  torquant_session* session = nullptr;
  const torquant_status status = torquant_session_create(model.get(), &options, &session);
  setrlimit(RLIMIT_AS, &before);
  EXPECT_EQ(status, TORQUANT_OUT_OF_THREADS) << message();
  EXPECT_EQ(message(), "Resource temporarily unavailable");
  EXPECT_EQ(session, nullptr);
}

TEST(OutOfMemory, DoesNotMatterToARun) {
  const torquant_runtime::Model model(kTiny);
  torquant_runtime::Session session(model, {1, 2});
  std::vector<float> x(session.input(0).elements()), y(session.output(0).elements());
  const torquant_input input = torquant_runtime::input(x);
  const torquant_output output = torquant_runtime::output(y);
  allocations_left = 0;
  const torquant_status status = torquant_session_run(session.get(), &input, 1, &output, 1);
  allocations_left = -1;
  EXPECT_EQ(status, TORQUANT_OK) << message();
}

}  // namespace
