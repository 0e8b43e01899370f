#include "torquant/runtime/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>

#include "tests/support/temp_folder.h"
#include "tests/support/tiny_branches.h"
#include "tests/support/tiny_model.h"
#include "tests/support/tiny_squares.h"
#include "tests/support/tiny_volume.h"
#include "torquant/format/tqm_file.h"

namespace torquant::runtime {
namespace {

using Codes = std::vector<uint8_t>;

// docs/semantics.md, K1 to K5, in PyTorch's order of the numbers and by plain loops.
uint8_t code_of(float steps) { return static_cast<uint8_t>(std::clamp(std::nearbyint(steps), 0.0f, 255.0f)); }

std::vector<float> layer_reals(const format::Layer& layer, const Codes& x, int inputs, int size, int outputs,
                               int out_size, const Codes* residual) {
  const PackedShape shape = format::packed_shape(layer, inputs, outputs);
  std::vector<int8_t> weights(shape.codes());
  unpack_weights(shape, layer.weights.data(), weights.data());
  std::vector<float> reals;
  const int kernel = static_cast<int>(layer.windows.kernel[0]), padding = static_cast<int>(layer.windows.padding[0]);
  for (int n = 0; n < outputs; ++n) {
    for (int at = 0; at < out_size * out_size; ++at) {
      int acc = layer.start[static_cast<size_t>(n)];
      for (int c = 0; c < inputs; ++c) {
        for (int tap = 0; tap < kernel * kernel; ++tap) {
          const int row = at / out_size + tap / kernel - padding, column = at % out_size + tap % kernel - padding;
          const bool inside = row >= 0 && column >= 0 && row < size && column < size;
          const int code = inside ? x[static_cast<size_t>((c * size + row) * size + column)] : 120;
          acc += code * weights[static_cast<size_t>((n * inputs + c) * kernel * kernel + tap)];
        }
      }
      float rest = layer.offset[static_cast<size_t>(n)];
      if (residual != nullptr)
        rest = std::fma(static_cast<float>((*residual)[reals.size()]), layer.residual_multiplier, rest);
      reals.push_back(std::fma(static_cast<float>(acc), layer.multiplier[static_cast<size_t>(n)], rest));
    }
  }
  return reals;
}

Codes layer_codes(const std::vector<float>& reals) {
  Codes codes;
  for (const float real : reals) codes.push_back(code_of(real));
  return codes;
}

// What the tiny model gives for one image.
std::vector<float> expected_of(TinyModel& tiny, const float* image) {
  Codes codes;
  for (int i = 0; i < 3 * 64; ++i)
    codes.push_back(code_of(std::nearbyint(image[i] * static_cast<float>(1 / 0.05)) + 120));
  const Codes wide = layer_codes(layer_reals(tiny.layer_of(1), codes, 3, 8, 20, 8, nullptr));
  Codes small;
  for (int c = 0; c < 20; ++c) {
    for (int y = 0; y < 4; ++y) {
      for (int x = 0; x < 4; ++x) {
        uint8_t most = 0;
        for (int row = std::max(0, 2 * y - 1); row <= 2 * y + 1; ++row) {
          for (int column = std::max(0, 2 * x - 1); column <= 2 * x + 1; ++column)
            most = std::max(most, wide[static_cast<size_t>((c * 8 + row) * 8 + column)]);
        }
        small.push_back(most);
      }
    }
  }
  const Codes sum = layer_codes(layer_reals(tiny.layer_of(3), small, 20, 4, 20, 4, &small));
  Codes mean;
  for (size_t c = 0; c < 20; ++c) {
    int total = -16 * 120;
    for (size_t i = 0; i < 16; ++i) {
      // Both grids are the output's: a + b - 120.
      total += code_of(std::fma(1.0f, sum[c * 16 + i], std::fma(1.0f, small[c * 16 + i], -120.0f)));
    }
    mean.push_back(code_of(std::fma(static_cast<float>(total), 1.0f / 16, 120.0f)));
  }
  return layer_reals(tiny.layer_of(7), mean, 20, 1, 5, 1, nullptr);
}

class SessionTest : public testing::Test {
 protected:
  void SetUp() override {
    const Result<std::string> bytes = format::write_tqm(tiny_.model);
    ASSERT_TRUE(bytes.ok());
    std::ofstream(path_, std::ios::binary).write(bytes->data(), static_cast<std::streamsize>(bytes->size()));
    std::mt19937 random(8);
    for (int i = 0; i < 2300; ++i)
      images_.push_back(static_cast<float>(static_cast<int>(random() % 2000) - 1000) / 100);
    for (int i = 0; i < 9; ++i) {
      for (const float real : expected_of(tiny_, images_.data() + i * 3 * 64)) expected_.push_back(real);
    }
  }
  void TearDown() override { unsetenv("TORQUANT_FORCE_ISA"); }

