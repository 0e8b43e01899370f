#include "torquant/kernels/igemm/igemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "torquant/core/packed_weights.h"
#include "torquant/kernels/igemm/igemm_internal.h"

namespace torquant {
namespace {

struct Case {
  size_t rows, columns, runs, run_bytes;  // run_bytes: inputs of a run
  bool residual = false;
  int least_weight = -128, greatest_weight = 127;
  int code = -1;  // of all inputs; random if -1
  uint8_t lo = 0, hi = 255;
  bool to_reals = false;
  bool row_scales = false, row_zero_points = false;  // K9, with to_reals
  int large_every = 1;                               // of so many weights one is random, the others up to 50
};

struct AlignedFree {
  void operator()(void* memory) const { std::free(memory); }
};

// A product with everything that its arguments point to, and what K1 to K3 and K9 give for it by plain loops.
class Product {
 public:
  explicit Product(const Case& how) : how_(how), random_(how.rows * 31 + how.columns) {
    const PackedShape shape{.channels = how.columns, .inputs = how.run_bytes, .kernel_height = how.runs};
    const size_t padded = shape.panels() * 16;
    for (size_t i = 0; i < how.columns * how.runs * how.run_bytes; ++i) {
      const bool large = how.large_every == 1 || between(1, how.large_every) == 1;
      const int least = large ? how.least_weight : -50, greatest = large ? how.greatest_weight : 50;
      weights_.push_back(static_cast<int8_t>(between(least, greatest)));
    }
    packed_.reset(static_cast<int8_t*>(std::aligned_alloc(64, shape.bytes())));
    pack_weights(shape, weights_.data(), packed_.get());
    fits_ = pairs_fit(shape, packed_.get());

    // Rows overlap, as those of convolutions do, and runs are apart.
    const size_t row_step = how.run_bytes / 2 + 1, run_step = how.run_bytes + 5;
    for (size_t m = 0; m < how.rows; ++m) input_offset_.push_back(static_cast<int32_t>(m * row_step));
    for (size_t r = 0; r < how.runs; ++r) run_offset_.push_back(static_cast<int32_t>((how.runs - 1 - r) * run_step));
    input_.resize(how.rows * row_step + how.runs * run_step + 4);
    for (uint8_t& code : input_) code = static_cast<uint8_t>(how.code < 0 ? between(0, 255) : how.code);
    const double reach = std::sqrt(static_cast<double>(how.runs * how.run_bytes)) * 4000;
    for (size_t n = 0; n < padded; ++n) {
      start_.push_back(between(-100000, 100000));
      multiplier_.push_back(static_cast<float>((1 + between(0, 1000) * 1e-3) * 128 / reach));
      offset_.push_back(static_cast<float>(between(-1000, 200000)) / 1000);
    }
    for (size_t m = 0; m < how.rows; ++m) {
      row_scale_.push_back(static_cast<float>(between(1, 1000)) / 1000);
      constexpr int kEnds[] = {0, 255, 128};
      row_zero_point_.push_back(m < 3 ? kEnds[m] : static_cast<int>(m) % 256);
    }
    column_sum_.resize(padded);
    const std::vector<int32_t> sums = column_sums(shape, weights_.data());
    std::copy(sums.begin(), sums.end(), column_sum_.begin());
    output_step_ = (how.columns + 3) * (how.to_reals ? sizeof(float) : 1);
    for (size_t m = 0; m < how.rows; ++m)
      output_offset_.push_back(static_cast<int32_t>((how.rows - 1 - m) * output_step_));
    output_.assign(how.rows * output_step_, kUntouched);
    residual_.resize(how.rows * output_step_);
    for (uint8_t& code : residual_) code = static_cast<uint8_t>(between(0, 255));
  }

  // Codes of the kernel, rows and columns as they lie in memory; what it must not write is kUntouched.
  std::vector<uint8_t> run(const IgemmKernel& kernel, bool in_place = false) {
    std::vector<uint8_t> output = in_place ? residual_ : output_;
    IgemmArgs args{.rows = how_.rows,
                   .columns = how_.columns,
                   .input = input_.data(),
                   .input_offset = input_offset_.data(),
                   .runs = how_.runs,
                   .run_quads = (how_.run_bytes + 3) / 4,
                   .run_offset = run_offset_.data(),
                   .weights = packed_.get(),
                   .pairs_fit = fits_.data(),
                   .start = start_.data(),
                   .multiplier = multiplier_.data(),
                   .offset = offset_.data(),
                   .lo = how_.lo,
                   .hi = how_.hi,
                   .to_reals = how_.to_reals,
                   .output = output.data(),
                   .output_offset = output_offset_.data(),
                   .residual = nullptr,
                   .residual_offset = nullptr,
                   .residual_multiplier = 0.37f};
    if (how_.residual) {
      args.residual = in_place ? output.data() : residual_.data();
      args.residual_offset = output_offset_.data();
    }
    if (how_.row_scales) args.row_scale = row_scale_.data();
    if (how_.row_zero_points) {
      args.row_zero_point = row_zero_point_.data();
      args.column_sum = column_sum_.data();
    }
    kernel.run(args);
    return output;
  }

