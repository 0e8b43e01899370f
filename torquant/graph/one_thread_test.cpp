#include "torquant/graph/one_thread.h"

#include <gtest/gtest.h>

namespace torquant {
namespace {

TEST(OneThread, EndsWithItsScope) {
  const int before = at::get_num_threads();
  at::set_num_threads(3);
  {
    const OneThread one;
    EXPECT_EQ(at::get_num_threads(), 1);
  }
  EXPECT_EQ(at::get_num_threads(), 3);
  at::set_num_threads(before);
}

}  // namespace
}  // namespace torquant
