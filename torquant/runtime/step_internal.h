#pragma once

#include <algorithm>
#include <cstring>

#include "torquant/kernels/attention/attention.h"
#include "torquant/runtime/step.h"

namespace torquant::runtime {

// What each kind of node needs to become a step.
struct StepMaker {
  const format::Model& model;
  const MemoryPlan& plan;
  CpuIsa isa;

  const Place& place(format::ValueIndex value) const { return plan.places[value]; }
  // Of all images.
  size_t elements_of(format::ValueIndex value) const {
    return place(value).batch * place(value).channels * place(value).pixels();
  }
  const TensorGrid& grid(format::ValueIndex value) const { return model.values[value].grid; }
  bool is_float(format::ValueIndex value) const { return model.values[value].type == format::ValueType::kFloat32; }
};

struct MadeStep {
  std::unique_ptr<Step> step;
  std::string kernel;
};

template <class Made, class Node>
MadeStep made(const StepMaker& maker, const Node& node) {
  auto step = std::make_unique<Made>(maker, node);
  std::string kernel = step->kernel_name();
  return {std::move(step), std::move(kernel)};
}

MadeStep make_layer_step(const StepMaker& maker, const format::Layer& layer);
MadeStep make_depthwise_step(const StepMaker& maker, const format::Layer& layer);
// pool_step.cpp
MadeStep make_step(const StepMaker& maker, const format::MaxPool& node);
MadeStep make_step(const StepMaker& maker, const format::GlobalAveragePool& node);
MadeStep make_step(const StepMaker& maker, const format::AveragePool& node);
// elementwise_step.cpp
MadeStep make_step(const StepMaker& maker, const format::Add& node);
MadeStep make_step(const StepMaker& maker, const format::Multiply& node);
MadeStep make_step(const StepMaker& maker, const format::MapCodes& node);
// move_step.cpp
MadeStep make_step(const StepMaker& maker, const format::Flatten& node);
MadeStep make_step(const StepMaker& maker, const format::Concat& node);
MadeStep make_step(const StepMaker& maker, const format::Rearrange& node);
// float_step.cpp
MadeStep make_step(const StepMaker& maker, const format::FloatMap& node);
MadeStep make_step(const StepMaker& maker, const format::FloatBinary& node);
MadeStep make_step(const StepMaker& maker, const format::FloatMean& node);
MadeStep make_float_step(const StepMaker& maker, const format::Concat& node);
MadeStep make_float_step(const StepMaker& maker, const format::Rearrange& node);
// embedding_step.cpp
MadeStep make_step(const StepMaker& maker, const format::FromIntegers& node);
MadeStep make_step(const StepMaker& maker, const format::Embedding& node);
// rows_step.cpp
MadeStep make_step(const StepMaker& maker, const format::Normalize& node);
MadeStep make_step(const StepMaker& maker, const format::DynamicLinear& node);
MadeStep make_step(const StepMaker& maker, const format::Rotate& node);
// float_layer_step.cpp
MadeStep make_step(const StepMaker& maker, const format::FloatLayer& node);
// float_windows_step.cpp
MadeStep make_depthwise_step(const StepMaker& maker, const format::FloatLayer& node);
MadeStep make_step(const StepMaker& maker, const format::FloatPool& node);
// attention_step.cpp
MadeStep make_step(const StepMaker& maker, const format::Attention& node);
// float_attention_step.cpp
MadeStep make_float_step(const StepMaker& maker, const format::Attention& node);
// Floats from one image, head and query of the node's mask to the next one: 0 where the mask repeats itself.
AttentionSteps mask_steps(const StepMaker& maker, const format::Attention& node);
// softmax_step.cpp
MadeStep make_step(const StepMaker& maker, const format::Softmax& node);

// Which elements of an input image the `count` elements of an output image are, in PyTorch's order.
std::vector<uint32_t> rearranged_elements(const format::Rearrange& node, size_t count);

// Writes the zero point into the border of each image. Rows are shared among threads as those of the image are.
inline void fill_border(const Place& place, uint8_t* arena, uint8_t zero_point, size_t part, size_t parts) {
  if (!place.has_border()) return;
  const size_t rows = place.top + place.height + place.bottom;
  for (size_t plane = 0; plane < place.all_planes(); ++plane) {
    const size_t z = plane % (place.front + place.depth + place.back);
    const bool is_border = z < place.front || z >= place.front + place.depth;
    uint8_t* codes = arena + place.begin + plane * place.plane_bytes;
    for (size_t y = rows * part / parts; y < rows * (part + 1) / parts; ++y) {
      uint8_t* row = codes + y * place.row_bytes;
      if (is_border || y < place.top || y >= place.top + place.height) {
        std::memset(row, zero_point, place.row_bytes);
      } else {
        std::memset(row, zero_point, place.left * place.pixel_bytes);
        std::memset(row + (place.left + place.width) * place.pixel_bytes, zero_point, place.right * place.pixel_bytes);
      }
    }
  }
}

}  // namespace torquant::runtime
