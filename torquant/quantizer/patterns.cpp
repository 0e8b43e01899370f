// Order and conditions: torchao pt2e/quantizer/x86_inductor_quantizer.py, 0.18.
#include "torquant/quantizer/patterns.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>
#include <unordered_map>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/ops.h"
#include "torquant/quantizer/capability.h"
#include "torquant/quantizer/match.h"

namespace torquant::patterns {
namespace {

const OpId kFlatten{"aten.flatten.using_ints"};

// The operand of `add` that is not `value`; where both are, that. Null for a number.
const Value* other_operand(const Node& add, const Value* value) {
  const Value* self = add.input("self");
  const Value* other = add.input("other");
  return self == value ? other : self;
}

// The program's nodes of one operator, in the order in which torchao's matcher lists them on a strict export. It
// decides which of two layers takes the add that both feed. The matcher lists layers by how they were written
// (nn.Conv2d, F.conv2d); of one kind by their parameters, which stand in front of all nodes in order of first use and
// belong to the last node that reads them; layers that are left without one come last.
std::vector<const Node*> in_matching_order(const Program& program, const OpId& op) {
  std::unordered_map<const Node*, size_t> position;
  for (const Node& node : program.graph()) position.emplace(&node, position.size());
  position.emplace(&program.graph().output_node(), position.size());
  const auto position_of = [&](const Node* node) { return position.at(node); };
  struct Entry {
    const Node* node;
    std::string written_as;
    size_t place;
  };
  std::vector<Entry> entries;
  std::unordered_map<std::string, size_t> place_of_kind;
  for (const Node& node : program.graph()) {
    if (node.op() != op) continue;
    const WrittenAs written = written_as(node);
    Entry entry{&node, written.module.empty() ? written.function : written.module,
                position.size() + position.at(&node)};
    for (const char* name : {"weight", "bias"}) {
      const Value* parameter = node.input(name);
      if (parameter == nullptr || parameter->producer() != nullptr) continue;
      const auto [first, last] = std::ranges::minmax(parameter->users() | std::views::transform(position_of));
      if (last == position.at(&node)) entry.place = std::min(entry.place, first);
    }
    const auto [kind, fresh] = place_of_kind.try_emplace(entry.written_as, entry.place);
    if (!fresh) kind->second = std::min(kind->second, entry.place);
    entries.push_back(std::move(entry));
  }
  std::ranges::sort(entries, {}, [&](const Entry& e) { return std::pair(place_of_kind.at(e.written_as), e.place); });
  std::vector<const Node*> nodes;
  for (const Entry& entry : entries) nodes.push_back(entry.node);
  return nodes;
}

bool same_sizes(const Value* a, const Value* b) {
  return a->is_tensor() && b->is_tensor() && a->tensor().sizes == b->tensor().sizes;
}

// Why a layer cannot be quantized dynamically; empty where it can.
std::string dynamic_refusal(const Node& layer) {
  const Value* input = layer.input("input");
  const at::ScalarType dtype = input->is_tensor() ? input->tensor().dtype : at::ScalarType::Undefined;
  if (dtype == at::kFloat || dtype == at::kHalf || dtype == at::kBFloat16) return "";
  return fmt::format("its input %{} is {}: run-time scales are for Float, Half and BFloat16", input->name(),
                     c10::toString(dtype));
}

// Why an operator without a weight, a product, cannot be quantized; empty where it can.
std::string refusal(const Backend& backend, const Node& node) {
  for (const Value* operand : node.inputs()) {
    if (!operand->is_tensor() || !at::isFloatingType(operand->tensor().dtype)) {
      return fmt::format("its operand %{} is no tensor of floats", operand->name());
    }
  }
  if (node.op() != ops::kMul && node.op() != ops::kAdd) return "";
  const bool in_place = written_as(node).function.ends_with(".mul_");
  if (backend.equal_sizes_only && in_place) return "it is written in place, as mul_";
  for (const char* name : {"self", "other"}) {
    if (node.input(name) == nullptr) return fmt::format("its operand {} is a number", name);
  }
  const bool equal = same_sizes(node.input("self"), node.input("other"));
  return backend.equal_sizes_only && !equal ? "its operands have different sizes" : "";
}

}  // namespace

QuantizationConfig make_config(const ConfigArgs& args) {
  constexpr float kEps = 0x1p-12f;
  QuantizationSpec activation{.options = {.dtype = args.activation,
                                          .quant_range = args.activation_range,
                                          .qscheme = QScheme::kPerTensorAffine,
                                          .is_dynamic = args.is_dynamic},
                              .observer = {.type = HistogramSpec{}, .eps = kEps}};
  if (args.is_dynamic) activation.observer.type = PlaceholderSpec{};
  const bool per_channel = is_per_channel(args.weight);
  QuantizationSpec weight{
      .options = {.dtype = DType::kInt8, .quant_range = QuantRange{-128, 127}, .qscheme = args.weight},
      .observer = {.type = MinMaxSpec{}, .eps = kEps}};
  if (per_channel) weight.observer.type = PerChannelMinMaxSpec{};
  if (args.is_qat) {
    // A dynamic scale follows the newest batch alone.
    activation.observer.type = MovingAverageMinMaxSpec{.averaging_constant = args.is_dynamic ? 1 : 0.01};
    activation.observer.fake_quantize = args.is_dynamic ? FakeQuantizeType::kPlain : FakeQuantizeType::kFused;
    weight.observer.type = MovingAverageMinMaxSpec{};
    if (per_channel) weight.observer.type = MovingAveragePerChannelMinMaxSpec{};
    weight.observer.fake_quantize = FakeQuantizeType::kFused;
  }
  return {.input_activation = activation, .output_activation = activation, .weight = weight, .is_qat = args.is_qat};
}

bool Pattern::has_weight() const { return op == ops::kLinear || ops::is_conv(op) || ops::is_conv_transpose(op); }

std::string Pattern::name() const {
  return short_name(op) + (add ? " + add" : "") + (activation == nullptr ? "" : fmt::format(" + {}", activation->name));
}

void Annotator::apply(const Rule& rule) {
  for (const Pattern& pattern : backend_.patterns) {
    if (!takes(rule, pattern.op, pattern.reach)) continue;
    for (const Node* node : in_matching_order(program_, pattern.op)) match(pattern, *node, rule);
  }
  propagate(rule);
}

bool Annotator::takes(const Rule& rule, const OpId& op, Reach reach) const {
  return rule.op ? *rule.op == op : rule.reach >= reach;
}

void Annotator::match(const Pattern& pattern, const Node& node, const Rule& rule) {
  std::vector<const Node*> nodes = {&node};
  const Value* addend = nullptr;
  if (pattern.add) {
    const Node* add = sole_reader(node.output());
    if (add == nullptr || (add->op() != ops::kAdd && add->op() != ops::kAddInPlace)) return;
    addend = other_operand(*add, node.output());
    if (addend == nullptr || (!backend_.equal_sizes_only && !same_sizes(addend, node.output()))) return;
    nodes.push_back(add);
  }
  if (pattern.activation == nullptr) {
    take(pattern, nodes, addend, rule);
    return;
  }
  for (const Node* reader : nodes.back()->output()->users()) {
    if (!is(*reader, *pattern.activation)) continue;
    nodes.push_back(reader);
    if (take(pattern, nodes, addend, rule)) return;
    nodes.pop_back();
  }
}

bool Annotator::take(const Pattern& pattern, const std::vector<const Node*>& nodes, const Value* addend,
                     const Rule& rule) {
  for (const Node* node : nodes) {
    if (annotations_.is_annotated(node) || !rule.selects(*node)) return false;
  }
  if (!rule.config) {
    leave_in_float(nodes, rule);
    return true;
  }
  const Node& heart = *nodes[0];
  if (!pattern.has_weight() && !rule.config->input_activation) return false;
  std::string reason = pattern.has_weight() ? "" : refusal(backend_, heart);
  if (pattern.has_weight() && rule.config->is_dynamic()) reason = dynamic_refusal(heart);
  if (!reason.empty()) {
    annotations_.refuse(&heart, std::move(reason));
    return false;
  }
  QuantizationAnnotation& annotation = annotations_.annotate(&heart);
  if (pattern.has_weight()) {
    set_input(annotation, heart.input("input"), rule.config->input_activation);
    std::optional<QuantizationSpec> weight = rule.config->weight;
    if (weight && ops::is_conv_transpose(heart.op())) weight->options.ch_axis = 1;  // of output channels
    set_input(annotation, heart.input("weight"), weight);
  } else {
    for (const Value* operand : heart.inputs()) set_input(annotation, operand, rule.config->input_activation);
  }
  if (pattern.add && pattern.add_reads_int8) {
    set_input(annotations_.annotate(nodes[1]), addend, rule.config->input_activation);
  }
  for (const Node* node : nodes) annotations_.mark(node);
  quantized_.insert(nodes.back());
  return true;
}

void Annotator::leave_in_float(const std::vector<const Node*>& nodes, const Rule& rule) {
  for (const Node* node : nodes) {
    annotations_.mark(node);
    annotations_.refuse(node, "left in float by " + rule.what);
  }
}

bool Annotator::computes_on_integers(const OpId& op) const {
  return std::ranges::find(backend_.propagated, op) != backend_.propagated.end() ||
         std::ranges::any_of(backend_.patterns, [&](const Pattern& pattern) {
           return pattern.op == op && pattern.reach != Reach::kOperator;
         });
}

void Annotator::propagate(const Rule& rule) {
  for (const Node& node : program_.graph()) {
    if (std::ranges::find(backend_.propagated, node.op()) == backend_.propagated.end()) continue;
    if (!takes(rule, node.op(), Reach::kGlobal) || annotations_.is_annotated(&node) || !rule.selects(node)) continue;
    if (!rule.config) {
      leave_in_float({&node}, rule);
      continue;
    }
    // A flatten that only float operators read gains nothing.
    const std::vector<Node*>& readers = node.output()->users();
    if (node.op() == kFlatten && !readers.empty() &&
        std::ranges::none_of(readers, [&](const Node* reader) { return computes_on_integers(reader->op()); })) {
      continue;
    }
    const std::vector<Value*> inputs = node.inputs();
    const size_t observed = node.op() == ops::kCat ? inputs.size() : 1;  // a pool may read sizes besides
    const auto is_quantized = [&](const Value* input) { return quantized_.contains(input->producer()); };
    if (!std::all_of(inputs.begin(), inputs.begin() + observed, is_quantized) || !rule.config->input_activation)
      continue;
    const SharedQuantizationSpec shared{{inputs[0], &node}};
    QuantizationAnnotation& annotation = annotations_.annotate(&node);
    annotation.set_input(inputs[0], *rule.config->input_activation);
    for (size_t i = 1; i < observed; ++i) annotation.set_input(inputs[i], shared);
    annotation.output_qspec = shared;
    quantized_.insert(&node);
  }
}

void Annotator::explain_the_rest() {
  for (const Node& node : program_.graph()) {
    if (annotations_.is_annotated(&node)) continue;
    std::vector<std::string> names;
    Reach reach = Reach::kOperator;
    for (const Pattern& pattern : backend_.patterns) {
      if (pattern.op != node.op()) continue;
      names.push_back(pattern.name());
      reach = std::min(reach, pattern.reach);
    }
    if (names.empty()) continue;
    annotations_.refuse(&node, reach == Reach::kGlobal
                                   ? fmt::format("{} takes it only as {}", backend_.name, fmt::join(names, ", "))
                                   : fmt::format("{} takes it on request: a rule for the operator", backend_.name));
  }
}

}  // namespace torquant::patterns
