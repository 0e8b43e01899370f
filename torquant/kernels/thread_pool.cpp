#include "torquant/kernels/thread_pool.h"

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace torquant {
namespace {

// About 50 microseconds: longer than the gaps between layers, shorter than anyone notices on an idle machine.
constexpr int kSpins = 20'000;

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Returns when `value` is no longer `old`.
void await_change(const std::atomic<uint32_t>& value, uint32_t old) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(size_t threads) {
  try {
    workers_.reserve(threads - 1);
    for (size_t part = 1; part < threads; ++part) workers_.emplace_back([this, part] { work(part); });
  } catch (...) {  // those that did start are waiting for work
    end();
    throw;
  }
}

ThreadPool::~ThreadPool() { end(); }

void ThreadPool::end() {
  if (workers_.empty()) return;
  start(nullptr, nullptr);
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::start(Call call, const void* context) {
  call_ = call;
  context_ = context;
  pending_.store(static_cast<uint32_t>(workers_.size()), std::memory_order_relaxed);
  task_.fetch_add(1, std::memory_order_release);
  task_.notify_all();
}

void ThreadPool::wait() {
  for (uint32_t pending; (pending = pending_.load(std::memory_order_acquire)) != 0;) await_change(pending_, pending);
}

void ThreadPool::meet() {
  if (workers_.empty()) return;
  const uint32_t meeting = meetings_.load(std::memory_order_relaxed);  // does not change before the last has arrived
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) < workers_.size()) return await_change(meetings_, meeting);
  arrived_.store(0, std::memory_order_relaxed);
  meetings_.store(meeting + 1, std::memory_order_release);
  meetings_.notify_all();
}

void ThreadPool::work(size_t part) {
  for (uint32_t seen = 0;; ++seen) {
    await_change(task_, seen);
    if (call_ == nullptr) return;
    call_(context_, part);
    if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending_.notify_one();
  }
}

PartRange part_of(size_t count, size_t grain, size_t part, size_t parts) {
  const size_t grains = (count + grain - 1) / grain;
  return {std::min(grains * part / parts * grain, count), std::min(grains * (part + 1) / parts * grain, count)};
}

}  // namespace torquant
