#include "torquant/lower/onednn_epilogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"

namespace torquant::onednn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Activation {
  std::string name;  // oneDNN's
  std::vector<double> scalars = {};
  std::string algorithm = {};
};

std::optional<Activation> read_activation(const Node& node) {
  const std::string op = node.op().name();
  const auto is = [&](const char* name) { return op == fmt::format("aten.{}.default", name); };
  const auto number = [&](const char* name) { return double_arg(node, name); };
  if (is("relu") || is("relu_")) return Activation{"relu"};
  if (is("relu6")) return Activation{"hardtanh", {0, 6}};
  if (is("hardtanh") || is("hardtanh_")) return Activation{"hardtanh", {number("min_val"), number("max_val")}};
  if (is("hardswish") || is("hardswish_")) return Activation{"hardswish"};
  if (is("silu") || is("silu_")) return Activation{"swish"};
  if (is("leaky_relu") || is("leaky_relu_")) return Activation{"leaky_relu", {number("negative_slope")}};
  if (is("tanh") || is("tanh_")) return Activation{"tanh"};
  if (is("gelu")) return Activation{"gelu", {}, std::get<std::string>(arg_or_default(node, "approximate"))};
  return std::nullopt;
}

// Whether LibTorch's operator takes the activation, behind a sum or without one. Its sources are not shipped: tried on
// 2.13, where those left out raise "Unsupported post op".
bool fuses(const Layer& layer, bool sum, const std::string& activation) {
  if (activation == "relu") return layer.image_rank < 3;
  if (sum) return false;
  const bool of_images = activation == "hardtanh" || activation == "hardswish" || activation == "swish";
  return layer.is_linear() || (layer.image_rank == 2 && of_images);
}

// The numbers that a clamp lets through.
struct Limits {
  double least = -kInfinity, most = kInfinity;
};

// Of an activation that is a clamp.
std::optional<Limits> read_limits(const std::string& activation, const std::vector<double>& scalars) {
  if (activation == "none") return Limits{};
  if (activation == "relu") return Limits{.least = 0};
  if (activation != "hardtanh" || std::isnan(scalars[0]) || std::isnan(scalars[1])) return std::nullopt;
  return Limits{scalars[0], scalars[1]};
}

Grid limited(Grid grid, const Limits& limits) {
  const int64_t least = code_of(limits.least, grid), most = code_of(limits.most, grid);
  grid.min = least;
  grid.max = most;
  return grid;
}

// Codes in a part of uint8 (reduce_range, int8 without -128, a clamp): an activation that can clamp is made to.
void clamp_in_registers(const Layer& layer, Epilogue& epilogue) {
  Grid& grid = *epilogue.output;
  const std::optional<Limits> limits = read_limits(epilogue.activation, epilogue.scalars);
  if (!epilogue.needs_clamp() || !limits || !fuses(layer, epilogue.addend != nullptr, "hardtanh")) return;
  const auto number = [&](int64_t code) { return static_cast<double>(code - grid.zero_point) * grid.scale; };
  epilogue.activation = "hardtanh";
  epilogue.scalars = {std::max(number(grid.min), limits->least), std::min(number(grid.max), limits->most)};
  grid.min = 0;
  grid.max = 255;
}

// `sums` + what this gives, where it is an addition that the layer's operator can take along.
bool read_sum(const Layer& layer, const Node& node, const Value* sums, Epilogue& epilogue) {
  if (node.op() != ops::kAdd || (!layer.is_linear() && layer.image_rank != 2)) return false;
  Value* self = node.input("self");
  Value* other = node.input("other");
  if (self == nullptr || other == nullptr || self == other || double_arg(node, "alpha") != 1) return false;
  Value* addend = self == sums ? other : self;
  if (addend->tensor().dtype != at::kFloat || addend->tensor().sizes != sums->tensor().sizes) return false;
  std::optional<OnGrid> residual = dequantized(addend);
  if (residual && residual->grid.dtype != at::kByte) residual.reset();
  if (!residual && !layer.is_linear()) return false;
  epilogue.addend = addend;
  epilogue.residual = std::move(residual);
  return true;
}

}  // namespace

std::string Epilogue::describe() const {
  std::string text = fmt::format("uint8 → {}", output ? "uint8" : "float32");
  if (addend != nullptr) text += adds_codes() ? ", sum" : ", sum with floats";
  if (activation != "none") text += ", " + activation;
  if (needs_clamp()) text += ", clamp";
  return text;
}

Epilogue read_epilogue(const Layer& layer) {
  Epilogue fused;                // up to the last node that is fused whatever follows
  Epilogue open;                 // with nodes that are fused only if a quantize node follows
  std::optional<Limits> limits;  // of a clamp that is left to the codes
  const Value* value = layer.node->output();
  while (Node* user = sole_reader(value)) {
    if (const std::optional<OnGrid> quantize = read_quantize(user)) {
      if (quantize->grid.dtype != at::kByte) break;
      open.output = limited(quantize->grid, limits.value_or(Limits{}));
      open.nodes.push_back(user);
      clamp_in_registers(layer, open);
      return open;
    }
    if (open.activation != "none" || limits) break;
    if (open.addend == nullptr && read_sum(layer, *user, value, open)) {
      open.nodes.push_back(user);
      if (layer.is_linear()) fused = open;
    } else if (std::optional<Activation> activation = read_activation(*user)) {
      open.nodes.push_back(user);
      if (fuses(layer, open.addend != nullptr, activation->name)) {
        open.activation = std::move(activation->name);
        open.scalars = std::move(activation->scalars);
        open.algorithm = std::move(activation->algorithm);
        if (open.addend == nullptr || layer.is_linear()) fused = open;
      } else {
        limits = read_limits(activation->name, activation->scalars);
        if (!limits) break;
      }
    } else {
      break;
    }
    value = user->output();
  }
  return fused;
}

}  // namespace torquant::onednn
