#include "torquant/lower/norm_of_operators.h"

#include <optional>
#include <utility>
#include <vector>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/read_pattern.h"

namespace torquant {
namespace {

using Ints = std::vector<int64_t>;

const OpId kPow{"aten.pow.Tensor_Scalar"}, kMean{"aten.mean.dim"}, kRsqrt{"aten.rsqrt.default"},
    kAddScalar{"aten.add.Scalar"};

// eps of `value` = 1 / √(mean of x² over the last dimension + eps); nothing for another value.
std::optional<double> read_inverse(const Program& program, const Value* value, const Value* x) {
  const Node* rsqrt = maker_of(value, kRsqrt);
  const Node* add = rsqrt == nullptr ? nullptr : maker_of(first_input(*rsqrt));
  if (add == nullptr || (add->op() != ops::kAdd && add->op() != kAddScalar)) return std::nullopt;
  const std::optional<double> eps = constant_number(program, *add->find_arg("other"));
  const Node* mean = maker_of(add->input("self"), kMean);
  if (!eps || mean == nullptr || constant_number(program, arg_or_default(*add, "alpha")) != 1.0) return std::nullopt;
  const auto last = static_cast<int64_t>(x->tensor().rank()) - 1;
  const Ints dims = ints_arg(*mean, "dim");
  if ((dims != Ints{-1} && dims != Ints{last}) || !bool_arg(*mean, "keepdim")) return std::nullopt;
  const Node* square = maker_of(first_input(*mean));
  if (square == nullptr || first_input(*square) != x) return std::nullopt;
  const bool is_power = square->op() == kPow && constant_number(program, *square->find_arg("exponent")) == 2.0;
  const bool is_product = square->op() == ops::kMul && square->input("other") == x;
  return is_power || is_product ? eps : std::nullopt;
}

// The factor of `columns` numbers.
Value* weight_of(const Node& product, int64_t columns) {
  for (const char* name : {"self", "other"}) {
    Value* factor = product.input(name);
    if (factor != nullptr && factor->tensor().sizes == std::vector<Dim>{columns}) return factor;
  }
  return nullptr;
}

}  // namespace

PassResult rewrite_norm_of_operators(Program& program) {
  static const OpId kRmsNorm{"aten.rms_norm.default"};
  PassResult result;
  Graph& graph = program.graph();
  for (Node* product : graph.nodes_snapshot()) {
    if (product->op() != ops::kMul || product->output()->tensor().dtype != at::kFloat) continue;
    Value *x = product->input("self"), *inverse = product->input("other");
    if (x == nullptr || inverse == nullptr) continue;
    std::optional<double> eps = read_inverse(program, inverse, x);
    if (!eps) {
      std::swap(x, inverse);
      eps = read_inverse(program, inverse, x);
    }
    const auto* columns = std::get_if<int64_t>(&x->tensor().sizes.back());
    if (!eps || columns == nullptr) continue;
    std::vector<NamedArgument> args = {{"input", x}, {"normalized_shape", Ints{*columns}}};
    Node* end = product;
    Node* const reader = reader_of(product->output());
    Value* const weight = reader != nullptr && reader->op() == ops::kMul ? weight_of(*reader, *columns) : nullptr;
    if (weight != nullptr) {
      args.push_back({"weight", weight});
      end = reader;
    }
    args.push_back({"eps", *eps});
    Node* node = graph.insert_before(end, kRmsNorm, graph.unique_name(end->name() + "_norm"), std::move(args));
    for (const auto& [key, text] : end->metadata()) node->set_metadata(key, text);
    graph.replace_all_uses(end->output(), graph.add_output(node, node->name(), end->output()->meta()));
    result.changed = true;
  }
  return result;
}

}  // namespace torquant
