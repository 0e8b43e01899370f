#pragma once

#include <optional>
#include <string>

#include "torquant/lower/onednn_epilogue.h"
#include "torquant/lower/onednn_layer.h"
#include "torquant/lower/runtime.h"

// What lower_to_runtime makes of one quantized layer. Private to runtime*.cpp.
namespace torquant::runtime_lowering {

TensorGrid tensor_grid(const Grid& grid);

// The numbers of a layer, packed as the kernels read them; input, output and residual are left to the caller. In
// `reason` why there is none.
std::optional<format::Layer> pack_layer(const onednn::Layer& layer, const onednn::Epilogue& epilogue,
                                        RuntimeModel& memory, std::string& reason);

}  // namespace torquant::runtime_lowering
