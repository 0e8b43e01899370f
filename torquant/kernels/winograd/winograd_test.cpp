#include "torquant/kernels/winograd/winograd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "torquant/core/packed_weights.h"
#include "torquant/kernels/winograd/winograd_internal.h"

namespace torquant {
namespace {

struct Case {
  size_t height, width, inputs, columns;
  bool residual = false, in_place = false;
  int weight = 0, code = -1;  // all of them; random where 0 and -1
  uint8_t lo = 0, hi = 255;
  size_t first_tile = 0, last_tile = 0;  // all where both are 0
};

struct AlignedFree {
  void operator()(void* memory) const { std::free(memory); }
};
using Aligned = std::unique_ptr<uint8_t, AlignedFree>;

Aligned aligned(size_t bytes) { return Aligned(static_cast<uint8_t*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64))); }

// A convolution of an image with a border of one pixel.
class Convolution {
 public:
  explicit Convolution(const Case& how) : how_(how), random_(how.height * 31 + how.width * 7 + how.columns) {
    const PackedShape shape = {.channels = how.columns, .inputs = how.inputs, .kernel_height = 3, .kernel_width = 3};
    std::vector<int8_t> weights(shape.codes());
    for (int8_t& weight : weights) weight = static_cast<int8_t>(how.weight == 0 ? between(-128, 127) : how.weight);
    weights_ = aligned(shape.bytes());
    pack_weights(shape, weights.data(), reinterpret_cast<int8_t*>(weights_.get()));
    fits_ = pairs_fit(shape, reinterpret_cast<int8_t*>(weights_.get()));
    image_.resize((how.height + 2) * row_bytes());
    for (uint8_t& code : image_) code = static_cast<uint8_t>(how.code < 0 ? between(0, 255) : how.code);
    const double reach = std::sqrt(static_cast<double>(9 * how.inputs)) * 4000;
    for (size_t n = 0; n < shape.panels() * 16; ++n) {
      start_.push_back(between(-100000, 100000));
      multiplier_.push_back(static_cast<float>((1 + between(0, 1000) * 1e-3) * 128 / reach));
      offset_.push_back(static_cast<float>(between(-1000, 200000)) / 1000);
    }
    for (size_t row = 0; row < 3; ++row) run_offset_.push_back(static_cast<int32_t>(row * row_bytes()));
    for (size_t m = 0; m < how.height * how.width; ++m) {
      const size_t y = m / how.width, x = m % how.width;
      input_offset_.push_back(static_cast<int32_t>(y * row_bytes() + x * how.inputs));
      output_offset_.push_back(static_cast<int32_t>(m * (how.columns + 3)));
    }
    output_.assign(how.height * how.width * (how.columns + 3), kUntouched);
    residual_.resize(output_.size());
    for (uint8_t& code : residual_) code = static_cast<uint8_t>(between(0, 255));
  }

  std::vector<uint8_t> run(const WinogradKernel& kernel) {
    std::vector<uint8_t> output = how_.in_place ? residual_ : output_;
    const Aligned scratch = aligned(winograd_scratch_bytes(how_.inputs));
    const size_t tiles = winograd_tiles(how_.height, how_.width);
    kernel.run({.product = args_for(output),
                .width = how_.width,
                .first_tile = how_.first_tile,
                .tiles = (how_.last_tile == 0 ? tiles : how_.last_tile) - how_.first_tile,
                .scratch = scratch.get()});
    return output;
  }

  // What the scalar matrix product gives.
  std::vector<uint8_t> expected() {
    std::vector<uint8_t> output = how_.in_place ? residual_ : output_;
    select_igemm(CpuIsa::kScalar).run(args_for(output));
    return output;
  }

  static constexpr uint8_t kUntouched = 77;

 private:
  size_t row_bytes() const { return (how_.width + 2) * how_.inputs; }

  int between(int least, int greatest) {
    return least + static_cast<int>(random_() % static_cast<uint32_t>(greatest - least + 1));
  }

  IgemmArgs args_for(std::vector<uint8_t>& output) const {
    IgemmArgs args{.rows = input_offset_.size(),
                   .columns = how_.columns,
                   .input = image_.data(),
                   .input_offset = input_offset_.data(),
                   .runs = 3,
                   .run_quads = how_.inputs * 3 / 4,
                   .run_offset = run_offset_.data(),
                   .weights = reinterpret_cast<const int8_t*>(weights_.get()),
                   .pairs_fit = fits_.data(),
                   .start = start_.data(),
                   .multiplier = multiplier_.data(),
                   .offset = offset_.data(),
                   .lo = how_.lo,
                   .hi = how_.hi,
                   .to_reals = false,
                   .output = output.data(),
                   .output_offset = output_offset_.data(),
                   .residual = nullptr,
                   .residual_offset = nullptr,
                   .residual_multiplier = 0.37f};
    if (how_.residual) {
      args.residual = how_.in_place ? output.data() : residual_.data();
      args.residual_offset = output_offset_.data();
    }
    return args;
  }

