#include "torquant/lower/linear_of_images.h"

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/graph/shape_rules.h"
#include "torquant/lower/clamp_codes.h"
#include "torquant/lower/grid.h"

namespace torquant {
namespace {

using Ints = std::vector<int64_t>;

const OpId kPermute{"aten.permute.default"};

struct InnerLinear {
  Node* node;
  OnGrid input;
  Node* weight;  // dequantizes [out, in]
  const at::Tensor* codes;
  std::vector<Node*> between;  // sums and clamps that are quantized
  Node* quantize = nullptr;    // none: floats are what it gives
};

// The codes that a sum adds to what `numbers` holds; nothing for another node.
std::optional<OnGrid> read_addend(const Node& node, const Value* numbers) {
  if (node.op() != ops::kAdd) return std::nullopt;
  const Value *self = node.input("self"), *other = node.input("other");
  if (self == nullptr || other == nullptr || self == other) return std::nullopt;
  const Value* addend = self == numbers ? other : self;
  if (addend->tensor().sizes != numbers->tensor().sizes) return std::nullopt;
  return dequantized(addend);
}

std::optional<InnerLinear> read(const Program& program, Node* node) {
  const size_t rank = node->output()->tensor().rank();
  const std::optional<OnGrid> input = dequantized(node->input("input"));
  Node* weight = node->input("weight")->producer();
  const Value* stored = weight == nullptr ? nullptr : weight->input("input");
  const at::Tensor* codes = stored == nullptr ? nullptr : program.tensor_of(stored);
  if ((rank != 3 && rank != 4) || !input || codes == nullptr || codes->dim() != 2) return std::nullopt;
  InnerLinear layer{.node = node, .input = *input, .weight = weight, .codes = codes, .between = {}};
  const Value* numbers = node->output();
  for (Node* user = sole_reader(numbers); user != nullptr; user = sole_reader(numbers)) {
    if (read_quantize(user)) {
      layer.quantize = user;
      return layer;
    }
    if (!read_limits(*user) && !read_addend(*user, numbers)) break;
    layer.between.push_back(user);
    numbers = user->output();
  }
  layer.between.clear();
  return layer;
}

class Rewriter {
 public:
  Rewriter(Program& program, const InnerLinear& layer)
      : program_(program), graph_(program.graph()), layer_(layer), rank_(layer.node->output()->tensor().rank()) {}

  void run() {
    std::vector<NamedArgument> args = {{"input", permuted(layer_.input, layer_.node)}, {"weight", weight()}};
    if (Value* bias = layer_.node->input("bias")) args.push_back({"bias", bias});
    const OpId op = rank_ == 3 ? ops::kConv1d : ops::kConv2d;
    Value* images = add(op, layer_.node->name() + "_convolution", std::move(args), layer_.node);
    if (layer_.quantize == nullptr) return give(images, layer_.node);
    const Value* numbers = layer_.node->output();
    for (Node* node : layer_.between) {
      if (const std::optional<OnGrid> addend = read_addend(*node, numbers)) {
        Value* other = node->input("self") == numbers ? node->input("other") : node->input("self");
        node->replace_input(other, permuted(*addend, node));
      }
      numbers = node->output();
    }
    graph_.replace_all_uses(layer_.node->output(), images);
    for (Node* node : layer_.between) node->output()->tensor() = images->tensor();
    graph_.erase(layer_.node);

    const OnGrid output = *read_quantize(layer_.quantize);
    const std::string name = layer_.quantize->output()->name() + "_image";
    give(insert_quantize(layer_.quantize, output.input, output.grid, name), layer_.quantize);
  }

 private:
  Ints channels_first() const { return rank_ == 3 ? Ints{0, 2, 1} : Ints{0, 3, 1, 2}; }
  Ints channels_last() const { return rank_ == 3 ? Ints{0, 2, 1} : Ints{0, 2, 3, 1}; }

  static ValueMeta meta(const Node& node) { return infer(node)->at(0); }

  Value* add(const OpId& op, const std::string& name, std::vector<NamedArgument> args, Node* position) {
    Node* node = graph_.insert_before(position, op, graph_.unique_name(name), std::move(args));
    for (const auto& [key, text] : layer_.node->metadata()) node->set_metadata(key, text);
    return graph_.add_output(node, node->name(), meta(*node));
  }

  // Readers of `end`, which goes, see the images permuted back, under its name.
  void give(Value* images, Node* end) {
    const std::string name = end->output()->name();
    Node* permute = graph_.insert_before(end, kPermute, graph_.unique_name("permute"),
                                         {{"self", images}, {"dims", channels_last()}});
    for (const auto& [key, text] : end->metadata()) permute->set_metadata(key, text);
    graph_.replace_all_uses(end->output(), images, permute);
    graph_.erase(end);
    graph_.replace_all_uses(images, graph_.add_output(permute, name, meta(*permute)), permute);
  }

  // Behind the codes themselves, so that all who want it find one.
  Value* permuted(const OnGrid& numbers, Node* position) {
    Value* codes = nullptr;
    for (const Node* user : numbers.input->users()) {
      if (user->op() == kPermute && ints_arg(*user, "dims") == channels_first()) codes = user->output();
    }
    if (codes == nullptr) {
      Node* made = numbers.input->producer();
      std::vector<NamedArgument> args = {{"self", numbers.input}, {"dims", channels_first()}};
      const std::string name = graph_.unique_name("permute");
      Node* node = made == nullptr ? graph_.insert_before(&*graph_.begin(), kPermute, name, std::move(args))
                                   : graph_.insert_after(made, kPermute, name, std::move(args));
      for (const auto& [key, text] : layer_.node->metadata()) node->set_metadata(key, text);
      codes = graph_.add_output(node, name, meta(*node));
    }
    return insert_dequantize(position, codes, numbers.grid);
  }

  // [out, in] to [out, in, 1] or [out, in, 1, 1].
  Value* weight() {
    at::Tensor codes = layer_.codes->unsqueeze(2);
    if (rank_ == 4) codes = codes.unsqueeze(3);
    Node* node = graph_.insert_before(layer_.node, layer_.weight->op(), graph_.unique_name(layer_.weight->name()),
                                      layer_.weight->args());
    const std::string name = program_.unique_state_name(layer_.node->name() + "_weight");
    node->set_arg("input", program_.add_buffer(name, std::move(codes)));
    return graph_.add_output(node, node->name(), meta(*node));
  }

  Program& program_;
  Graph& graph_;
  const InnerLinear& layer_;
  size_t rank_;
};

}  // namespace

PassResult rewrite_linear_of_images(Program& program) {
  PassResult result;
  std::vector<Node*> linears;
  for (Node& node : program.graph()) {
    if (node.op() == ops::kLinear) linears.push_back(&node);
  }
  for (Node* node : linears) {  // each is erased when it is done, and with it its quantize node
    const std::optional<InnerLinear> layer = read(program, node);
    if (!layer) continue;
    Rewriter(program, *layer).run();
    result.changed = true;
  }
  return result;
}

}  // namespace torquant
