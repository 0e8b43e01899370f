#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "torquant/graph/program.h"
#include "torquant/lower/grid.h"

// What lowering reads of a quantized layer. Private to onednn*.cpp and runtime*.cpp.
namespace torquant::onednn {

// A convolution or linear layer on integers. Its codes are uint8, its weight int8 with scales along axis 0.
struct Layer {
  Node* node;
  OnGrid input;
  at::Tensor weight;      // int8 [out, in / groups, ...], or [out, in]
  at::Tensor scales;      // float32 [out] or [1]
  at::Tensor bias;        // float32 [out]; undefined where there is none
  size_t image_rank = 0;  // 1 to 3: a convolution's dimensions of space; 0: a linear layer
  // Of a convolution: zeros at both ends of each of these dimensions, with those of a pad in front of it.
  std::vector<int64_t> padding = {};

  bool is_linear() const { return image_rank == 0; }
};

inline constexpr const char* kInputNotQuantized = "its input is not quantized to 8 bits with one scale";

// int8 codes that the program holds, with zero points 0.
struct Weight {
  at::Tensor codes;
  at::Tensor scales;  // float32, one or one for each index of an axis
};
// What is dequantized to `weight`; nothing where it is something else, or has scales along another axis.
std::optional<Weight> read_weight(const Program& program, const Value* weight, int64_t axis);

// The layer that `node` computes, or in `reason` why it has to stay in float. `constants`: those of constant_values().
std::optional<Layer> read_layer(const Program& program, const std::unordered_set<const Value*>& constants, Node* node,
                                std::string& reason);

}  // namespace torquant::onednn
