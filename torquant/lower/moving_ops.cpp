#include "torquant/lower/moving_ops.h"

#include <cmath>
#include <string>
#include <unordered_set>

#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"

namespace torquant {
namespace {

const OpId kDropout{"aten.dropout.default"};
const OpId kPad{"aten.pad.default"};
const OpId kMaxPool2d{"aten.max_pool2d.default"};
// at::max_pool2d compares sizes with the largest value of the dtype, and refuses uint8 images of more than 255 pixels.
const OpId kMaxPool2dOnCodes{"quantized.max_pool2d.default"};

bool pads_with_a_constant(const Node& node) {
  if (node.op() != kPad) return node.op() == kConstantPad;
  const Argument mode = arg_or_default(node, "mode");
  const auto* text = std::get_if<std::string>(&mode);
  return text != nullptr && *text == "constant";
}

bool is_inactive_dropout(const Node& node) { return node.op() == kDropout && !bool_arg(node, "train"); }

// quantized::max_pool2d has no defaults: all arguments are written out.
void set_max_pool_on_codes(Node& node) {
  std::vector<NamedArgument> args = {{"qx", node.input("self")}};
  for (const char* name : {"kernel_size", "stride", "padding", "dilation"}) {
    std::vector<int64_t> values = ints_arg(node, name, 2);
    if (values.empty()) values = ints_arg(node, "kernel_size", 2);  // the stride
    args.push_back({name, std::move(values)});
  }
  args.push_back({"ceil_mode", bool_arg(node, "ceil_mode")});
  node.set_op(kMaxPool2dOnCodes);
  node.set_args(std::move(args));
}

// The number that a pad fills in.
double fill_value(const Node& pad) { return is_none(arg_or_default(pad, "value")) ? 0 : double_arg(pad, "value"); }

}  // namespace

bool moves_values(const Node& node) {
  static const std::unordered_set<OpId> kOps = {
      ops::kCat,
      kMaxPool2d,
      OpId{"aten.clone.default"},
      OpId{"aten.contiguous.default"},
      OpId{"aten.expand.default"},
      OpId{"aten.flatten.using_ints"},
      OpId{"aten.permute.default"},
      OpId{"aten.pixel_shuffle.default"},
      OpId{"aten.reshape.default"},
      OpId{"aten.select.int"},
      OpId{"aten.slice.Tensor"},
      OpId{"aten.squeeze.dim"},
      OpId{"aten.squeeze.dims"},
      OpId{"aten.transpose.int"},
      OpId{"aten.unflatten.int"},
      OpId{"aten.upsample_nearest2d.vec"},
      OpId{"aten.unsqueeze.default"},
      OpId{"aten.view.default"},
  };
  return node.output() != nullptr &&
         (kOps.contains(node.op()) || pads_with_a_constant(node) || is_inactive_dropout(node));
}

bool move_on_codes(Node& node, const Grid& grid) {
  if (node.op() == kMaxPool2d) {
    if (grid.dtype != at::kByte && grid.dtype != at::kChar) return false;
    set_max_pool_on_codes(node);
  } else if (pads_with_a_constant(node)) {
    const double number = fill_value(node);
    if (std::isnan(number)) return false;
    node.set_args({{"self", node.input("self")}, {"pad", *node.find_arg("pad")}, {"value", code_of(number, grid)}});
    node.set_op(kConstantPad);
  }  // the rest has one name for both
  node.output()->tensor().dtype = grid.dtype;
  return true;
}

}  // namespace torquant
