#include "torquant/explain/stage_model.h"

#include <algorithm>
#include <map>
#include <utility>

namespace torquant {
namespace {

using format::Model;
using format::ValueIndex;
using format::ValueType;

// Puts nodes of one model into another, whose values have other places.
class Copier {
 public:
  explicit Copier(const Model& whole) : whole_(whole) {
    stage_.model.least_batch = whole.least_batch;
    stage_.model.most_batch = whole.most_batch;
    stage_.model.producer = whole.producer;
    stage_.model.source = whole.source;
  }

  // Codes as an input of reals, with a node that quantizes them to the codes they stand for.
  void take_in(ValueIndex value) {
    stage_.inputs.push_back(value);
    if (whole_.values[value].type != ValueType::kUint8) {
      stage_.model.inputs.push_back(place_of(value));
      return;
    }
    stage_.model.inputs.push_back(add_reals(value));
    stage_.model.nodes.push_back({"in", format::Quantize{stage_.model.inputs.back(), place_of(value)}});
  }

  void take(size_t node) {
    stage_.nodes.push_back(node);
    format::Node copy = whole_.nodes[node];
    std::visit([this](auto& operation) { move(operation); }, copy.operation);
    stage_.model.nodes.push_back(std::move(copy));
  }

  void give_out(ValueIndex value) {
    if (whole_.values[value].type == ValueType::kFloat32) {
      stage_.model.outputs.push_back(place_of(value));
      return;
    }
    stage_.model.outputs.push_back(add_reals(value));
    stage_.model.nodes.push_back({"out", format::Dequantize{place_of(value), stage_.model.outputs.back()}});
  }

  StageModel done() { return std::move(stage_); }

 private:
  ValueIndex place_of(ValueIndex value) {
    const auto [found, is_new] = places_.try_emplace(value, static_cast<ValueIndex>(stage_.model.values.size()));
    if (is_new) stage_.model.values.push_back(whole_.values[value]);
    return found->second;
  }

  ValueIndex add_reals(ValueIndex value) {
    stage_.model.values.push_back(
        {.name = whole_.values[value].name, .type = ValueType::kFloat32, .sizes = whole_.values[value].sizes});
    return static_cast<ValueIndex>(stage_.model.values.size() - 1);
  }

  void move(ValueIndex& value) { value = place_of(value); }
  void move(format::HeadRows& rows) { move(rows.of); }
  void move_if_any(int64_t& value) {
    if (value >= 0) value = place_of(static_cast<ValueIndex>(value));
  }
  void move(format::Attention& attention) {
    for (format::HeadRows* rows : {&attention.query, &attention.key, &attention.value}) move(*rows);
    move_if_any(attention.mask);
    move(attention.output);
  }
  template <class Operation>
  void move(Operation& operation) {
    if constexpr (requires { operation.input; }) {
      move(operation.input);
    } else if constexpr (requires { operation.inputs; }) {
      for (ValueIndex& input : operation.inputs) move(input);
    } else {
      move(operation.a);
      move(operation.b);
    }
    if constexpr (requires { operation.residual; }) move_if_any(operation.residual);
    if constexpr (requires { operation.cos; }) {
      move(operation.cos);
      move(operation.sin);
    }
    move(operation.output);
  }

  const Model& whole_;
  StageModel stage_;
  std::map<ValueIndex, ValueIndex> places_;
};

}  // namespace

StageModel model_of_stage(const Model& whole, size_t node, const std::vector<bool>& known) {
  std::vector<bool> wanted(whole.values.size(), false), read(whole.values.size(), false);
  wanted[output_of(whole.nodes[node].operation)] = true;
  std::vector<size_t> nodes;
  for (size_t i = node + 1; i-- > 0;) {
    if (!wanted[output_of(whole.nodes[i].operation)]) continue;
    nodes.push_back(i);
    for (const ValueIndex input : inputs_of(whole.nodes[i].operation)) (known[input] ? read : wanted)[input] = true;
  }
  std::reverse(nodes.begin(), nodes.end());
  Copier copier(whole);
  for (ValueIndex value = 0; value < whole.values.size(); ++value) {
    if (read[value] && !whole.values[value].is_constant()) copier.take_in(value);
  }
  for (const size_t i : nodes) copier.take(i);
  copier.give_out(output_of(whole.nodes[node].operation));
  return copier.done();
}

StageModel model_that_shows_all(const Model& whole) {
  Copier copier(whole);
  for (const ValueIndex input : whole.inputs) copier.take_in(input);
  for (size_t i = 0; i < whole.nodes.size(); ++i) copier.take(i);
  for (const format::Node& node : whole.nodes) copier.give_out(output_of(node.operation));
  return copier.done();
}

}  // namespace torquant
