#include "torquant/lower/runtime_dynamic.h"

#include <ATen/ops/cat.h>

#include <algorithm>
#include <map>
#include <optional>

#include "torquant/core/packed_weights.h"
#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/moving_ops.h"
#include "torquant/lower/onednn_layer.h"
#include "torquant/lower/rotations.h"
#include "torquant/pass/aliasing.h"
#include "torquant/pass/constant_values.h"

namespace torquant::runtime_lowering {
namespace {

struct DynamicLayer {
  Node* node;
  Value* input;           // the reals
  onednn::Weight weight;  // [out, in]
  at::Tensor bias;        // undefined where there is none
};

// x of dequantize_per_token(quantize_per_token(x, *choose_qparams_per_token_asymmetric(x))) on int8; else null.
Value* dynamically_quantized(const Value* value) {
  const Node* dequantize = value == nullptr ? nullptr : value->producer();
  if (dequantize == nullptr || dequantize->op() != ops::kDequantizePerToken || is_written(value)) return nullptr;
  const Node* quantize = dequantize->input("input")->producer();
  if (quantize == nullptr || quantize->op() != ops::kQuantizePerToken) return nullptr;
  for (const char* name : {"scales", "zero_points"}) {
    if (dequantize->input(name) != quantize->input(name)) return nullptr;
  }
  const Node* choose = quantize->input("scales")->producer();
  Value* x = quantize->input("input");
  const bool of_x = choose != nullptr && choose->op() == ops::kChooseQParamsPerTokenAsymmetric &&
                    choose->input("input") == x && quantize->input("zero_points")->producer() == choose;
  const bool whole_range = int_arg(*quantize, "quant_min") == -128 && int_arg(*quantize, "quant_max") == 127;
  return of_x && whole_range && x->tensor().dtype == at::kFloat ? x : nullptr;
}

std::optional<DynamicLayer> read_layer(const Program& program, const std::unordered_set<const Value*>& constants,
                                       Node& node) {
  if (node.op() != ops::kLinear) return std::nullopt;
  Value* input = dynamically_quantized(node.input("input"));
  const std::optional<onednn::Weight> weight =
      input == nullptr ? std::nullopt : onednn::read_weight(program, node.input("weight"), 0);
  const Value* bias = node.input("bias");
  if (!weight || (bias != nullptr && !constants.contains(bias))) return std::nullopt;
  DynamicLayer layer{&node, input, *weight, {}};
  if (layer.weight.scales.numel() == 1) layer.weight.scales = layer.weight.scales.expand({weight->codes.size(0)});
  if (bias != nullptr) layer.bias = evaluate_constant(program, bias).to(at::kFloat);
  return layer;
}

// Whether all that is done to a layer's output is that it moves, or is turned, into attention.
bool goes_into_attention(const Node& layer) {
  const Node* reader = sole_reader(layer.output());
  while (reader != nullptr && ((moves_values(*reader) && reader->op() != ops::kCat) || reader->op() == kRotate))
    reader = sole_reader(reader->output());
  return reader != nullptr && reader->op() == ops::kScaledDotProductAttention;
}

format::DynamicLinear pack(const std::vector<DynamicLayer>& layers, RuntimeModel& memory) {
  std::vector<at::Tensor> codes, scales;
  for (const DynamicLayer& layer : layers) {
    codes.push_back(layer.weight.codes);
    scales.push_back(layer.weight.scales);
  }
  const at::Tensor weight = at::cat(codes).contiguous(), all_scales = at::cat(scales).contiguous();
  const PackedShape shape{.channels = static_cast<size_t>(weight.size(0)),
                          .inputs = static_cast<size_t>(weight.size(1))};
  std::vector<int8_t>& packed = memory.weights.emplace_back(shape.bytes());
  pack_weights(shape, weight.const_data_ptr<int8_t>(), packed.data());
  const size_t padded = shape.panels() * 16;
  std::vector<int32_t>& sums = memory.integers.emplace_back(column_sums(shape, weight.const_data_ptr<int8_t>()));
  sums.resize(padded, 0);
  const float* numbers = all_scales.const_data_ptr<float>();
  std::vector<float>& multiplier = memory.numbers.emplace_back(numbers, numbers + shape.channels);
  multiplier.resize(padded, 0);
  std::vector<float>& offset = memory.numbers.emplace_back();
  for (const DynamicLayer& layer : layers) {
    const auto count = static_cast<size_t>(layer.weight.codes.size(0));
    if (layer.bias.defined()) {
      const float* bias = layer.bias.const_data_ptr<float>();
      offset.insert(offset.end(), bias, bias + count);
    } else {
      offset.resize(offset.size() + count, 0);
    }
  }
  offset.resize(padded, 0);
  return {.input = 0,
          .output = 0,
          .weights = packed,
          .pairs_fit = memory.flags.emplace_back(pairs_fit(shape, packed.data())),
          .column_sum = sums,
          .multiplier = multiplier,
          .offset = offset};
}

void fuse(Program& program, const std::vector<DynamicLayer>& layers, Facts& facts, RuntimeModel& made) {
  Graph& graph = program.graph();
  Node* first = layers[0].node;
  Node* node = graph.insert_before(first, kDynamicLinear, graph.unique_name(first->name() + "_int8"),
                                   {{"input", layers[0].input}});
  for (const auto& [key, text] : first->metadata()) node->set_metadata(key, text);
  std::vector<Dim> sizes = first->output()->tensor().sizes;
  int64_t channels = 0;
  for (const DynamicLayer& layer : layers) channels += layer.weight.codes.size(0);
  sizes.back() = channels;
  Value* output = graph.add_output(node, node->name(), contiguous_meta(at::kFloat, sizes));
  facts.dynamic.emplace(
      node, Facts::Dynamic{pack(layers, made), layers.size() == 1 ? first->output()->name() : output->name()});
  int64_t begin = 0;
  for (const DynamicLayer& layer : layers) {
    Value* part = output;
    const int64_t end = begin + layer.weight.codes.size(0);
    if (layers.size() > 1) {
      static const OpId kSlice{"aten.slice.Tensor"};
      const int64_t dim = static_cast<int64_t>(sizes.size()) - 1;
      Node* slice = graph.insert_before(layer.node, kSlice, graph.unique_name(layer.node->name() + "_part"),
                                        {{"self", output}, {"dim", dim}, {"start", begin}, {"end", end}});
      part = graph.add_output(slice, slice->name(), layer.node->output()->meta());
    }
    graph.replace_all_uses(layer.node->output(), part);
    graph.erase(layer.node);
    begin = end;
  }
}

}  // namespace

void fuse_dynamic_linears(Program& program, Facts& facts, RuntimeModel& made) {
  const std::unordered_set<const Value*> constants = constant_values(program);
  std::vector<std::vector<DynamicLayer>> groups;
  std::map<const Value*, size_t> for_attention;  // the group of an input
  for (Node& node : program.graph()) {
    const std::optional<DynamicLayer> layer = read_layer(program, constants, node);
    if (!layer) continue;
    const auto [group, is_new] = goes_into_attention(node) ? for_attention.try_emplace(layer->input, groups.size())
                                                           : std::pair(for_attention.end(), true);
    if (is_new) {
      groups.push_back({*layer});
    } else {
      groups[group->second].push_back(*layer);
    }
  }
  for (const std::vector<DynamicLayer>& group : groups) fuse(program, group, facts, made);
}

}  // namespace torquant::runtime_lowering
