#include "torquant/pass/canonicalize_linear.h"

#include <optional>

#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"

namespace torquant {
namespace {

const OpId kAddmm{"aten.addmm.default"};
const OpId kMm{"aten.mm.default"};
const OpId kT{"aten.t.default"};
const OpId kTranspose{"aten.transpose.int"};
const OpId kPermute{"aten.permute.default"};
const OpId kExpand{"aten.expand.default"};
const OpId kView{"aten.view.default"};
const OpId kReshape{"aten.reshape.default"};
const OpId kUnsafeView{"aten._unsafe_view.default"};

bool is_reshaping(const Node* node) {
  return node != nullptr && (node->op() == kView || node->op() == kReshape || node->op() == kUnsafeView);
}

bool is_rank(const Value* value, size_t rank) {
  return value != nullptr && value->is_tensor() && value->tensor().rank() == rank;
}

bool keeps_sizes(const Node& view) {
  const Value* before = view.input("self");
  const Value* after = view.output();
  return before != nullptr && after != nullptr && before->is_tensor() && after->is_tensor() &&
         before->tensor().sizes == after->tensor().sizes;
}

// The [out, in] weight whose transpose `value` is; null when it is no transpose of a 2-D parameter.
Value* transposed_weight(const Program& program, const Value* value) {
  const Node* node = value == nullptr ? nullptr : value->producer();
  if (node == nullptr) return nullptr;
  const bool by_axes = node->op() == kTranspose && ((int_arg(*node, "dim0") + int_arg(*node, "dim1") == 1) ||
                                                    (int_arg(*node, "dim0") + int_arg(*node, "dim1") == -3));
  const bool by_order = node->op() == kPermute && ints_arg(*node, "dims") == std::vector<int64_t>{1, 0};
  if (node->op() != kT && !by_axes && !by_order) return nullptr;
  Value* weight = node->input("self");
  return is_rank(weight, 2) && program.tensor_of(weight) != nullptr ? weight : nullptr;
}

// The weight behind a product's right side; through the expand() that a batched product puts in between, and the view()
// of the same sizes that its decomposition puts behind that.
Value* weight_of(const Program& program, const Value* right) {
  const Node* node = right == nullptr ? nullptr : right->producer();
  if (is_reshaping(node) && keeps_sizes(*node)) {
    right = node->input("self");
    node = right->producer();
  }
  if (node != nullptr && node->op() == kExpand && is_rank(node->input("self"), 2)) right = node->input("self");
  return transposed_weight(program, right);
}

bool is_one(const Node& node, const char* name) {
  const Argument* argument = node.find_arg(name);
  if (argument == nullptr) return true;
  if (const auto* integer = std::get_if<int64_t>(argument)) return *integer == 1;
  const auto* real = std::get_if<double>(argument);
  return real != nullptr && *real == 1.0;
}

struct Product {
  Value* input = nullptr;
  Value* weight = nullptr;
  Value* bias = nullptr;
};

// input · weightᵀ + bias, when `node` is one.
std::optional<Product> match_product(const Program& program, const Node& node) {
  Product product;
  if (node.op() == kAddmm) {
    product = {node.input("mat1"), weight_of(program, node.input("mat2")), node.input("self")};
    if (!is_rank(product.bias, 1) || !is_one(node, "alpha") || !is_one(node, "beta")) return std::nullopt;
  } else if (node.op() == kMm || node.op() == ops::kBmm) {
    product = {node.input("self"), weight_of(program, node.input("mat2")), nullptr};
  } else if (node.op() == ops::kMatmul) {
    product = {node.input("self"), weight_of(program, node.input("other")), nullptr};
  }
  if (product.input == nullptr || product.weight == nullptr || !product.input->is_tensor()) return std::nullopt;
  if (product.input->tensor().rank() < 2) return std::nullopt;
  return product;
}

// view(x, [-1, K]) → product → view([..., N]): the reshapes are part of the layer when the outer sizes come back.
Node* surrounding_view(const Node& node, const Product& product, Value*& outer_input) {
  const Node* before = product.input->producer();
  if (!is_reshaping(before) || node.values()[0]->users().size() != 1) return nullptr;
  Node* after = node.values()[0]->users()[0];
  Value* x = before->input("self");
  if (!is_reshaping(after) || x == nullptr || !x->is_tensor() || after->output() == nullptr) return nullptr;
  const std::vector<Dim>& in = x->tensor().sizes;
  const std::vector<Dim>& out = after->output()->tensor().sizes;
  if (in.size() != out.size() || in.empty() || in.back() != product.weight->tensor().sizes[1] ||
      out.back() != product.weight->tensor().sizes[0]) {
    return nullptr;
  }
  for (size_t i = 0; i + 1 < in.size(); ++i) {
    if (!(in[i] == out[i])) return nullptr;
  }
  outer_input = x;
  return after;
}

}  // namespace

bool rewrite_as_linear(Program& program, Node* node) {
  std::optional<Product> product = match_product(program, *node);
  if (!product) return false;
  Graph& graph = program.graph();
  Value* result = node->values()[0];
  if (Node* view = surrounding_view(*node, *product, product->input)) result = view->output();
  const std::string name = graph.unique_name("linear");
  std::vector<NamedArgument> args = {{"input", product->input}, {"weight", product->weight}};
  if (product->bias != nullptr) args.push_back({"bias", product->bias});
  Node* linear = graph.insert_after(result->producer(), ops::kLinear, name, std::move(args));
  linear->metadata() = node->metadata();
  graph.replace_all_uses(result, graph.add_output(linear, name, result->meta()));
  // The old nodes are dead now; remove_dead_nodes takes them with their transposes.
  return true;
}

}  // namespace torquant
