#include "torquant/kernels/depthwise/depthwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "torquant/core/packed_depthwise.h"
#include "torquant/kernels/depthwise/depthwise_internal.h"

namespace torquant {
namespace {

struct Size {
  size_t height, width;
};

struct Case {
  size_t channels;
  Size output{3, 5}, kernel{3, 3}, stride{1, 1}, dilation{1, 1};
  bool residual = false;
  int least_weight = -128, greatest_weight = 127;
  int code = -1;  // of all inputs; random if -1
  uint8_t lo = 0, hi = 255;
};

std::string text(const Case& how) {
  const auto of = [](const Size& size) { return std::to_string(size.height) + "x" + std::to_string(size.width); };
  return std::to_string(how.channels) + " channels, output " + of(how.output) + ", kernel " + of(how.kernel) +
         ", stride " + of(how.stride) + ", dilation " + of(how.dilation);
}

struct AlignedFree {
  void operator()(void* memory) const { std::free(memory); }
};

// A convolution with everything that its arguments point to, and what K1 to K3 give for it by plain loops. Pixels have
// more channels than it computes, before and behind.
class Convolution {
 public:
  explicit Convolution(const Case& how)
      : how_(how), random_(static_cast<uint32_t>(how.channels * 31 + how.output.width)) {
    const PackedDepthwiseShape shape = packed_shape();
    for (size_t i = 0; i < how.channels * shape.taps; ++i) {
      weights_.push_back(static_cast<int8_t>(between(how.least_weight, how.greatest_weight)));
    }
    packed_.resize(shape.bytes());
    pack_depthwise(shape, weights_.data(), packed_.data());
    const double reach = std::sqrt(static_cast<double>(shape.taps)) * 10000;
    for (size_t c = 0; c < shape.padded_channels(); ++c) {
      start_.push_back(between(-20000, 20000));
      multiplier_.push_back(static_cast<float>((1 + between(0, 1000) * 1e-3) * 128 / reach));
      offset_.push_back(static_cast<float>(between(-1000, 200000)) / 1000);
    }

    input_pixel_step_ = how.channels + 6;
    output_pixel_step_ = how.channels + 3;
    input_.resize(input_height() * input_row_step() + 64);
    for (uint8_t& code : input_) code = static_cast<uint8_t>(how.code < 0 ? between(0, 255) : how.code);
    output_.assign(kBefore + (how.output.height + 1) * output_row_step(), kUntouched);
    residual_ = output_;
    for (uint8_t& code : residual_) code = static_cast<uint8_t>(between(0, 255));
  }

  DepthwiseArgs args(uint8_t* output, const uint8_t* residual) {
    DepthwiseArgs args{.channels = how_.channels,
                       .output_height = how_.output.height,
                       .output_width = how_.output.width,
                       .kernel_height = how_.kernel.height,
                       .kernel_width = how_.kernel.width,
                       .stride_height = how_.stride.height,
                       .stride_width = how_.stride.width,
                       .dilation_height = how_.dilation.height,
                       .dilation_width = how_.dilation.width,
                       // So that the 64 bytes behind the last tap of the last output are the last ones of the vector:
                       // the sanitizer sees what is read beyond.
                       .input = input_.data() + 6,
                       .input_row_step = input_row_step(),
                       .input_pixel_step = input_pixel_step_,
                       .weights = packed_.data(),
                       .weight_step = packed_shape().padded_channels(),
                       .start = start_.data(),
                       .multiplier = multiplier_.data(),
                       .offset = offset_.data(),
                       .lo = how_.lo,
                       .hi = how_.hi,
                       .output = output + kBefore,
                       .output_row_step = output_row_step(),
                       .output_pixel_step = output_pixel_step_,
                       .residual = how_.residual ? residual + kBefore : nullptr,
                       .residual_row_step = output_row_step(),
                       .residual_pixel_step = output_pixel_step_,
                       .residual_multiplier = 0.37f,
                       .scratch = nullptr};
    const size_t scratch_bytes = (depthwise_scratch_bytes(args) + 63) / 64 * 64;
    scratch_.reset(static_cast<uint8_t*>(std::aligned_alloc(64, scratch_bytes)));
    std::fill_n(scratch_.get(), scratch_bytes, uint8_t{0xEE});
    args.scratch = scratch_.get();
    return args;
  }

  // Codes of the kernel as they lie in memory; what it must not write is kUntouched.
  std::vector<uint8_t> run(const DepthwiseKernel& kernel) {
    std::vector<uint8_t> output = output_;
    kernel.run(args(output.data(), residual_.data()));
    return output;
  }

  std::vector<uint8_t> run_in_place(const DepthwiseKernel& kernel) {
    std::vector<uint8_t> output = residual_;
    kernel.run(args(output.data(), output.data()));
    return output;
  }

