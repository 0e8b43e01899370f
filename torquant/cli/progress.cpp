#include "torquant/cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

namespace torquant::cli {
namespace {

constexpr int kBarWidth = 30;

std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  return whole < 60 ? fmt::format("{} s", whole) : fmt::format("{} min {:02} s", whole / 60, whole % 60);
}

}  // namespace

ProgressStyle progress_style(bool json) {
  if (json) return ProgressStyle::kJson;
  return isatty(STDERR_FILENO) != 0 ? ProgressStyle::kBar : ProgressStyle::kSilent;
}

Progress::Progress(std::string stage, int64_t total, ProgressStyle style, std::function<Clock::time_point()> now,
                   std::function<void(const std::string&)> write)
    : stage_(std::move(stage)), total_(total), style_(style), now_(std::move(now)), write_(std::move(write)) {
  if (!write_) {
    write_ = [](const std::string& text) {
      std::fputs(text.c_str(), stderr);
      std::fflush(stderr);
    };
  }
  start_ = shown_ = now_();
}

Progress::~Progress() {
  if (drawn_ && style_ == ProgressStyle::kBar) write_("\n");
}

void Progress::update(int64_t done) {
  if (style_ == ProgressStyle::kSilent) return;
  const Clock::time_point now = now_();
  const auto interval = std::chrono::milliseconds(style_ == ProgressStyle::kBar ? 100 : 500);
  if (done < total_ && now - shown_ < interval) return;
  shown_ = now;
  drawn_ = true;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double left = done > 0 ? seconds / static_cast<double>(done) * static_cast<double>(total_ - done) : 0;
  if (style_ == ProgressStyle::kJson) {
    const nlohmann::ordered_json line = {
        {"stage", stage_}, {"done", done}, {"total", total_}, {"seconds", seconds}, {"seconds_left", left}};
    write_(line.dump() + "\n");
    return;
  }
  const auto filled = static_cast<size_t>(total_ > 0 ? kBarWidth * done / total_ : kBarWidth);
  write_(fmt::format("\r{} [{}{}] {}/{}, {} {}\033[K", stage_, std::string(filled, '#'),
                     std::string(kBarWidth - filled, '.'), done, total_, duration_text(done < total_ ? left : seconds),
                     done < total_ ? "left" : "in all"));
}

}  // namespace torquant::cli