  std::vector<uint8_t> expected(bool in_place = false) const {
    std::vector<uint8_t> output = in_place ? residual_ : output_;
    for (size_t m = 0; m < how_.rows; ++m) {
      for (size_t n = 0; n < how_.columns; ++n) {
        const int zero_point = how_.row_zero_points ? row_zero_point_[m] : 0;
        int64_t sum = start_[n];
        for (size_t r = 0; r < how_.runs; ++r) {
          for (size_t k = 0; k < how_.run_bytes; ++k) {
            const int x = input_[static_cast<size_t>(input_offset_[m] + run_offset_[r]) + k];
            sum += (x - zero_point) * weights_[(n * how_.run_bytes + k) * how_.runs + r];
          }
        }
        if (how_.to_reals) {
          const float real = how_.row_scales
                                 ? std::fma(static_cast<float>(sum) * multiplier_[n], row_scale_[m], offset_[n])
                                 : std::fma(static_cast<float>(sum), multiplier_[n], offset_[n]);
          std::memcpy(&output[static_cast<size_t>(output_offset_[m]) + n * sizeof(float)], &real, sizeof(float));
          continue;
        }
        const size_t to = static_cast<size_t>(output_offset_[m]) + n;
        const float rest = how_.residual ? std::fma(static_cast<float>(residual_[to]), 0.37f, offset_[n]) : offset_[n];
        const float steps = std::fma(static_cast<float>(sum), multiplier_[n], rest);
        output[to] = static_cast<uint8_t>(
            std::clamp(std::nearbyint(steps), static_cast<float>(how_.lo), static_cast<float>(how_.hi)));
      }
    }
    return output;
  }

 private:
  static constexpr uint8_t kUntouched = 77;

  int between(int least, int greatest) {
    return least + static_cast<int>(random_() % static_cast<uint32_t>(greatest - least + 1));
  }

