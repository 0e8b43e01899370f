#include "torquant/lower/attention_of_products.h"

#include <optional>
#include <unordered_set>
#include <vector>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/read_pattern.h"

namespace torquant {
namespace {

constexpr double kHidden = -1e9;  // what is at most that hides a key

struct Products {
  Value *query, *keys;  // [N, heads, T, size], [N, heads, size, S]
  double scale = 1;
  Value* mask = nullptr;   // added; or, of bool, true where a key is seen
  bool is_hiding = false;  // of bool, true where it is not
};

bool is_product(const Node* node) {
  return node != nullptr && (node->op() == ops::kMatmul || node->op() == ops::kBmm) &&
         node->output()->tensor().rank() == 4;
}

// value = query keys * scale.
std::optional<Products> read_product(const Program& program, Value* value) {
  static const OpId kMulScalar{"aten.mul.Scalar"}, kDiv{"aten.div.Tensor"}, kDivScalar{"aten.div.Scalar"};
  double scale = 1;
  Node* node = maker_of(value);
  while (node != nullptr && !is_product(node)) {
    const bool multiplies = node->op() == ops::kMul || node->op() == kMulScalar;
    if (!multiplies && node->op() != kDiv && node->op() != kDivScalar) return std::nullopt;
    const std::optional<double> number = constant_number(program, *node->find_arg("other"));
    if (!number || *number == 0) return std::nullopt;
    scale = multiplies ? scale * *number : scale / *number;
    node = maker_of(node->input("self"));
  }
  if (node == nullptr) return std::nullopt;
  Value* const keys = node->op() == ops::kBmm ? node->input("mat2") : node->input("other");
  return Products{.query = node->input("self"), .keys = keys, .scale = scale};
}

// The same, with a mask.
std::optional<Products> read_scores(const Program& program, Value* value) {
  static const OpId kMaskedFill{"aten.masked_fill.Scalar"}, kWhere{"aten.where.self"},
      kWhereScalar{"aten.where.ScalarOther"};
  if (std::optional<Products> plain = read_product(program, value)) return plain;
  const Node* node = maker_of(value);
  if (node == nullptr) return std::nullopt;
  std::optional<Products> found;
  const auto hides = [&](const char* name) {
    const std::optional<double> number = constant_number(program, *node->find_arg(name));
    return number && *number <= kHidden;
  };
  if (node->op() == ops::kAdd && constant_number(program, arg_or_default(*node, "alpha")) == 1.0) {
    for (const bool is_first : {true, false}) {
      Value* mask = node->input(is_first ? "other" : "self");
      if (mask != nullptr) found = read_product(program, node->input(is_first ? "self" : "other"));
      if (!found) continue;
      found->mask = mask;
      break;
    }
  } else if (node->op() == kMaskedFill && hides("value")) {
    found = read_product(program, node->input("self"));
    if (found) found->mask = node->input("mask"), found->is_hiding = true;
  } else if ((node->op() == kWhere || node->op() == kWhereScalar) && hides("other")) {
    found = read_product(program, node->input("self"));
    if (found) found->mask = node->input("condition");
  }
  return found;
}

// What softmax over the last dimension reads.
Value* softmax_input(const Node* node) {
  static const std::unordered_set<OpId> kOps = {OpId{"aten.softmax.int"}, OpId{"aten._softmax.default"}};
  if (node == nullptr || !kOps.contains(node->op())) return nullptr;
  Value* input = first_input(*node);
  const auto rank = static_cast<int64_t>(input->tensor().rank());
  const int64_t dim = int_arg(*node, "dim");
  return (dim == -1 || dim == rank - 1) && node->output()->tensor().dtype == at::kFloat ? input : nullptr;
}

void rewrite(Graph& graph, Node* end, const Products& products, Value* values) {
  const auto add = [&](const char* op, const std::string& name, std::vector<NamedArgument> args, ValueMeta meta) {
    Node* node = graph.insert_before(end, OpId(op), graph.unique_name(name), std::move(args));
    for (const auto& [key, text] : end->metadata()) node->set_metadata(key, text);
    return graph.add_output(node, node->name(), std::move(meta));
  };
  TensorMeta turned = products.keys->tensor();
  std::swap(turned.sizes[2], turned.sizes[3]);
  std::swap(turned.strides[2], turned.strides[3]);
  Value* keys = add("aten.transpose.int", end->name() + "_keys",
                    {{"self", products.keys}, {"dim0", int64_t{-2}}, {"dim1", int64_t{-1}}}, turned);
  std::vector<NamedArgument> args = {{"query", products.query}, {"key", keys}, {"value", values}};
  if (products.mask != nullptr) {
    Value* mask = products.mask;
    if (products.is_hiding)
      mask = add("aten.logical_not.default", end->name() + "_seen", {{"self", mask}}, mask->meta());
    args.push_back({"attn_mask", mask});
  }
  args.push_back({"scale", products.scale});
  Value* output = add("aten.scaled_dot_product_attention.default", end->name() + "_attention", std::move(args),
                      end->output()->meta());
  graph.replace_all_uses(end->output(), output);
}

}  // namespace

PassResult rewrite_attention_of_products(Program& program) {
  PassResult result;
  for (Node* node : program.graph().nodes_snapshot()) {
    if (!is_product(node)) continue;
    Value* const weights = softmax_input(maker_of(node->input("self")));
    const std::optional<Products> products = weights == nullptr ? std::nullopt : read_scores(program, weights);
    if (!products) continue;
    rewrite(program.graph(), node, *products, node->input(node->op() == ops::kBmm ? "mat2" : "other"));
    result.changed = true;
  }
  return result;
}

}  // namespace torquant
