#pragma once

#include "torquant/kernels/lanes/functions.h"
#include "torquant/kernels/windows/windows.h"

// Windows over `R`, the registers of an instruction set (kernels/lanes): some pixels of a row at a time, which share
// the weights that were loaded, one register of channels after the other. What is done with a tap is the `Op`'s:
//   begin(channel)              what a window's result is before its first tap
//   weight(channel, tap)        what all pixels have in common
//   take(result, x, weight)     one more tap
//   end(result, at, count)      what is stored; `at` floats from the output's first one, of which `count` are wanted

namespace torquant {

// The taps of an axis that are inside the image, for the window at `output`.
struct WindowTaps {
  size_t begin, end;
};
template <class R>
TORQUANT_INLINE WindowTaps taps_inside(const WindowsArgs::Axis& axis, size_t output, size_t size) {
  const size_t first = output * axis.stride;  // plus padding
  WindowTaps taps{0, axis.kernel};
  while (taps.begin < taps.end && first + taps.begin * axis.dilation < axis.padding) ++taps.begin;
  while (taps.begin < taps.end && first + (taps.end - 1) * axis.dilation >= axis.padding + size) --taps.end;
  return taps;
}

template <class R>
TORQUANT_INLINE typename R::Floats load_channels(const float* from, size_t count) {
  return count >= R::kLanes ? R::load(from) : R::load_first(from, count);
}

// kPixels windows side by side, all with the same taps.
template <class R, size_t kPixels, class Op>
void windows_tile(const WindowsArgs& args, const Op& op, size_t y, size_t x, WindowTaps rows, WindowTaps columns) {
  using Floats = typename R::Floats;
  const size_t pixel = args.channels, row = args.width * pixel, step = args.columns.stride * pixel;
  const size_t top = y * args.rows.stride + rows.begin * args.rows.dilation - args.rows.padding;
  const size_t left = x * args.columns.stride + columns.begin * args.columns.dilation - args.columns.padding;
  const bool none = rows.begin == rows.end || columns.begin == columns.end;
  const float* first = none ? args.input : args.input + top * row + left * pixel;
  const size_t at = (y * args.output_width + x) * pixel;
  for (size_t channel = 0; channel < args.channels; channel += R::kLanes) {
    const size_t count = args.channels - channel;
    Floats results[kPixels];
#pragma GCC unroll 8
    for (size_t i = 0; i < kPixels; ++i) results[i] = op.begin(channel);
    const float* line = first + channel;
    for (size_t ky = rows.begin; ky < rows.end; ++ky, line += args.rows.dilation * row) {
      const float* from = line;
      for (size_t kx = columns.begin; kx < columns.end; ++kx, from += args.columns.dilation * pixel) {
        const Floats weight = op.weight(channel, ky * args.columns.kernel + kx);
        if (count >= R::kLanes) {
#pragma GCC unroll 8
          for (size_t i = 0; i < kPixels; ++i) results[i] = op.take(results[i], R::load(from + i * step), weight);
        } else {
#pragma GCC unroll 8
          for (size_t i = 0; i < kPixels; ++i)
            results[i] = op.take(results[i], R::load_first(from + i * step, count), weight);
        }
      }
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < kPixels; ++i) {
      float* output = args.output + at + i * pixel + channel;
      const Floats y_i = op.end(results[i], at + i * pixel + channel, count);
      count >= R::kLanes ? R::store(output, y_i) : R::store_first(output, y_i, count);
    }
  }
}

// The same of the first `pixels` pixels, up to kPixels.
template <class R, size_t kPixels, class Op>
void windows_pixels(const WindowsArgs& args, const Op& op, size_t y, size_t x, size_t pixels, WindowTaps rows,
                    WindowTaps columns) {
  if constexpr (kPixels > 1) {
    if (pixels < kPixels) return windows_pixels<R, kPixels - 1>(args, op, y, x, pixels, rows, columns);
  }
  windows_tile<R, kPixels>(args, op, y, x, rows, columns);
}

template <class R, class Op>
void each_window(const WindowsArgs& args, const Op& op) {
  constexpr size_t kPixels = R::kLanes == 1 ? 1 : 8;
  for (size_t y = args.row_begin; y < args.row_end; ++y) {
    const WindowTaps rows = taps_inside<R>(args.rows, y, args.height);
    for (size_t x = 0; x < args.output_width;) {
      const WindowTaps taps = taps_inside<R>(args.columns, x, args.width);
      size_t pixels = 1;  // that have all taps as well
      if (taps.begin == 0 && taps.end == args.columns.kernel) {
        while (pixels < kPixels && x + pixels < args.output_width) {
          if (taps_inside<R>(args.columns, x + pixels, args.width).end != args.columns.kernel) break;
          ++pixels;
        }
      }
      windows_pixels<R, kPixels>(args, op, y, x, pixels, rows, taps);
      x += pixels;
    }
  }
}

template <class R>
struct DepthwiseWindow {
  using Floats = typename R::Floats;
  const WindowsArgs& args;
  size_t taps = args.rows.kernel * args.columns.kernel;
  Floats lo = R::all(args.lo), hi = R::all(args.hi);

  TORQUANT_INLINE Floats begin(size_t channel) const { return R::load(args.bias + channel); }
  TORQUANT_INLINE Floats weight(size_t channel, size_t tap) const {
    return R::load(args.weights + (channel / 16 * taps + tap) * 16 + channel % 16);
  }
  TORQUANT_INLINE Floats take(Floats sum, Floats x, Floats weight) const { return R::fma(x, weight, sum); }
  TORQUANT_INLINE Floats end(Floats sum, size_t at, size_t count) const {
    if (args.residual != nullptr) sum = sum + load_channels<R>(args.residual + at, count);
    return R::min(hi, R::max(lo, sum));
  }
};

template <class R>
struct MaxWindow {
  using Floats = typename R::Floats;

  TORQUANT_INLINE Floats begin(size_t) const { return R::all(-__builtin_inff()); }
  TORQUANT_INLINE Floats weight(size_t, size_t) const { return R::all(0); }
  TORQUANT_INLINE Floats take(Floats most, Floats x, Floats) const { return R::max(most, x); }
  TORQUANT_INLINE Floats end(Floats most, size_t, size_t) const { return most; }
};

template <class R>
struct MeanWindow {
  using Floats = typename R::Floats;
  Floats taps;

  TORQUANT_INLINE Floats begin(size_t) const { return R::all(0); }
  TORQUANT_INLINE Floats weight(size_t, size_t) const { return R::all(0); }
  TORQUANT_INLINE Floats take(Floats sum, Floats x, Floats) const { return sum + x; }
  TORQUANT_INLINE Floats end(Floats sum, size_t, size_t) const { return sum / taps; }
};

template <class R>
void depthwise_windows(const WindowsArgs& args) {
  each_window<R>(args, DepthwiseWindow<R>{args});
}
template <class R>
void max_windows(const WindowsArgs& args) {
  each_window<R>(args, MaxWindow<R>{});
}
template <class R>
void mean_windows(const WindowsArgs& args) {
  each_window<R>(args, MeanWindow<R>{R::all(static_cast<float>(args.rows.kernel * args.columns.kernel))});
}

}  // namespace torquant
