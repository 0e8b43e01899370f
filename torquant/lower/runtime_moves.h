#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>

#include "torquant/format/model.h"
#include "torquant/graph/node.h"

namespace torquant::runtime_lowering {

// Operators that only move the elements of one tensor, worked out on where the elements come from: int64 places in an
// image of some value, in PyTorch's order, as a batch of one.

// The numbers of a value that depends on no input; nothing of another one.
using ConstantOf = std::function<std::optional<at::Tensor>(const Value*)>;

// The places behind what `node` gives, from those behind what it reads. Undefined where it is no such operator, or
// mixes the images of a batch.
at::Tensor move_places(const Node& node, const at::Tensor& places, const ConstantOf& constant_of);

// Sizes and steps that count out `places`; nothing where none do.
std::optional<format::Rearrange> as_rearrange(const at::Tensor& places);

}  // namespace torquant::runtime_lowering
