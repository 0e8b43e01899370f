#include "torquant/lower/grid.h"

#include <algorithm>

#include "torquant/core/rounding.h"
#include "torquant/graph/graph.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/pass/aliasing.h"

namespace torquant {
namespace {

constexpr std::string_view kQuantized = "_quantized";

std::optional<OnGrid> read(const Node& node) {
  const Argument* out_dtype = node.find_arg("out_dtype");
  if (out_dtype != nullptr && !is_none(*out_dtype)) {
    const auto* type = std::get_if<at::ScalarType>(out_dtype);
    if (type == nullptr || *type != at::kFloat) return std::nullopt;
  }
  const Argument dtype = arg_or_default(node, "dtype");
  const auto* type = std::get_if<at::ScalarType>(&dtype);
  Value* input = node.input("input");
  if (type == nullptr || input == nullptr) return std::nullopt;
  return OnGrid{.input = input,
                .grid = {.scale = double_arg(node, "scale"),
                         .zero_point = int_arg(node, "zero_point"),
                         .min = int_arg(node, "quant_min"),
                         .max = int_arg(node, "quant_max"),
                         .dtype = *type}};
}

Value* insert(const OpId& op, const std::string& name, Node* position, Value* input, const Grid& grid,
              at::ScalarType dtype) {
  Graph& graph = position->graph();
  Node* node = graph.insert_before(position, op, graph.unique_name(name),
                                   {{"input", input},
                                    {"scale", grid.scale},
                                    {"zero_point", grid.zero_point},
                                    {"quant_min", grid.min},
                                    {"quant_max", grid.max},
                                    {"dtype", grid.dtype}});
  for (const auto& [key, text] : position->metadata()) node->set_metadata(key, text);
  TensorMeta meta = input->tensor();
  meta.dtype = dtype;
  return graph.add_output(node, node->name(), std::move(meta));
}

}  // namespace

int64_t code_of(double number, const Grid& grid) {
  const float steps = static_cast<float>(number) * static_cast<float>(1.0 / grid.scale);
  const float code = round_half_even(steps) + static_cast<float>(grid.zero_point);
  return static_cast<int64_t>(std::clamp(code, static_cast<float>(grid.min), static_cast<float>(grid.max)));
}

std::optional<OnGrid> read_quantize(const Node* node) {
  if (node == nullptr || node->op() != ops::kQuantizePerTensor) return std::nullopt;
  std::optional<OnGrid> read_node = read(*node);
  return read_node && read_node->input->tensor().dtype == at::kFloat ? read_node : std::nullopt;
}

std::optional<OnGrid> read_dequantize(const Node* node) {
  return node == nullptr || node->op() != ops::kDequantizePerTensor ? std::nullopt : read(*node);
}

std::optional<OnGrid> dequantized(const Value* value) {
  if (value == nullptr) return std::nullopt;
  const std::optional<OnGrid> read_node = read_dequantize(value->producer());
  return read_node && !is_written(value) ? read_node : std::nullopt;
}

Value* insert_quantize(Node* position, Value* numbers, const Grid& grid, const std::string& name) {
  const std::string made = name.empty() ? numbers->name() + std::string(kQuantized) : name;
  return insert(ops::kQuantizePerTensor, made, position, numbers, grid, grid.dtype);
}

Value* insert_dequantize(Node* position, Value* codes, const Grid& grid) {
  return insert(ops::kDequantizePerTensor, "dequantize_per_tensor", position, codes, grid, at::kFloat);
}

std::string_view quantized_numbers(std::string_view codes) {
  const size_t end = codes.rfind(kQuantized);
  if (end == std::string_view::npos) return "";
  const std::string_view rest = codes.substr(end + kQuantized.size());
  const bool is_counted = rest.size() > 1 && rest[0] == '_' && rest.find_first_not_of("0123456789", 1) == rest.npos;
  return rest.empty() || is_counted ? codes.substr(0, end) : "";
}

}  // namespace torquant
