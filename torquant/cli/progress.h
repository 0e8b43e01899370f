#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace torquant::cli {

enum class ProgressStyle {
  kBar,   // one line of the terminal, redrawn
  kJson,  // {"stage": "calibrate", "done": 12, "total": 32, "seconds": 1.5, "seconds_left": 2.5}, a line at most
          // every half second and one at the end
  kSilent,
};

// kJson if asked for, else kBar where stderr is a terminal.
ProgressStyle progress_style(bool json);

// Shows on stderr how far a loop is.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;
  // `now` and `write` are exchanged by tests.
  Progress(std::string stage, int64_t total, ProgressStyle style, std::function<Clock::time_point()> now = Clock::now,
           std::function<void(const std::string&)> write = nullptr);
  // Ends the terminal's line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(int64_t done);

 private:
  std::string stage_;
  int64_t total_;
  ProgressStyle style_;
  std::function<Clock::time_point()> now_;
  std::function<void(const std::string&)> write_;
  Clock::time_point start_;
  Clock::time_point shown_;
  bool drawn_ = false;
};

}  // namespace torquant::cli
