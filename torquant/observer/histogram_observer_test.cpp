#include "torquant/observer/histogram_observer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/bincount.h>
#include <ATen/ops/bucketize.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/div.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/histc.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "tests/support/error_text.h"
#include "torquant/core/error.h"

namespace torquant {
namespace {

const ObserverSpec kSpec = {.eps = 0x1p-12f};
const ObserverOptions kInt8 = {.quant_range = {{-128, 127}}};

// The definition (docs/semantics.md, O7 to O10), step by step in LibTorch's operators. The golden family checks it
// against PyTorch on small tensors; this one checks the fast loops against it on large ones.
class Reference {
 public:
  Reference(int64_t bins, int64_t codes) : bins_(bins), codes_(codes) {}

  void observe(const at::Tensor& x) {
    const at::Tensor low = x.min().to(at::kFloat);
    const at::Tensor high = x.max().to(at::kFloat);
    if (!histogram_.defined()) {
      min_ = low;
      max_ = high;
      histogram_ = at::histc(x, bins_, low.item(), high.item()).to(at::kFloat);
      return;
    }
    const at::Tensor new_min = at::minimum(min_, low);
    const at::Tensor new_max = at::maximum(max_, high);
    const at::Tensor counts = at::histc(x, bins_, new_min.item(), new_max.item()).to(at::kFloat);
    if (!at::equal(new_min, min_) || !at::equal(new_max, max_)) histogram_ = moved(new_min, new_max);
    histogram_ = histogram_ + counts;
    min_ = new_min;
    max_ = new_max;
  }

  std::pair<float, float> range() const {
    const at::Tensor mass = at::cumsum(histogram_, 0);
    const double total = at::sum(histogram_).item<float>();
    const auto at_bin = [&](int64_t bin) { return mass.const_data_ptr<float>()[bin]; };
    double alpha = 0, beta = 1, least = std::numeric_limits<double>::infinity();
    int64_t start = 0, end = bins_ - 1;
    while (alpha < beta) {
      int64_t left = start, right = end;
      while (left < end && at_bin(left) < static_cast<float>((alpha + 1e-5) * total)) ++left;
      while (right > start && at_bin(right) > static_cast<float>((beta - 1e-5) * total)) --right;
      const bool from_left = left - start > end - right;
      const int64_t next_start = from_left ? left : start;
      const int64_t next_end = from_left ? end : right;
      (from_left ? alpha : beta) += from_left ? 1e-5 : -1e-5;
      if (next_start == start && next_end == end) continue;
      const double error = error_of(next_start, next_end);
      if (error > least) break;
      least = error;
      start = next_start;
      end = next_end;
    }
    const at::Tensor width = (max_ - min_) / bins_;
    return {(min_ + width * start).item<float>(), (min_ + width * (end + 1)).item<float>()};
  }

  const at::Tensor& histogram() const { return histogram_; }

 private:
  at::Tensor moved(const at::Tensor& new_min, const at::Tensor& new_max) const {
    if (at::equal(min_, max_)) {
      return at::histc(min_, bins_, new_min.item(), new_max.item()) * at::sum(histogram_);
    }
    const at::Tensor parts = histogram_.repeat_interleave(16) / 16;
    const at::Tensor part_width = (max_ - min_) / (bins_ * 16);
    const at::Tensor middle = at::linspace(min_, max_, bins_ * 16 + 1).slice(0, 0, bins_ * 16) + 0.5 * part_width;
    const at::Tensor edges = at::linspace(new_min, new_max, bins_ + 1);
    const at::Tensor bin = at::bucketize(middle, edges, /*out_int32=*/false, /*right=*/true) - 1;
    return at::bincount(at::clamp(bin, 0, bins_ - 1), parts, bins_);
  }

  static at::Tensor moment(const at::Tensor& begin, const at::Tensor& end, const at::Tensor& density) {
    return density * ((end * end * end - begin * begin * begin) / 3);
  }