  std::vector<uint8_t> expected(bool in_place = false) const {
    std::vector<uint8_t> output = in_place ? residual_ : output_;
    for (size_t y = 0; y < how_.output.height; ++y) {
      for (size_t x = 0; x < how_.output.width; ++x) {
        for (size_t c = 0; c < how_.channels; ++c) {
          output[kBefore + y * output_row_step() + x * output_pixel_step_ + c] = expected(y, x, c);
        }
      }
    }
    return output;
  }

  size_t output_row_step() const { return (how_.output.width + 1) * output_pixel_step_; }

  static constexpr size_t kBefore = 5;

 private:
  static constexpr uint8_t kUntouched = 77;

  uint8_t expected(size_t y, size_t x, size_t c) const {
    int64_t sum = start_[c];
    for (size_t i = 0; i < how_.kernel.height; ++i) {
      for (size_t j = 0; j < how_.kernel.width; ++j) {
        const size_t row = y * how_.stride.height + i * how_.dilation.height;
        const size_t column = x * how_.stride.width + j * how_.dilation.width;
        sum += input_[row * input_row_step() + column * input_pixel_step_ + 6 + c] *
               weights_[(c * how_.kernel.height + i) * how_.kernel.width + j];
      }
    }
    const size_t to = kBefore + y * output_row_step() + x * output_pixel_step_ + c;
    const float rest = how_.residual ? std::fma(static_cast<float>(residual_[to]), 0.37f, offset_[c]) : offset_[c];
    const float steps = std::fma(static_cast<float>(sum), multiplier_[c], rest);
    return static_cast<uint8_t>(
        std::clamp(std::nearbyint(steps), static_cast<float>(how_.lo), static_cast<float>(how_.hi)));
  }

  static size_t reach(size_t outputs, size_t stride, size_t kernel, size_t dilation) {
    return (outputs - 1) * stride + (kernel - 1) * dilation + 1;
  }
  size_t input_height() const {
    return reach(how_.output.height, how_.stride.height, how_.kernel.height, how_.dilation.height);
  }
  size_t input_row_step() const {
    return reach(how_.output.width, how_.stride.width, how_.kernel.width, how_.dilation.width) * input_pixel_step_;
  }
  PackedDepthwiseShape packed_shape() const {
    return {.channels = how_.channels, .taps = how_.kernel.height * how_.kernel.width};
  }
  int between(int least, int greatest) {
    return least + static_cast<int>(random_() % static_cast<uint32_t>(greatest - least + 1));
  }