  Case how_;
  std::mt19937 random_;
  Aligned weights_;
  std::vector<uint8_t> fits_, image_, output_, residual_;
  std::vector<int32_t> input_offset_, run_offset_, output_offset_, start_;
  std::vector<float> multiplier_, offset_;
};

class Winograd : public testing::TestWithParam<WinogradKernel> {
 protected:
  void SetUp() override {
    if (!cpu_has(GetParam().isa)) GTEST_SKIP() << "this CPU lacks " << name_of(GetParam().isa);
  }
  static void check(const Case& how) {
    Convolution convolution(how);
    EXPECT_EQ(convolution.run(GetParam()), convolution.expected())
        << how.height << " x " << how.width << ", " << how.inputs << " > " << how.columns;
  }
};

TEST_P(Winograd, GivesWhatTheProductGivesForImagesOfAllSizes) {
  for (size_t height = 2; height <= 9; ++height) {
    for (size_t width = 2; width <= 9; ++width) check({.height = height, .width = width, .inputs = 16, .columns = 20});
  }
  check({.height = 2, .width = 131, .inputs = 16, .columns = 16});
  check({.height = 27, .width = 30, .inputs = 16, .columns = 5});
}

TEST_P(Winograd, GivesWhatTheProductGivesForAllWidthsOfLayers) {
  for (const size_t columns : {1, 7, 15, 16, 17, 33, 48, 100}) {
    for (const size_t inputs : {16, 32, 48, 176})
      check({.height = 5, .width = 7, .inputs = inputs, .columns = columns});
  }
}

TEST_P(Winograd, IsExactForTheLargestSums) {
  for (const int code : {-1, 0, 128, 255}) {
    for (const int weight : {-128, -127, 127}) {
      check({.height = 4, .width = 5, .inputs = kMostWinogradInputs, .columns = 18, .weight = weight, .code = code});
    }
  }
}

TEST_P(Winograd, AddsAResidualEvenInPlace) {
  for (const bool in_place : {false, true}) {
    for (const size_t width : {6, 7})
      check({.height = 7, .width = width, .inputs = 32, .columns = 40, .residual = true, .in_place = in_place});
  }
}

TEST_P(Winograd, KeepsToTheRangeOfCodes) {
  check({.height = 6, .width = 6, .inputs = 16, .columns = 24, .lo = 20, .hi = 200});
  check({.height = 6, .width = 6, .inputs = 16, .columns = 24, .residual = true, .lo = 100, .hi = 101});
}

// Threads have some tiles each: no pixel is left out, or written by two of them.
TEST_P(Winograd, TilesOfAllPartsAreTheImage) {
  const Case whole{.height = 7, .width = 9, .inputs = 16, .columns = 20};
  const std::vector<uint8_t> expected = Convolution(whole).expected();
  std::vector<size_t> written(expected.size(), 0);
  const size_t tiles = winograd_tiles(whole.height, whole.width);
  for (size_t first = 0; first < tiles; first += 3) {
    Case part = whole;
    part.first_tile = first, part.last_tile = std::min(tiles, first + 3);
    const std::vector<uint8_t> output = Convolution(part).run(GetParam());
    for (size_t i = 0; i < output.size(); ++i) {
      if (output[i] == Convolution::kUntouched) continue;
      EXPECT_EQ(output[i], expected[i]) << i;
      ++written[i];
    }
  }
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_EQ(written[i], expected[i] == Convolution::kUntouched ? 0 : 1) << i;
}

std::vector<WinogradKernel> all_kernels() {
  return {
#define TORQUANT_WINOGRAD_KERNEL(function, isa) {#function, CpuIsa::isa, function},
#include "torquant/kernels/winograd/kernels.inc"
#undef TORQUANT_WINOGRAD_KERNEL
  };
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Winograd);  // other processors have no such kernel
INSTANTIATE_TEST_SUITE_P(All, Winograd, testing::ValuesIn(all_kernels()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(SelectWinograd, TakesLayersThatGainByIt) {
  const auto selects = [](size_t inputs, size_t height, size_t width) {
    return select_winograd(CpuIsa::kAvx2, inputs, height, width) != nullptr;
  };
#if defined(__x86_64__)
  EXPECT_EQ(std::string(select_winograd(CpuIsa::kAvx2, 64, 56, 56)->name), "winograd_u8s8_avx2");
  EXPECT_TRUE(selects(kMostWinogradInputs, 7, 7));
#endif
  EXPECT_FALSE(selects(kMostWinogradInputs + 16, 7, 7)) << "sums leave 32 bits";
  EXPECT_FALSE(selects(72, 56, 56)) << "no vectors of 16 inputs";
  EXPECT_FALSE(selects(16, 56, 56)) << "too few products";
  EXPECT_FALSE(selects(64, 4, 4)) << "too few tiles";
  EXPECT_FALSE(selects(64, 1, 200)) << "a tile has two rows";
}

TEST(SelectWinograd, LeavesOtherInstructionSetsToTheProduct) {
  for (const CpuIsa isa : {CpuIsa::kScalar, CpuIsa::kAvx512Vnni, CpuIsa::kNeonDot})
    EXPECT_EQ(select_winograd(isa, 64, 56, 56), nullptr);
}

}  // namespace
}  // namespace torquant
