#include "torquant/core/histogram.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <vector>

namespace torquant {
namespace {

// Elements whose bins are computed (by vector instructions) before they are counted.
constexpr size_t kChunk = 512;
// Tables counted into in turn: equal neighbours (zeros after a ReLU) would wait for each other's store in one table.
// Of 16 bits, so that four tables of 2048 bins leave half of a 32 KB cache to the data.
constexpr size_t kTables = 4;
using Table = std::vector<uint16_t>;
constexpr size_t kMostInTable = std::numeric_limits<uint16_t>::max();

void find_bins(const float* x, size_t n, float left, float right, size_t bins, int32_t* bin) {
  const auto bins_as_float = static_cast<float>(bins);
  const float last = bins_as_float - 1;
  const float width = right - left;
  for (size_t i = 0; i < n; ++i) {
    const float position = (x[i] - left) * bins_as_float / width;
    const float not_below = position > 0 ? position : 0;
    bin[i] = static_cast<int32_t>(not_below < last ? not_below : last);
  }
}

// Which of the codes 0..last the value `a` falls into, if each is `code_width` wide: floor(a / code_width), clamped.
// ExactCode is the formula of torch.div(rounding_mode="floor") in float32, and right for any width.
struct ExactCode {
  float code_width;
  float last;

  float operator()(float a) const {
    float floored = a / code_width;
    if (code_width != 0.0f) {
      const float remainder = std::fmod(a, code_width);
      const float quotient = (a - remainder) / code_width - (remainder < 0.0f ? 1.0f : 0.0f);
      floored = std::floor(quotient);
      if (quotient - floored > 0.5f) floored += 1.0f;
    }
    if (std::isnan(floored)) return floored;
    return std::min(std::max(floored, 0.0f), last);
  }
};

// The same without fmod and division. The quotient of two floats is an integer or at least 2^-24 below the next one, so
// raising it by 2^-48 of itself lifts one that the product left below its integer, and none over an integer, as long as
// it is under 2^24; from `last` on it does not matter.
struct FastCode {
  double inv_code_width;  // (1 + 2^-48) / code_width
  double last;

  static constexpr float kMostCodes = 65536.0f;
  FastCode(float code_width, float last_code) : inv_code_width((1 + 0x1p-48) / code_width), last(last_code) {}

  float operator()(float a) const {
    const double code = a * inv_code_width;
    return static_cast<float>(static_cast<int32_t>(code > 0 ? (code < last ? code : last) : 0));
  }
};

// The integral of density * x^2 over x from begin to end.
float moment(float begin, float end, float density) {
  return density * ((end * end * end - begin * begin * begin) / 3.0f);
}

template <class CodeOf>
void quantization_error_of(const QuantizationErrorArgs& args, float code_width, float half_code, CodeOf code_of,
                           std::span<float> error) {
  const auto width = static_cast<float>(args.bin_width);
  const float* density = args.density.data();
  const auto bins = static_cast<int32_t>(args.density.size());
  const auto start = static_cast<int32_t>(args.start);
  for (int32_t i = 0; i < bins; ++i) {
    const float begin = static_cast<float>(i - start) * width;
    const float end = begin + width;
    const float first = code_of(begin);
    const float last = code_of(end);
    const float first_center = (first + 0.5f) * code_width;
    const float last_center = last * code_width + half_code;
    // In one code, first == last: its whole width is added twice, at both ends, and taken off once, in the middle.
    const float at_begin = moment(begin - first_center, half_code, density[i]);
    const float between = (last - first - 1.0f) * moment(-half_code, half_code, density[i]);
    const float at_end = moment(-half_code, end - last_center, density[i]);
    error[static_cast<size_t>(i)] = at_begin + between + at_end;
  }
}

}  // namespace

void count_bins(std::span<const float> x, float left, float right, std::span<int64_t> counts) {
  assert(left < right && !counts.empty());
  std::array<Table, kTables> tables;
  tables.fill(Table(counts.size()));
  const auto flush = [&] {
    for (Table& table : tables) {
      for (size_t b = 0; b < counts.size(); ++b) counts[b] += table[b];
      std::fill(table.begin(), table.end(), 0);
    }
  };
  std::array<int32_t, kChunk> bin;
  size_t in_table = 0;
  for (size_t begin = 0; begin < x.size(); begin += kChunk) {
    const size_t n = std::min(kChunk, x.size() - begin);
    if (in_table + n > kMostInTable) {
      flush();
      in_table = 0;
    }
    in_table += n;
    find_bins(x.data() + begin, n, left, right, counts.size(), bin.data());
    size_t i = 0;
    for (; i + kTables <= n; i += kTables) {
      for (size_t t = 0; t < kTables; ++t) ++tables[t][static_cast<size_t>(bin[i + t])];
    }
    for (; i < n; ++i) ++tables[0][static_cast<size_t>(bin[i])];
  }
  flush();
}

void rebin(std::span<const float> old_bins, std::span<const float> part_middle, std::span<const float> new_edges,
           std::span<float> new_bins) {
  assert(part_middle.size() == old_bins.size() * kBinParts && new_edges.size() == new_bins.size() + 1);
  std::fill(new_bins.begin(), new_bins.end(), 0.0f);
  size_t above = 0;  // the first edge above the part's middle
  for (size_t i = 0; i < old_bins.size(); ++i) {
    if (old_bins[i] == 0.0f) continue;
    const float mass = old_bins[i] / kBinParts;
    for (size_t part = i * kBinParts; part < (i + 1) * kBinParts; ++part) {
      while (above < new_edges.size() && new_edges[above] <= part_middle[part]) ++above;
      while (above > 0 && new_edges[above - 1] > part_middle[part]) --above;
      new_bins[std::clamp<size_t>(above, 1, new_bins.size()) - 1] += mass;
    }
  }
}

void quantization_error(const QuantizationErrorArgs& args, std::span<float> error) {
  assert(error.size() == args.density.size());
  const double step = args.bin_width * static_cast<double>(args.end - args.start + 1) / static_cast<double>(args.codes);
  const auto code_width = static_cast<float>(step);
  const auto half_code = static_cast<float>(step / 2);
  const auto last = static_cast<float>(args.codes - 1);
  if (code_width > 0.0f && last < FastCode::kMostCodes) {
    quantization_error_of(args, code_width, half_code, FastCode(code_width, last), error);
  } else {
    quantization_error_of(args, code_width, half_code, ExactCode{code_width, last}, error);
  }
}

}  // namespace torquant
