#include "torquant/lower/onednn_epilogue.h"

#include <fmt/format.h>

#include <algorithm>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/clamp_codes.h"
#include "torquant/pass/aliasing.h"

namespace torquant::onednn {
namespace {

struct Activation {
  std::string name;  // oneDNN's
  std::vector<double> scalars = {};
  std::string algorithm = {};
};

std::optional<Activation> read_activation(const Node& node) {
  const std::string op = node.op().name();
  const auto is = [&](const char* name) { return op == fmt::format("aten.{}.default", name); };
  const auto number = [&](const char* name) { return double_arg(node, name); };
  if (ops::is_relu(node.op())) return Activation{"relu"};
  if (const std::optional<Limits> limits = read_limits(node)) {
    return Activation{"hardtanh", {limits->least, limits->most}};
  }
  if (is("hardswish") || is("hardswish_")) return Activation{"hardswish"};
  if (is("silu") || is("silu_")) return Activation{"swish"};
  if (is("leaky_relu") || is("leaky_relu_")) return Activation{"leaky_relu", {number("negative_slope")}};
  if (is("tanh") || is("tanh_")) return Activation{"tanh"};
  if (is("gelu")) return Activation{"gelu", {}, std::get<std::string>(arg_or_default(node, "approximate"))};
  return std::nullopt;
}

// Whether LibTorch's operator takes the activation, behind a sum or without one. Its sources are not shipped: tried on
// 2.13, where those left out raise "Unsupported post op". The runtime has clamps of codes, which are not asked for
// here.
bool fuses(const Layer& layer, Backend backend, bool sum, const std::string& activation) {
  if (backend == Backend::kRuntime) return false;
  if (activation == "relu") return layer.image_rank < 3;
  if (sum) return false;
  const bool of_images = activation == "hardtanh" || activation == "hardswish" || activation == "swish";
  return layer.is_linear() || (layer.image_rank == 2 && of_images);
}

// Codes in a part of uint8 (reduce_range, int8 without -128, a clamp): an activation that can clamp is made to.
void clamp_in_registers(const Layer& layer, Backend backend, Epilogue& epilogue) {
  Grid& grid = *epilogue.output;
  if (!epilogue.needs_clamp() || !fuses(layer, backend, epilogue.addend != nullptr, "hardtanh")) return;
  Limits limits;
  if (epilogue.activation == "relu") {
    limits.least = 0;
  } else if (epilogue.activation == "hardtanh") {
    limits = {epilogue.scalars[0], epilogue.scalars[1]};
  } else if (epilogue.activation != "none") {
    return;
  }
  const auto number = [&](int64_t code) { return static_cast<double>(code - grid.zero_point) * grid.scale; };
  epilogue.activation = "hardtanh";
  epilogue.scalars = {std::max(number(grid.min), limits.least), std::min(number(grid.max), limits.most)};
  grid.min = 0;
  grid.max = 255;
}

// `sums` + what this gives, where it is an addition that the layer's operator can take along.
bool read_sum(const Layer& layer, Backend backend, const Node& node, const Value* sums, Epilogue& epilogue) {
  const bool has_sums = backend == Backend::kRuntime || layer.is_linear() || layer.image_rank == 2;
  if (node.op() != ops::kAdd || !has_sums) return false;
  Value* self = node.input("self");
  Value* other = node.input("other");
  if (self == nullptr || other == nullptr || self == other || double_arg(node, "alpha") != 1) return false;
  Value* addend = self == sums ? other : self;
  if (!addend->is_tensor() || addend->tensor().dtype != at::kFloat || is_written(addend)) return false;
  if (addend->tensor().sizes != sums->tensor().sizes) return false;
  std::optional<OnGrid> residual = dequantized(addend);
  if (residual && residual->grid.dtype != at::kByte) residual.reset();
  if (!residual && (backend == Backend::kRuntime || !layer.is_linear())) return false;
  epilogue.addend = addend;
  epilogue.residual = residual;
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

Epilogue read_epilogue(const Layer& layer, Backend backend) {
  const bool sums_of_floats = backend == Backend::kOneDnn && layer.is_linear();
  Epilogue fused;                // up to the last node that is fused whatever follows
  Epilogue open;                 // with nodes that are fused only if a quantize node follows
  std::optional<Limits> limits;  // of a clamp that is left to the codes
  const Value* value = layer.node->output();
  while (Node* user = sole_reader(value)) {
    if (const std::optional<OnGrid> quantize = read_quantize(user)) {
      if (quantize->grid.dtype != at::kByte) break;
      open.output = limited(quantize->grid, limits.value_or(Limits{}));
      open.nodes.push_back(user);
      clamp_in_registers(layer, backend, open);
      return open;
    }
    if (open.activation != "none" || limits) break;
    if (open.addend == nullptr && read_sum(layer, backend, *user, value, open)) {
      open.nodes.push_back(user);
      if (sums_of_floats) fused = open;
    } else if (std::optional<Activation> activation = read_activation(*user)) {
      open.nodes.push_back(user);
      if (fuses(layer, backend, open.addend != nullptr, activation->name)) {
        open.activation = std::move(activation->name);
        open.scalars = std::move(activation->scalars);
        open.algorithm = std::move(activation->algorithm);
        if (open.addend == nullptr || sums_of_floats) fused = open;
      } else {
        limits = read_limits(*user);
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
