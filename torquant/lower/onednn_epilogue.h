#pragma once

#include <optional>
#include <string>
#include <vector>

#include "torquant/lower/grid.h"
#include "torquant/lower/onednn_layer.h"

// What lowering fuses of the nodes behind a quantized layer. Private to onednn*.cpp and runtime*.cpp.
namespace torquant::onednn {

// What is computed on the sums before they leave the registers, in this order: + addend, activation, requantization.
struct Epilogue {
  Value* addend = nullptr;                        // numbers, of the sizes of the sums
  std::optional<OnGrid> residual = std::nullopt;  // the addend's codes, where it has some
  std::string activation = "none";                // a name of oneDNN's post-ops
  std::vector<double> scalars = {};
  std::string algorithm = {};
  std::optional<Grid> output = std::nullopt;  // none: float32
  std::vector<Node*> nodes = {};              // what it replaces behind the layer, in order

  // oneDNN adds codes only into their own memory, and codes of the sum are to lie there.
  bool adds_codes() const { return residual && output; }
  // Codes are stored from 0 to 255: those outside of the output's range are to be clamped.
  bool needs_clamp() const { return output && (output->min != 0 || output->max != 255); }
  std::string describe() const;
};

enum class Backend { kOneDnn, kRuntime };  // the runtime fuses what it can do on codes alone: sums and clamps

Epilogue read_epilogue(const Layer& layer, Backend backend);

}  // namespace torquant::onednn