  Case how_;
  std::mt19937 random_;
  std::vector<int8_t> weights_, packed_;
  std::vector<uint8_t> input_, output_, residual_;
  std::vector<int32_t> start_;
  std::vector<float> multiplier_, offset_;
  size_t input_pixel_step_, output_pixel_step_;
  std::unique_ptr<uint8_t, AlignedFree> scratch_;
};

// Every kernel of kernels.inc that this CPU runs.
class Depthwise : public testing::TestWithParam<DepthwiseKernel> {
 protected:
  void SetUp() override {
    if (!cpu_has(GetParam().isa)) GTEST_SKIP() << "this CPU lacks " << name_of(GetParam().isa);
  }
  static void check(const Case& how) {
    Convolution convolution(how);
    EXPECT_EQ(convolution.run(GetParam()), convolution.expected()) << text(how);
  }
};

constexpr Size kKernels[] = {{1, 1}, {3, 3}, {5, 5}, {7, 7}, {3, 1}, {1, 3}, {2, 2}, {1, 9}, {4, 6}, {9, 2}};
constexpr Size kStrides[] = {{1, 1}, {2, 2}, {3, 3}, {1, 2}, {2, 1}, {3, 1}, {5, 2}, {4, 4}};

TEST_P(Depthwise, GivesTheReferenceForAllChannelTails) {
  for (const Size stride : {Size{1, 1}, Size{2, 2}, Size{3, 3}}) {
    for (size_t channels = 1; channels <= 80; ++channels) check({.channels = channels, .stride = stride});
    for (const size_t channels : {96, 128, 144, 161}) check({.channels = channels, .stride = stride});
  }
}

TEST_P(Depthwise, GivesTheReferenceForAllKernelsAndStrides) {
  for (const Size& kernel : kKernels) {
    for (const Size& stride : kStrides) {
      for (const Size output : {Size{1, 1}, Size{4, 6}, Size{5, 9}}) {
        check({.channels = 70, .output = output, .kernel = kernel, .stride = stride});
      }
    }
  }
}

TEST_P(Depthwise, GivesTheReferenceForDilations) {
  for (const Size& kernel : kKernels) {
    for (const Size dilation : {Size{2, 2}, Size{1, 2}, Size{3, 1}}) {
      for (const Size stride : {Size{1, 1}, Size{2, 2}}) {
        check({.channels = 70, .kernel = kernel, .stride = stride, .dilation = dilation});
      }
    }
  }
}

TEST_P(Depthwise, GivesTheReferenceForAllWidths) {
  for (const Size& kernel : {Size{1, 1}, Size{3, 3}, Size{5, 5}}) {
    for (const Size& stride : {Size{1, 1}, Size{2, 2}, Size{1, 2}}) {
      for (size_t width = 1; width <= 20; ++width) {
        for (const size_t channels : {13, 24, 72, 96}) {
          check({.channels = channels, .output = {3, width}, .kernel = kernel, .stride = stride});
        }
      }
    }
  }
}

TEST_P(Depthwise, GivesTheReferenceForImagesOfSeveralStrips) {
  for (const Size& kernel : {Size{3, 3}, Size{7, 7}, Size{2, 31}}) {
    for (const Size& stride : {Size{1, 1}, Size{2, 2}}) {
      for (const size_t width : {57, 112, 113, 200}) {
        check({.channels = 66, .output = {3, width}, .kernel = kernel, .stride = stride, .residual = true});
      }
    }
  }
}

TEST_P(Depthwise, IsExactForTheLargestProducts) {
  for (const int code : {0, 128, 255}) {
    for (const int weight : {-128, -127, 127}) {
      for (const Size stride : {Size{1, 1}, Size{2, 2}, Size{3, 3}}) {
        check({.channels = 40,
               .kernel = {5, 5},
               .stride = stride,
               .least_weight = weight,
               .greatest_weight = weight,
               .code = code});
      }
    }
  }
}

TEST_P(Depthwise, AddsAResidual) {
  for (const size_t channels : {5, 16, 32, 40, 64, 83}) {
    for (const Size& stride : kStrides) {
      const Case how{.channels = channels, .stride = stride, .residual = true};
      check(how);
      Convolution convolution(how);
      EXPECT_EQ(convolution.run_in_place(GetParam()), convolution.expected(/*in_place=*/true)) << text(how);
    }
  }
}

TEST_P(Depthwise, KeepsToTheRangeOfCodes) {
  check({.channels = 90, .lo = 20, .hi = 200});
  check({.channels = 90, .residual = true, .lo = 100, .hi = 101});
}

// As threads share an image: each computes rows [2, 5) and so on, of channels [0, 48) and [48, 100).
TEST_P(Depthwise, GivesTheSameInParts) {
  for (const Size& stride : {Size{1, 1}, Size{2, 2}, Size{3, 3}}) {
    Convolution convolution({.channels = 100, .output = {7, 9}, .stride = stride, .residual = true});
    std::vector<uint8_t> output = convolution.run_in_place({"", CpuIsa::kScalar, [](const DepthwiseArgs&) {}});
    const DepthwiseArgs all = convolution.args(output.data(), output.data());
    for (const auto& [row, row_end] : {std::pair<size_t, size_t>{0, 2}, {2, 5}, {5, 7}}) {
      for (const auto& [channel, channel_end] : {std::pair<size_t, size_t>{0, 48}, {48, 100}}) {
        DepthwiseArgs part = all;
        part.output_height = row_end - row;
        part.channels = channel_end - channel;
        part.input += row * stride.height * part.input_row_step + channel;
        part.output += row * part.output_row_step + channel;
        part.residual += row * part.residual_row_step + channel;
        part.weights += channel;
        part.start += channel;
        part.multiplier += channel;
        part.offset += channel;
        GetParam().run(part);
      }
    }
    EXPECT_EQ(output, convolution.expected(/*in_place=*/true)) << "stride " << stride.height;
  }
}

TEST_P(Depthwise, WritesNothingForNoOutput) {
  for (const Size& output : {Size{0, 5}, Size{5, 0}}) {
    Convolution convolution({.channels = 70});
    std::vector<uint8_t> codes(1000, 9);
    DepthwiseArgs args = convolution.args(codes.data(), nullptr);
    args.output_height = output.height, args.output_width = output.width;
    GetParam().run(args);
    EXPECT_EQ(codes, std::vector<uint8_t>(1000, 9));
  }
}

std::vector<DepthwiseKernel> all_kernels() {
  return {
#define TORQUANT_DEPTHWISE_KERNEL(function, isa) {#function, CpuIsa::isa, function},
#include "torquant/kernels/depthwise/kernels.inc"
#undef TORQUANT_DEPTHWISE_KERNEL
  };
}

INSTANTIATE_TEST_SUITE_P(All, Depthwise, testing::ValuesIn(all_kernels()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(SelectDepthwise, TakesTheBestThatTheIsaRuns) {
  EXPECT_EQ(std::string(select_depthwise(CpuIsa::kScalar).name), "depthwise_u8s8_scalar");
#if defined(__x86_64__)
  EXPECT_EQ(std::string(select_depthwise(CpuIsa::kAvx2).name), "depthwise_u8s8_avx2");
  EXPECT_EQ(std::string(select_depthwise(CpuIsa::kAvx512Vnni).name), "depthwise_u8s8_avx512vnni");
#elif defined(__aarch64__)
  EXPECT_EQ(std::string(select_depthwise(CpuIsa::kNeonDot).name), "depthwise_u8s8_neondot");
#endif
}

}  // namespace
}  // namespace torquant
