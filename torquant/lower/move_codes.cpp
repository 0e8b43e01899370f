#include "torquant/lower/move_codes.h"

#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/grid.h"

namespace torquant {
namespace {

const OpId kMaxPool2d{"aten.max_pool2d.default"};
// at::max_pool2d compares sizes with the largest value of the dtype, and refuses uint8 images of more than 255 pixels.
const OpId kMaxPool2dOnCodes{"quantized.max_pool2d.default"};

bool moves_values(const OpId& op) {
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
      OpId{"aten.unsqueeze.default"},
      OpId{"aten.view.default"},
  };
  return kOps.contains(op);
}

// The codes behind every tensor that `node` reads; empty where one of them is not on `grid`.
std::unordered_map<Value*, Value*> codes_behind(const Node& node, const Grid& grid) {
  std::unordered_map<Value*, Value*> codes;
  for (Value* input : node.inputs()) {
    if (!input->is_tensor()) continue;  // a computed size
    const std::optional<OnGrid> read = dequantized(input);
    if (!read || read->grid != grid) return {};
    codes.emplace(input, read->input);
  }
  return codes;
}

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

}  // namespace

PassResult move_codes(Program& program) {
  PassResult result;
  Graph& graph = program.graph();
  std::vector<Node*> candidates;  // the quantize nodes behind them are erased on the way
  for (Node& node : graph) {
    if (moves_values(node.op()) && node.output() != nullptr) candidates.push_back(&node);
  }
  for (Node* node : candidates) {
    Node* user = sole_reader(node->output());
    const std::optional<OnGrid> quantize = read_quantize(user);
    if (!quantize) continue;
    const at::ScalarType dtype = quantize->grid.dtype;
    if (node->op() == kMaxPool2d && dtype != at::kByte && dtype != at::kChar) continue;  // it has no other kernels
    const std::unordered_map<Value*, Value*> codes = codes_behind(*node, quantize->grid);
    if (codes.empty()) continue;
    for (const auto& [numbers, code] : codes) node->replace_input(numbers, code);
    node->output()->tensor().dtype = dtype;
    if (node->op() == kMaxPool2d) set_max_pool_on_codes(*node);
    graph.replace_all_uses(user->output(), node->output());
    graph.erase(user);
    result.changed = true;
  }
  return result;
}

}  // namespace torquant
