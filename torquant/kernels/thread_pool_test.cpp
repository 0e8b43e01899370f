#include "torquant/kernels/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace torquant {
namespace {

TEST(ThreadPool, CallsEachPartOnceEachTime) {
  for (const size_t threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    std::vector<std::atomic<int>> calls(threads);
    for (int i = 0; i < 2000; ++i) {
      pool.run([&](size_t part) { ++calls[part]; });
      for (const auto& count : calls) ASSERT_EQ(count, i + 1);
    }
  }
}

TEST(ThreadPool, WakesWorkersThatSleep) {
  ThreadPool pool(3);
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    std::atomic<int> calls = 0;
    pool.run([&](size_t) { ++calls; });
    EXPECT_EQ(calls, 3);
  }
}

TEST(ThreadPool, ShowsWorkersWhatWasWrittenBefore) {
  ThreadPool pool(4);
  std::vector<int> numbers(4), sums(4);
  for (int i = 0; i < 500; ++i) {
    for (int& number : numbers) number = i;
    pool.run([&](size_t part) { sums[part] = numbers[part] + 1; });
    for (const int sum : sums) ASSERT_EQ(sum, i + 1);
  }
}

TEST(ThreadPool, PartsMeetBeforeAnyGoesOn) {
  for (const size_t threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    std::vector<int> done(threads);  // no atomics: what was written before a meeting is seen behind it
    std::atomic<int> wrong = 0;
    pool.run([&](size_t part) {
      for (int round = 1; round <= 60; ++round) {
        if (round % 30 == static_cast<int>(part % 2))
          std::this_thread::sleep_for(std::chrono::milliseconds(2));  // others sleep meanwhile
        done[part] = round;
        pool.meet();
        for (const int other : done) wrong += other != round;
        pool.meet();
      }
    });
    EXPECT_EQ(wrong, 0) << threads;
  }
}

TEST(PartOf, CoversAllWithoutOverlap) {
  for (const size_t count : {0, 1, 7, 49, 3136}) {
    for (const size_t grain : {1, 6, 8}) {
      for (const size_t parts : {1, 2, 3, 7}) {
        size_t next = 0;
        for (size_t part = 0; part < parts; ++part) {
          const PartRange range = part_of(count, grain, part, parts);
          EXPECT_EQ(range.begin, next);
          EXPECT_TRUE(range.end == count || range.end % grain == 0);
          next = range.end;
        }
        EXPECT_EQ(next, count);
      }
    }
  }
}

}  // namespace
}  // namespace torquant