  double error_of(int64_t start, int64_t end) const {
    const double width = (max_.item<double>() - min_.item<double>()) / static_cast<double>(bins_);
    const double step = width * static_cast<double>(end - start + 1) / static_cast<double>(codes_);
    if (step == 0) return 0;
    const at::Tensor begins = (at::arange(bins_) - start) * width;
    const at::Tensor ends = begins + width;
    const auto code = [&](const at::Tensor& x) { return at::clamp(at::div(x, step, "floor"), 0, codes_ - 1); };
    const at::Tensor first = code(begins);
    const at::Tensor last = code(ends);
    const at::Tensor density = histogram_ / width;
    const at::Tensor half = at::full({}, step / 2, at::kFloat);
    at::Tensor error = at::zeros({bins_});
    error += moment(begins - (first + 0.5) * step, at::ones({bins_}) * half, density);
    error += (last - first - 1) * moment(-half, half, density);
    error += moment(-half, ends - (last * step + step / 2), density);
    return at::sum(error).item<float>();
  }

  int64_t bins_;
  int64_t codes_;
  at::Tensor histogram_, min_, max_;
};

struct Data {
  const char* name;
  at::Tensor (*make)(int64_t batch, const at::Tensor& normal);
};
const Data kData[] = {
    {"normal", [](int64_t, const at::Tensor& x) { return x; }},
    {"shifting", [](int64_t i, const at::Tensor& x) { return x * (i + 1) + i; }},
    {"relu6", [](int64_t, const at::Tensor& x) { return at::clamp(x * 4, 0, 6); }},
    {"heavy tail", [](int64_t, const at::Tensor& x) { return x.pow(5); }},
    {"constant at first", [](int64_t i, const at::Tensor& x) { return i == 0 ? x * 0 + 2 : x; }},
    {"zeros", [](int64_t, const at::Tensor& x) { return x * 0; }},
    {"denormal", [](int64_t, const at::Tensor& x) { return x * 1e-39; }},
    {"large", [](int64_t, const at::Tensor& x) { return x * 1e9 + 3e9; }},
};

void compare(const Data& data, int64_t bins, DType dtype, at::ScalarType input_dtype) {
  SCOPED_TRACE(std::string(data.name) + " " + std::to_string(bins) + " " + std::string(dtype_name(dtype)) + " " +
               c10::toString(input_dtype));
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(17);
  const ObserverOptions options = {.dtype = dtype};
  HistogramObserver observer(bins, kSpec, options);
  Reference reference(bins, int64_t{1} << bits_of(dtype));
  // 16-bit floats count in 16 bits, in PyTorch: 256 is as far as they get in one batch.
  const int64_t n = input_dtype == at::kFloat ? 40000 : 250;
  for (int64_t batch = 0; batch < 4; ++batch) {
    const at::Tensor x = data.make(batch, at::randn({n}, generator)).to(input_dtype);
    observer.observe(x);
    reference.observe(x);
    ASSERT_TRUE(at::equal(observer.histogram(), reference.histogram())) << "batch " << batch;
  }
  const auto [min, max] = reference.range();
  float scale = 0;
  int64_t zero_point = 0;
  observer_qparams({&min, 1}, {&max, 1}, observer.rule(), {&scale, 1}, {&zero_point, 1});
  EXPECT_EQ(observer.calculate_qparams().scale.item<float>(), scale);
  EXPECT_EQ(observer.calculate_qparams().zero_point.item<int64_t>(), zero_point);
}

TEST(HistogramObserver, EqualsItsDefinition) {
  for (const Data& data : kData) compare(data, 2048, DType::kInt8, at::kFloat);
  for (const int64_t bins : {1, 2, 100, 1000}) compare(kData[1], bins, DType::kUInt8, at::kFloat);
  for (const DType dtype : {DType::kInt16, DType::kInt32}) compare(kData[3], 512, dtype, at::kFloat);
  for (const auto input : {at::kBFloat16, at::kHalf}) compare(kData[0], 256, DType::kInt8, input);
}

TEST(HistogramObserver, CountsHalvesThatOverflowInTheirOwnArithmetic) {
  HistogramObserver observer(2048, kSpec, kInt8);  // (60000 - 0) * 2048 is no float16
  observer.observe(at::tensor({0.0f, 60000.0f, 30000.0f}).to(at::kHalf));
  EXPECT_EQ(observer.histogram().sum().item<float>(), 3.0f);
  EXPECT_EQ(observer.histogram()[1024].item<float>(), 1.0f);
}

TEST(HistogramObserver, EqualValuesBeyondWhereOneIsLostAreOneBin) {
  HistogramObserver observer(64, kSpec, kInt8);
  observer.observe(at::full({5}, 1e9f));
  EXPECT_EQ(observer.histogram()[32].item<float>(), 5.0f);
}

TEST(HistogramObserver, NonFiniteValuesAreCountedAndLeftOut) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const at::Tensor x = at::randn({1000});
  HistogramObserver clean(128, kSpec, kInt8);
  clean.observe(x);
  HistogramObserver dirty(128, kSpec, kInt8);
  dirty.observe(at::cat({x, at::tensor({nan, inf, -inf})}));
  dirty.observe(at::full({7}, nan));
  EXPECT_EQ(dirty.nonfinite_count(), 10);
  EXPECT_TRUE(at::equal(dirty.histogram(), clean.histogram()));
  EXPECT_TRUE(at::equal(dirty.min_val(), clean.min_val()));
}

TEST(HistogramObserver, ThreadsDoNotMatter) {
  const at::Tensor x = at::randn({1 << 20});
  const int threads = at::get_num_threads();
  HistogramObserver one(2048, kSpec, kInt8);
  at::set_num_threads(1);
  one.observe(x);
  HistogramObserver two(2048, kSpec, kInt8);
  at::set_num_threads(2);
  two.observe(x);
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(one.histogram(), two.histogram()));
}

