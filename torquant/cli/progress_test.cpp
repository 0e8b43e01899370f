#include "torquant/cli/progress.h"

#include <gtest/gtest.h>

#include <vector>

namespace torquant::cli {
namespace {

class ProgressTest : public testing::Test {
 protected:
  // Lines written while `done` samples are reported at one a second, of `total`.
  std::vector<std::string> run(ProgressStyle style, int64_t total, int64_t done, std::chrono::milliseconds step) {
    std::vector<std::string> lines;
    Progress::Clock::time_point now;
    {
      Progress progress(
          "calibrate", total, style, [&] { return now; }, [&](const std::string& text) { lines.push_back(text); });
      for (int64_t i = 1; i <= done; ++i) {
        now += step;
        progress.update(i);
      }
    }
    return lines;
  }
};

TEST_F(ProgressTest, TheBarTellsTheTimeLeftAndEndsItsLine) {
  const auto lines = run(ProgressStyle::kBar, 150, 75, std::chrono::seconds(1));
  ASSERT_EQ(lines.size(), 76U);
  EXPECT_EQ(lines[74],
            "\rcalibrate [" + std::string(15, '#') + std::string(15, '.') + "] 75/150, 1 min 15 s left\033[K");
  EXPECT_EQ(lines[75], "\n");
  EXPECT_EQ(run(ProgressStyle::kBar, 2, 2, std::chrono::seconds(1))[1],
            "\rcalibrate [" + std::string(30, '#') + "] 2/2, 2 s in all\033[K");
}

TEST_F(ProgressTest, JsonIsALineEachHalfSecondAndOneAtTheEnd) {
  const auto lines = run(ProgressStyle::kJson, 10, 10, std::chrono::milliseconds(125));
  ASSERT_EQ(lines.size(), 3U);  // at 0.5 s, 1 s and the end
  EXPECT_EQ(lines[0], "{\"stage\":\"calibrate\",\"done\":4,\"total\":10,\"seconds\":0.5,\"seconds_left\":0.75}\n");
  EXPECT_EQ(lines[2], "{\"stage\":\"calibrate\",\"done\":10,\"total\":10,\"seconds\":1.25,\"seconds_left\":0.0}\n");
}

TEST_F(ProgressTest, SilenceIsSilent) {
  EXPECT_TRUE(run(ProgressStyle::kSilent, 3, 3, std::chrono::seconds(1)).empty());
}

}  // namespace
}  // namespace torquant::cli
