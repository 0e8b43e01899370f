#pragma once

#include <cstdint>
#include <span>

namespace torquant {

// The loops of the histogram observer (docs/semantics.md, O7 to O9). Bits are PyTorch's; the search that drives them is
// in observer/histogram_observer.cpp.

// Adds 1 to counts[trunc((x - left) * bins / (right - left))] for each x, in float32, as torch.histc does (O7); x ==
// right belongs to the last bin. left <= x <= right, and the range times bins is finite; what is not counts at an end.
void count_bins(std::span<const float> x, float left, float right, std::span<int64_t> counts);

// How many parts each bin is cut into when a histogram is laid on a wider range.
inline constexpr int64_t kBinParts = 16;

// Lays a histogram on other bins (O8): each old bin is cut into kBinParts equal parts, and each part falls as a whole
// into the new bin that holds its middle.
//   part_middle [bins * kBinParts], ascending    new_edges [bins + 1], ascending    old_bins, new_bins [bins]
// new_bins is overwritten.
void rebin(std::span<const float> old_bins, std::span<const float> part_middle, std::span<const float> new_edges,
           std::span<float> new_bins);

// The squared error of quantizing what each source bin holds (O9), if the bins start..end are cut into `codes` equal
// steps and the rest is clamped to them.
struct QuantizationErrorArgs {
  std::span<const float> density;  // [bins] mass / float(bin_width)
  double bin_width;                // in units of the data
  int64_t start;                   // first and last bin that keep their values
  int64_t end;
  int64_t codes;  // 2^bits of the storage dtype
};
void quantization_error(const QuantizationErrorArgs& args, std::span<float> error);

}  // namespace torquant
