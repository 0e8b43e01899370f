#pragma once

#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "torquant/quantizer/activation.h"
#include "torquant/quantizer/annotation.h"
#include "torquant/quantizer/node_filter.h"
#include "torquant/quantizer/quantization_config.h"

// What the quantizers for Inductor's CPU backends and Torquant's own have in common: a table that says what a backend
// computes on integers, and one annotator that works through it.
namespace torquant::patterns {

// The widest rule that takes a pattern.
enum class Reach : uint8_t {
  kGlobal,    // set_global, and all below
  kModule,    // a rule for a module around it
  kOperator,  // only a rule that names the operator
};

// An operator with what is computed together with it: `op [+ add] [+ activation]`.
struct Pattern {
  OpId op;  // its heart
  Reach reach = Reach::kGlobal;
  bool add = false;
  bool add_reads_int8 = false;             // the other operand of the add is quantized; else it stays in float
  const Activation* activation = nullptr;  // owned by activation.h

  std::string name() const;  // "conv2d + add + relu"
  bool has_weight() const;   // a layer; else a product of activations
};

struct Backend {
  std::string name;               // of the quantizer
  std::vector<Pattern> patterns;  // in the order in which they are tried
  // Operators that run on integers when what they read was computed on integers, and keep its scale.
  std::vector<OpId> propagated;
  // What set_function_type_qconfig and set_module_type_qconfig may name: "torch.matmul", "Conv2d".
  std::vector<std::pair<std::string, OpId>> functions;
  std::vector<std::pair<std::string, OpId>> modules;
  std::vector<QuantizationConfig> configs;  // those that its kernels are for
  // As torchao: sums and products of different sizes, and products written in place (mul_), stay in float. Else they
  // are taken, and an addend of other sizes is not fused with a layer.
  bool equal_sizes_only = true;
};

struct ConfigArgs {
  DType activation;
  QuantRange activation_range;
  QScheme weight;  // of int8 [-128, 127], per tensor or per channel
  bool is_qat;
  bool is_dynamic;
};
// The configuration that torchao's get_default_…_inductor_quantization_config gives.
QuantizationConfig make_config(const ConfigArgs& args);

// One set_… call, put to work on a program.
struct Rule {
  std::string what;                                 // for reasons: "set_module_name_qconfig(head)"
  const std::optional<QuantizationConfig>& config;  // nothing: what matches stays in float
  Reach reach;
  std::optional<OpId> op = std::nullopt;  // kOperator: this one alone
  NodeFilter selects;                     // every node of a match
};

// Annotates one program, rule by rule: what an earlier rule took, a later one leaves alone.
//
// A layer's input and weight are observed; what a pattern computes is not, because it is observed where an operator
// with integer kernels reads it.
class Annotator {
 public:
  Annotator(const Backend& backend, const Program& program, Annotations& annotations)
      : backend_(backend), program_(program), annotations_(annotations) {}

  void apply(const Rule& rule);
  // Notes why operators that the backend knows were left out.
  void explain_the_rest();

 private:
  bool takes(const Rule& rule, const OpId& op, Reach reach) const;
  void match(const Pattern& pattern, const Node& node, const Rule& rule);
  // `nodes`: the match, from its heart on; `addend`: what the add of it reads besides. False where the rule does not
  // select all of it, or part of it is taken.
  bool take(const Pattern& pattern, const std::vector<const Node*>& nodes, const Value* addend, const Rule& rule);
  void leave_in_float(const std::vector<const Node*>& nodes, const Rule& rule);
  void propagate(const Rule& rule);
  bool computes_on_integers(const OpId& op) const;

  const Backend& backend_;
  const Program& program_;
  Annotations& annotations_;
  std::unordered_set<const Node*> quantized_;  // the last nodes of patterns that were taken
};

}  // namespace torquant::patterns
