#include "torquant/observer/observer.h"

#include <gtest/gtest.h>

#include <limits>

#include <ATen/ops/tensor.h>

#include "torquant/core/error.h"
#include "torquant/observer/observer_spec.h"

namespace torquant {
namespace {

ObserverPtr make(ObserverType type) { return make_observer({.type = std::move(type)}, {}); }

TEST(Observer, PrintsItsStateShort) {
  const ObserverPtr observer = make(HistogramSpec{.bins = 16});
  observer->observe(at::tensor({-1.0f, 2.5f, std::numeric_limits<float>::infinity()}));
  EXPECT_EQ(observer->to_string(),
            "HistogramObserver(eps=[1.19209e-07], histogram=[16 values], max_val=2.5, min_val=-1, nonfinite_count=1)");
}

TEST(Observer, RefusesToMergeAnotherType) {
  try {
    make(MinMaxSpec{})->merge(*make(HistogramSpec{}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "MinMaxObserver: cannot merge what a HistogramObserver recorded\n  allowed here: MinMaxObserver");
  }
}

TEST(Observer, CountsOfNonFiniteValuesAddUp) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const ObserverPtr one = make(MinMaxSpec{});
  const ObserverPtr other = make(MinMaxSpec{});
  one->observe(at::tensor({1.0f, nan}));
  other->observe(at::tensor({nan, nan, 2.0f}));
  one->merge(*other);
  EXPECT_EQ(one->nonfinite_count(), 3);
  EXPECT_EQ(one->state().at("nonfinite_count").item<int64_t>(), 3);
}

}  // namespace
}  // namespace torquant
