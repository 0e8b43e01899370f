#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace torquant {

// A fixed number of threads that work on one task at a time, each on its own part. Layers last 5 to 300 microseconds,
// so workers spin for a while between tasks before they sleep; a task costs no allocation and takes no lock.
class ThreadPool {
 public:
  // `threads`: 1 or more; the caller of run() is one of them. std::system_error where the system starts no more.
  explicit ThreadPool(size_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  size_t threads() const { return workers_.size() + 1; }

  // Calls task(part) for each part from 0 to threads() - 1, all at once, and returns when all are done. One call at a
  // time.
  template <class Task>
  void run(const Task& task) {
    if (workers_.empty()) return task(size_t{0});
    start([](const void* context, size_t part) { (*static_cast<const Task*>(context))(part); }, &task);
    task(size_t{0});
    wait();
  }

  // Called by every part of a task: returns when all have called it, and shows each what the others wrote before.
  // Cheaper than the end of one task and the begin of the next.
  void meet();

 private:
  using Call = void (*)(const void* context, size_t part);

  void start(Call call, const void* context);
  void wait();
  void work(size_t part);
  void end();

  std::vector<std::thread> workers_;
  Call call_ = nullptr;  // null: end
  const void* context_ = nullptr;
  alignas(64) std::atomic<uint32_t> task_{0};     // counts up with each task
  alignas(64) std::atomic<uint32_t> pending_{0};  // workers that are not done with it
  alignas(64) std::atomic<uint32_t> arrived_{0};  // where parts meet
  alignas(64) std::atomic<uint32_t> meetings_{0};
};

// Part `part` of `parts` of [0, count), cut at multiples of `grain`.
struct PartRange {
  size_t begin, end;
};
PartRange part_of(size_t count, size_t grain, size_t part, size_t parts);

}  // namespace torquant