  Case how_;
  std::mt19937 random_;
  std::vector<int8_t> weights_;
  std::unique_ptr<int8_t, AlignedFree> packed_;
  std::vector<uint8_t> fits_, input_, output_, residual_;
  std::vector<int32_t> input_offset_, run_offset_, output_offset_, start_, row_zero_point_, column_sum_;
  std::vector<float> multiplier_, offset_, row_scale_;
  size_t output_step_;
};

// Every kernel of kernels.inc that this CPU runs.
class Igemm : public testing::TestWithParam<IgemmKernel> {
 protected:
  void SetUp() override {
    if (!cpu_has(GetParam().isa)) GTEST_SKIP() << "this CPU lacks " << name_of(GetParam().isa);
  }
  static void check(const Case& how) {
    Product product(how);
    EXPECT_EQ(product.run(GetParam()), product.expected())
        << how.rows << " x " << how.columns << ", " << how.runs << " runs of " << how.run_bytes;
  }
};

TEST_P(Igemm, GivesTheReferenceForAllTails) {
  for (size_t rows = 1; rows <= 17; ++rows) {
    for (const size_t columns : {1, 7, 15, 16, 17, 24, 25, 32, 33, 40, 48, 56, 63, 64, 65, 80, 96, 100, 104, 129}) {
      check({.rows = rows, .columns = columns, .runs = 1, .run_bytes = 8});
    }
  }
}

TEST_P(Igemm, GivesTheReferenceForAllDepths) {
  for (const size_t runs : {1, 2, 3, 9}) {
    for (const size_t bytes : {1, 2, 3, 4, 5, 16, 31, 64, 130}) {
      check({.rows = 7, .columns = 70, .runs = runs, .run_bytes = bytes});
    }
  }
}

TEST_P(Igemm, GivesTheReferenceForVeryLongSums) {
  for (const size_t bytes : {8192, 8196, 25088}) check({.rows = 8, .columns = 20, .runs = 1, .run_bytes = bytes});
}

TEST_P(Igemm, IsExactForTheLargestProducts) {
  for (const int code : {0, 128, 255}) {
    for (const int weight : {-128, -127, 127}) {
      check({.rows = 9,
             .columns = 40,
             .runs = 9,
             .run_bytes = 512,
             .least_weight = weight,
             .greatest_weight = weight,
             .code = code});
    }
  }
}

TEST_P(Igemm, IsExactWherePairsFit) {
  check({.rows = 13, .columns = 50, .runs = 3, .run_bytes = 20, .least_weight = -64, .greatest_weight = 64});
  check(
      {.rows = 13, .columns = 50, .runs = 3, .run_bytes = 20, .least_weight = 64, .greatest_weight = 64, .code = 255});
}

// As in trained networks: some pairs of weights do not fit, a few or many of a column.
TEST_P(Igemm, IsExactWhereSomePairsDoNotFit) {
  for (const int large_every : {2, 5, 30}) {
    for (const size_t runs : {1, 3, 9}) {
      for (const size_t bytes : {13, 16, 17, 20, 31, 64, 130, 512}) {
        for (const size_t rows : {8, 9, 22}) {
          check({.rows = rows, .columns = 40, .runs = runs, .run_bytes = bytes, .large_every = large_every});
        }
      }
    }
    check({.rows = 300, .columns = 40, .runs = 1, .run_bytes = 64, .code = 255, .large_every = large_every});
    check({.rows = 9, .columns = 17, .runs = 1, .run_bytes = 4608, .large_every = large_every});
    check({.rows = 9, .columns = 17, .runs = 1, .run_bytes = 4612, .large_every = large_every});
  }
}

TEST_P(Igemm, AddsAResidual) {
  for (const size_t columns : {5, 16, 20, 24, 31, 40, 64, 83}) {
    for (const size_t rows : {1, 6, 15}) {
      check({.rows = rows, .columns = columns, .runs = 2, .run_bytes = 12, .residual = true});
    }
  }
}

TEST_P(Igemm, AddsInPlace) {
  for (const size_t rows : {1, 5, 13, 26}) {
    for (const size_t columns : {16, 24, 32, 40, 90}) {
      Product product({.rows = rows, .columns = columns, .runs = 1, .run_bytes = 24, .residual = true});
      EXPECT_EQ(product.run(GetParam(), /*in_place=*/true), product.expected(/*in_place=*/true)) << rows;
    }
  }
}

TEST_P(Igemm, GivesReals) {
  for (const size_t columns : {1, 10, 16, 24, 37, 64, 83}) {
    for (const size_t rows : {1, 2, 7, 12})
      check({.rows = rows, .columns = columns, .runs = 1, .run_bytes = 40, .to_reals = true});
  }
}

TEST_P(Igemm, GivesRealsOfRowsOnGridsOfTheirOwn) {
  for (const bool zero_points : {false, true}) {
    for (size_t rows = 1; rows <= 17; ++rows) {
      for (const size_t columns : {1, 7, 15, 16, 17, 32, 33, 48, 63, 64, 65, 80, 96, 129}) {
        check({.rows = rows,
               .columns = columns,
               .runs = 1 + columns % 2,
               .run_bytes = 12,
               .to_reals = true,
               .row_scales = true,
               .row_zero_points = zero_points});
      }
    }
  }
}

TEST_P(Igemm, TakesAnyZeroPointOfARow) {
  for (const int weight : {-128, 3, 127}) {
    for (const int code : {-1, 0, 255}) {
      check({.rows = 300,
             .columns = 20,
             .runs = 1,
             .run_bytes = 512,
             .least_weight = weight == 3 ? -64 : weight,  // pairs fit, or do not
             .greatest_weight = weight == 3 ? 64 : weight,
             .code = code,
             .to_reals = true,
             .row_scales = true,
             .row_zero_points = true});
    }
  }
}

TEST_P(Igemm, KeepsToTheRangeOfCodes) {
  for (const size_t columns : {8, 16, 24, 32, 37, 64}) {
    check({.rows = 11, .columns = columns, .runs = 1, .run_bytes = 32, .lo = 20, .hi = 200});
    check({.rows = 11, .columns = columns, .runs = 1, .run_bytes = 32, .hi = 200});
    check({.rows = 11, .columns = columns, .runs = 1, .run_bytes = 32, .lo = 20});
  }
  check({.rows = 11, .columns = 37, .runs = 1, .run_bytes = 32, .residual = true, .lo = 100, .hi = 101});
}

std::vector<IgemmKernel> all_kernels() {
  return {
#define TORQUANT_IGEMM_KERNEL(function, isa, row_tile) {#function, CpuIsa::isa, function, row_tile},
#include "torquant/kernels/igemm/kernels.inc"
#undef TORQUANT_IGEMM_KERNEL
  };
}

INSTANTIATE_TEST_SUITE_P(All, Igemm, testing::ValuesIn(all_kernels()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(SelectIgemm, TakesTheBestThatTheIsaRuns) {
  EXPECT_EQ(std::string(select_igemm(CpuIsa::kScalar).name), "igemm_u8s8_scalar");
#if defined(__x86_64__)
  EXPECT_EQ(std::string(select_igemm(CpuIsa::kAvx2).name), "igemm_u8s8_avx2");
  EXPECT_EQ(std::string(select_igemm(CpuIsa::kAvx512Vnni).name), "igemm_u8s8_avx512vnni");
#elif defined(__aarch64__)
  EXPECT_EQ(std::string(select_igemm(CpuIsa::kNeonDot).name), "igemm_u8s8_neondot");
#endif
}

}  // namespace
}  // namespace torquant