TEST(HistogramObserver, StateGoesOnWhereItStopped) {
  HistogramObserver first(64, kSpec, kInt8);
  first.observe(at::randn({100}));
  HistogramObserver second(64, kSpec, kInt8);
  second.load_state(first.state());
  const at::Tensor x = at::randn({100}) * 3;
  first.observe(x);
  second.observe(x);
  EXPECT_TRUE(at::equal(first.histogram(), second.histogram()));
  EXPECT_EQ(first.calculate_qparams().scale.item<float>(), second.calculate_qparams().scale.item<float>());
  HistogramObserver other(65, kSpec, kInt8);
  EXPECT_EQ(error_text([&] { other.load_state(first.state()); }),
            "HistogramObserver: the saved histogram has 64 bins\n  allowed here: 65");
  Observer::State state = first.state();
  state["histogram"] = at::full({64}, -1.0f);
  EXPECT_EQ(error_text([&] { second.load_state(state); }),
            "HistogramObserver: the saved histogram holds -1\n  allowed here: finite, from 0");
  state["histogram"] = at::full({64}, std::nanf(""));
  EXPECT_THROW(second.load_state(state), Error);
  state = first.state();
  state["max_val"] = at::full({}, 3e38f);
  EXPECT_THROW(second.load_state(state), Error);
}

TEST(HistogramObserver, RefusesWhatItCannotDo) {
  EXPECT_EQ(error_text([] { HistogramObserver(0, kSpec, kInt8); }),
            "HistogramObserver: bins 0\n  allowed here: 1 to 1048576");
  EXPECT_THROW(HistogramObserver(int64_t{1} << 21, kSpec, kInt8), Error);
  EXPECT_THROW(HistogramObserver(64, kSpec, {.is_dynamic = true}), Error);
  HistogramObserver observer(64, kSpec, kInt8);
  EXPECT_EQ(
      error_text([&] { observer.calculate_qparams(); }),
      "HistogramObserver: no scale and zero point: it observed no finite value; calibrate with at least one batch "
      "that reaches it");
  EXPECT_EQ(error_text([&] { observer.observe(at::tensor({-1e38f, 1e38f})); }),
            "HistogramObserver: observed values from -1e+38 to 1e+38\n  allowed here: a range of up to 5.32e+36");
  EXPECT_FALSE(observer.observed());
}