  std::shared_ptr<const LoadedModel> load() {
    Result<std::shared_ptr<const LoadedModel>> loaded = LoadedModel::load(path_);
    EXPECT_TRUE(loaded.ok()) << loaded.error().where << ": " << loaded.error().what;
    return *loaded;
  }
  void expect_right(Session& session, size_t batch) {
    std::vector<float> output(batch * 5, -1);
    const void* inputs[] = {images_.data()};
    float* outputs[] = {output.data()};
    const Result<void> done = session.run(inputs, outputs);
    ASSERT_TRUE(done.ok());
    EXPECT_EQ(output, std::vector<float>(expected_.begin(), expected_.begin() + static_cast<ptrdiff_t>(batch * 5)));
  }

  // inputs, outputs: numbers of an image.
  void expect_the_same_everywhere(const format::Model& model, size_t inputs_of_image, size_t outputs_of_image) {
    const Result<std::string> bytes = format::write_tqm(model);
    ASSERT_TRUE(bytes.ok()) << bytes.error().where << ": " << bytes.error().what;
    std::ofstream(path_, std::ios::binary).write(bytes->data(), static_cast<std::streamsize>(bytes->size()));
    std::vector<float> expected;
    for (const CpuIsa isa : {CpuIsa::kScalar, CpuIsa::kAvx2, CpuIsa::kAvx512Vnni, CpuIsa::kNeonDot}) {
      if (!cpu_has(isa)) continue;
      setenv("TORQUANT_FORCE_ISA", std::string(name_of(isa)).c_str(), 1);
      const auto loaded = load();
      for (const size_t batch : {1, 4}) {
        for (const size_t threads : {1, 2, 3}) {
          std::vector<float> output(batch * outputs_of_image, -1);
          const void* inputs[] = {images_.data()};
          float* outputs[] = {output.data()};
          ASSERT_TRUE((*Session::make(loaded, batch, threads))->run(inputs, outputs).ok());
          for (size_t image = expected.size() / outputs_of_image; image < batch; ++image) {
            std::vector<float> alone(outputs_of_image);
            inputs[0] = images_.data() + image * inputs_of_image, outputs[0] = alone.data();
            ASSERT_TRUE((*Session::make(loaded, 1, 1))->run(inputs, outputs).ok());
            expected.insert(expected.end(), alone.begin(), alone.end());
          }
          EXPECT_EQ(output,
                    std::vector<float>(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(output.size())))
              << name_of(isa) << ", batch " << batch << ", threads " << threads;
        }
      }
    }
  }

