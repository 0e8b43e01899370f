#include "torquant/lower/runtime.h"

#include <fmt/format.h>

#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "torquant/core/error.h"
#include "torquant/graph/layers.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/attention_of_products.h"
#include "torquant/lower/clamp_codes.h"
#include "torquant/lower/compute_on_codes.h"
#include "torquant/lower/linear_of_images.h"
#include "torquant/lower/map_codes.h"
#include "torquant/lower/move_codes.h"
#include "torquant/lower/norm_of_operators.h"
#include "torquant/lower/onednn_epilogue.h"
#include "torquant/lower/onednn_layer.h"
#include "torquant/lower/rotations.h"
#include "torquant/lower/runtime_dynamic.h"
#include "torquant/lower/runtime_emit.h"
#include "torquant/lower/runtime_float_layer.h"
#include "torquant/lower/runtime_layer.h"
#include "torquant/lower/runtime_lengths.h"
#include "torquant/lower/transposed_convolutions.h"
#include "torquant/lower/unsigned_activations.h"
#include "torquant/pass/canonicalize.h"
#include "torquant/pass/constant_values.h"
#include "torquant/pass/fix_symbol.h"
#include "torquant/pass/fold_batch_norm.h"
#include "torquant/pass/remove_dead.h"

namespace torquant {
namespace {

using runtime_lowering::emit_model;
using runtime_lowering::kFusedLayer;
using runtime_lowering::tensor_grid;
using runtime_lowering::wants_codes;

class RuntimeLowering {
 public:
  RuntimeLowering(Program program, const std::string& source) : program_(std::move(program)), graph_(program_.graph()) {
    made_.model.producer = "torquant " TORQUANT_VERSION;
    made_.model.source = source;
  }

  RuntimeModel run() {
    drop_assertions();
    canonicalize(program_);
    fold_batch_norm(program_);  // where a program, or a layer of it, is in float
    make_activations_unsigned(program_);
    clamp_codes(program_);
    quantize_before_moving(program_);
    move_codes(program_);
    for (const Refusal& refusal : rewrite_transposed_convolutions(program_).refusals)
      problems_.push_back(refusal.node + ": " + refusal.reason);
    rewrite_linear_of_images(program_);
    rewrite_norm_of_operators(program_);
    rewrite_rotations(program_);
    rewrite_attention_of_products(program_);
    remove_dead_nodes(program_);  // the products: they would be layers
    fuse_dynamic_linears(program_, facts_, made_);
    fuse_float_layers(program_, facts_, made_);
    fuse_layers();
    compute_on_codes(program_);
    remember_grids();
    map_codes(program_);
    move_codes(program_);
    remove_dead_nodes(program_);
    emit_model(program_, facts_, made_, problems_);
    if (!problems_.empty()) refuse();
    if (const Result<void> checked = check_model(made_.model); !checked.ok()) throw Error(checked.error());
    return std::move(made_);
  }

 private:
  // Of types, which are known: to patterns they are readers.
  void drop_assertions() {
    static const OpId kAssertMetadata{"aten._assert_tensor_metadata.default"};
    for (Node* node : graph_.nodes_snapshot()) {
      if (node->op() == kAssertMetadata) graph_.erase(node);
    }
  }

  void fuse_layers() {
    const std::unordered_set<const Value*> constants = constant_values(program_);
    std::vector<Node*> layers;
    for (Node& node : graph_) {
      if (wants_codes(node) && !ops::is_conv_transpose(node.op())) layers.push_back(&node);  // refused by now
    }
    for (Node* node : layers) {
      std::string reason = "the runtime has no kernel for it";
      const bool is_known = node->op() == ops::kLinear || ops::is_conv(node->op());
      const std::optional<onednn::Layer> layer =
          is_known ? onednn::read_layer(program_, constants, node, reason) : std::nullopt;
      if (layer) {
        const onednn::Epilogue epilogue = onednn::read_epilogue(*layer, onednn::Backend::kRuntime);
        if (const std::optional<format::Layer> packed = runtime_lowering::pack_layer(*layer, epilogue, made_, reason)) {
          fuse(*layer, epilogue, *packed);
          continue;
        }
      }
      problems_.push_back(node->describe() + ": " + reason);
    }
  }

  // map_codes() makes tables of quantize nodes: their outputs stay, their scales do not.
  void remember_grids() {
    for (const Node& node : graph_) {
      if (const std::optional<OnGrid> quantize = read_quantize(&node))
        facts_.grids.emplace(node.output(), tensor_grid(quantize->grid));
    }
  }

  void fuse(const onednn::Layer& layer, const onednn::Epilogue& epilogue, const format::Layer& packed) {
    Node* last = epilogue.nodes.empty() ? layer.node : epilogue.nodes.back();
    std::vector<NamedArgument> args = {{"input", layer.input.input}};
    if (epilogue.residual) args.push_back({"residual", epilogue.residual->input});
    Node* node =
        graph_.insert_before(last, kFusedLayer, graph_.unique_name(layer.node->name() + "_int8"), std::move(args));
    for (const auto& [key, text] : layer.node->metadata()) node->set_metadata(key, text);
    const at::ScalarType dtype = epilogue.output ? at::kByte : at::kFloat;
    Value* output = graph_.add_output(node, node->name(), contiguous_meta(dtype, last->output()->tensor().sizes));
    facts_.layers.emplace(
        node, runtime_lowering::Facts::Layer{packed, epilogue.output ? tensor_grid(*epilogue.output) : TensorGrid{},
                                             last->output()->name()});
    graph_.replace_all_uses(last->output(), output);
    for (size_t i = epilogue.nodes.size(); i-- > 0;) graph_.erase(epilogue.nodes[i]);
    graph_.erase(layer.node);
  }

  [[noreturn]] void refuse() {
    std::string all;
    for (const std::string& problem : problems_) all += "\n  " + problem;
    throw Error({.where = "lower to the runtime",
                 .what = fmt::format("{} parts of the program have no place in it:{}", problems_.size(), all),
                 .hint = "quantize with the recipe int8-static, which puts everything on integers"});
  }

  Program program_;
  Graph& graph_;
  RuntimeModel made_;
  runtime_lowering::Facts facts_;
  std::vector<std::string> problems_;
};

}  // namespace

RuntimeModel lower_to_runtime(Program converted, const std::string& source) {
  const std::optional<runtime_lowering::Length> length = runtime_lowering::find_length(converted);
  if (!length) return RuntimeLowering(std::move(converted), source).run();
  return runtime_lowering::lower_for_lengths(*length, [&](int64_t at) {
    Program fixed = converted.clone();
    fix_symbol(fixed, length->symbol, at);
    return RuntimeLowering(std::move(fixed), source).run();
  });
}

}  // namespace torquant