// Batches of growing range, so that one pass lays its histogram on wider bins again and again.
std::vector<at::Tensor> growing_batches(int64_t count) {
  const at::Generator generator = at::detail::createCPUGenerator(7);
  std::vector<at::Tensor> batches;
  for (int64_t i = 0; i < count; ++i)
    batches.push_back(at::randn({500}, generator) * (1.0 + 0.1 * static_cast<double>(i)));
  return batches;
}

TEST(HistogramObserver, MergedShardsHaveTheRangeAndTheMassOfOnePass) {
  const std::vector<at::Tensor> batches = growing_batches(16);
  HistogramObserver whole(2048, kSpec, kInt8), merged(2048, kSpec, kInt8);
  for (const at::Tensor& batch : batches) whole.observe(batch);
  for (size_t shard = 0; shard < 4; ++shard) {
    HistogramObserver part(2048, kSpec, kInt8);
    for (size_t i = 0; i < 4; ++i) part.observe(batches[4 * shard + i]);
    merged.merge(part);
  }
  EXPECT_TRUE(at::equal(merged.min_val(), whole.min_val()));
  EXPECT_TRUE(at::equal(merged.max_val(), whole.max_val()));
  EXPECT_EQ(at::sum(merged.histogram()).item<float>(), 16 * 500.0f);
  // Mass moves by one bin at each widening at most, here 15 of them; the cut that the search makes with it.
  const float scale = whole.calculate_qparams().scale.item<float>();
  EXPECT_NEAR(merged.calculate_qparams().scale.item<float>(), scale, 15.0 / 2048 * scale);
}

TEST(HistogramObserver, MergingIntoOneThatSawNothingGivesTheOther) {
  HistogramObserver part(64, kSpec, kInt8), merged(64, kSpec, kInt8);
  part.observe(at::tensor({-1.0f, 0.5f, 3.0f, std::numeric_limits<float>::infinity()}));
  merged.merge(part);
  merged.merge(HistogramObserver(64, kSpec, kInt8));
  EXPECT_EQ(merged.to_string(), part.to_string());
  EXPECT_TRUE(at::equal(merged.histogram(), part.histogram()));
}

TEST(HistogramObserver, MergeLaysBothOnTheUnionByHand) {
  // Four bins over [0, 4] and over [2, 6]; on [0, 6] a bin is 1.5 wide.
  HistogramObserver a(4, kSpec, kInt8), b(4, kSpec, kInt8);
  a.observe(at::tensor({0.0f, 4.0f}));  // bins 0..1 and 3..4
  b.observe(at::tensor({2.0f, 6.0f}));  // bins 2..3 and 5..6
  a.merge(b);
  EXPECT_EQ(a.min_val().item<float>(), 0.0f);
  EXPECT_EQ(a.max_val().item<float>(), 6.0f);
  // [0, 1) → bin 0; [3, 4) and [2, 3) → bins 2 (from 3) and 1 (below 3); [5, 6] → bin 3.
  EXPECT_TRUE(at::equal(a.histogram(), at::tensor({1.0f, 1.0f, 1.0f, 1.0f})));
}

TEST(HistogramObserver, RefusesToMergeWhatDoesNotFit) {
  HistogramObserver observer(64, kSpec, kInt8), low(64, kSpec, kInt8);
  EXPECT_EQ(error_text([&] { observer.merge(HistogramObserver(32, kSpec, kInt8)); }),
            "HistogramObserver: cannot merge a histogram of 32 bins\n  allowed here: 64");
  observer.observe(at::tensor({0.0f, 5e36f}));
  low.observe(at::tensor({-5e36f, 0.0f}));
  EXPECT_EQ(error_text([&] { observer.merge(low); }),
            "HistogramObserver: observed values from -5e+36 to 5e+36\n  allowed here: a range of up to 5.32e+36");
}

}  // namespace
}  // namespace torquant
