#include "torquant/graph/graph.h"

namespace torquant {
namespace {

Argument translate(const Argument& argument, const std::unordered_map<const Value*, Value*>& values) {
  Argument result = argument;
  for_each_value(result, [&](Value*& value) { value = values.at(value); });
  if (auto* subgraph = std::get_if<SubgraphArgument>(&result)) subgraph->graph = clone_graph(*subgraph->graph);
  return result;
}

}  // namespace

Node* copy_node(const Node& node, Graph& target, std::unordered_map<const Value*, Value*>& values) {
  std::vector<NamedArgument> args;
  for (const NamedArgument& arg : node.args()) args.push_back({arg.name, translate(arg.value, values), arg.keyword});
  Node* twin = target.append(node.op(), node.name(), std::move(args));
  twin->metadata() = node.metadata();
  twin->single_tensor_return = node.single_tensor_return;
  for (const OutputGroup& group : node.outputs()) {
    if (group.is_list) {
      std::vector<std::pair<std::string, ValueMeta>> list;
      for (const Value* value : group.values) list.emplace_back(value->name(), value->meta());
      target.add_list_output(twin, list);
      const std::vector<Value*>& twins = twin->outputs().back().values;
      for (size_t i = 0; i < twins.size(); ++i) values[group.values[i]] = twins[i];
    } else if (group.values.empty()) {
      target.add_empty_output(twin);
    } else {
      values[group.values[0]] = target.add_output(twin, group.values[0]->name(), group.values[0]->meta());
    }
  }
  return twin;
}

std::unique_ptr<Graph> clone_graph(const Graph& graph) {
  auto copy = std::make_unique<Graph>();
  std::unordered_map<const Value*, Value*> values;
  for (const Argument& input : graph.inputs()) {
    if (const Value* value = value_of(input)) {
      values[value] = copy->add_input(value->name(), value->meta());
    } else {
      copy->add_constant_input(input);
    }
  }
  for (const Node& node : graph) copy_node(node, *copy, values);
  std::vector<Argument> outputs;
  for (const Argument& output : graph.outputs()) outputs.push_back(translate(output, values));
  copy->set_outputs(std::move(outputs));
  copy->is_single_tensor_return = graph.is_single_tensor_return;
  return copy;
}

}  // namespace torquant
