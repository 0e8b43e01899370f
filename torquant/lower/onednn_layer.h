#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "torquant/graph/program.h"
#include "torquant/lower/grid.h"

// What the oneDNN lowering reads of a quantized layer and of the nodes behind it. Private to onednn*.cpp.
namespace torquant::onednn {

// A convolution or linear layer on integers. Its codes are uint8, its weight int8 with scales along axis 0.
struct Layer {
  Node* node;
  OnGrid input;
  at::Tensor weight;  // int8 [out, in / groups, ...], or [out, in]
  at::Tensor scales;  // float32 [out] or [1]
  at::Tensor bias;    // float32 [out]; undefined where there is none
  // Of a convolution: rows and columns of zeros at both ends of the image, with those of a pad in front of it.
  std::vector<int64_t> padding;
};

// What is computed on the sums before they leave the registers, in this order: + other, activation, requantization.
struct Epilogue {
  std::optional<OnGrid> other = std::nullopt;  // codes of the residual
  std::string activation = "none";             // a name of oneDNN's post-ops
  std::vector<double> scalars = {};
  std::string algorithm = {};
  std::optional<Grid> output = std::nullopt;  // none: float32
  std::vector<Node*> nodes = {};              // what it replaces behind the layer, in order

  std::string describe() const;
};

// The layer that `node` computes, or in `reason` why it has to stay in float. `constants`: those of constant_values().
std::optional<Layer> read_layer(const Program& program, const std::unordered_set<const Value*>& constants, Node* node,
                                std::string& reason);

Epilogue read_epilogue(const Layer& layer);

}  // namespace torquant::onednn