  TempFolder folder_;
  std::string path_ = folder_.path("tiny.tqm");
  TinyModel tiny_;
  std::vector<float> images_, expected_;
};

TEST_F(SessionTest, GivesTheReferenceForEachIsaBatchAndNumberOfThreads) {
  for (const CpuIsa isa : {CpuIsa::kScalar, CpuIsa::kAvx2, CpuIsa::kAvx512Vnni, CpuIsa::kNeonDot}) {
    if (!cpu_has(isa)) continue;
    setenv("TORQUANT_FORCE_ISA", std::string(name_of(isa)).c_str(), 1);
    const auto loaded = load();
    ASSERT_EQ(loaded->isa(), isa);
    for (const size_t batch : {1, 2, 9}) {
      for (const size_t threads : {1, 2, 4}) {
        SCOPED_TRACE(std::string(name_of(isa)) + ", batch " + std::to_string(batch) + ", threads " +
                     std::to_string(threads));
        const auto session = Session::make(loaded, batch, threads);
        ASSERT_TRUE(session.ok());
        expect_right(**session, batch);
        expect_right(**session, batch);  // nothing of the first run is left
      }
    }
  }
}

// Against the plain loops of the scalar kernels on one thread, which lower/runtime_emit_test.cpp holds to PyTorch.
TEST_F(SessionTest, OtherNodesGiveTheSameForEachIsaBatchAndNumberOfThreads) {
  expect_the_same_everywhere(TinyBranches().model, size_t{6} * 6 * 6, size_t{12} * 3 * 6);
  expect_the_same_everywhere(TinyVolume().model, size_t{2} * 3 * 6 * 5, size_t{18} * 3 * 4 * 5);
}

// Threads share tiles, where there are many, or columns.
TEST_F(SessionTest, ConvolutionsByWinogradGiveTheSameForEachIsaBatchAndNumberOfThreads) {
  const TinySquares squares;
  expect_the_same_everywhere(squares.model, size_t{23} * 25, size_t{4} * 23 * 25);
  if (!cpu_has(CpuIsa::kAvx2)) return;
  setenv("TORQUANT_FORCE_ISA", "avx2", 1);
  const auto session = Session::make(load(), 1, 1);
  const std::vector<std::string>& kernels = (*session)->plan().steps.kernels;
  EXPECT_EQ(kernels[1], "igemm_u8s8_avx2") << "one channel";
  EXPECT_EQ(kernels[2], "winograd_u8s8_avx2");
  EXPECT_EQ(kernels[3], "winograd_u8s8_avx2");
  EXPECT_EQ(kernels[4], "igemm_u8s8_avx2") << "1x1";
}

TEST_F(SessionTest, SharesAModelAmongThreads) {
  const auto loaded = load();
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const auto session = Session::make(loaded, static_cast<size_t>(i % 3 + 1), static_cast<size_t>(i % 2 + 1));
      for (int run = 0; run < 20; ++run) expect_right(**session, static_cast<size_t>(i % 3 + 1));
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(SessionTest, SaysWhatDoesNotFit) {
  const auto loaded = load();
  EXPECT_EQ(Session::make(loaded, 10, 1).error().allowed, "1 to 9");
  EXPECT_EQ(Session::make(loaded, 0, 1).error().what, "0 images were asked for");
  EXPECT_EQ(Session::make(loaded, 1, 0).error().allowed, "1 to 256");
  const auto session = Session::make(loaded, 1, 1);
  float output[5];
  const void* inputs[] = {images_.data(), images_.data()};
  float* outputs[] = {output};
  EXPECT_EQ((*session)->run(inputs, outputs).error().what, "2 inputs were given");
  EXPECT_EQ((*session)->run(std::span<const void* const>(inputs).first(1), {}).error().what, "0 outputs were given");
  inputs[0] = nullptr, outputs[0] = output;
  EXPECT_EQ((*session)->run(std::span<const void* const>(inputs).first(1), outputs).error().what, "input 0 is null");
  inputs[0] = images_.data(), outputs[0] = nullptr;
  EXPECT_EQ((*session)->run(std::span<const void* const>(inputs).first(1), outputs).error().what, "output 0 is null");
}

TEST_F(SessionTest, NamesAnIsaThatIsNotThere) {
  setenv("TORQUANT_FORCE_ISA", "sse9", 1);
  const auto loaded = LoadedModel::load(path_);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error().where, "TORQUANT_FORCE_ISA");
}

}  // namespace
}  // namespace torquant::runtime
