#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "torquant/graph/operator_schema.h"
#include "torquant/graph/shape_rules.h"
#include "torquant/graph/text.h"
#include "torquant/graph/text_grammar.h"

namespace torquant {
namespace text {
namespace {

// ---- printing

std::string typed_value(const Value& value) { return value_text(value.name()) + " : " + to_text(value.meta()); }

std::string results_text(const Node& node) {
  std::vector<std::string> groups;
  for (const OutputGroup& group : node.outputs()) {
    std::vector<std::string> values;
    for (const Value* value : group.values) values.push_back(typed_value(*value));
    const std::string list = fmt::format("{}", fmt::join(values, ", "));
    groups.push_back(group.is_list ? "[" + list + "]" : values.empty() ? "_" : list);
  }
  return groups.empty() ? "" : fmt::format("{} = ", fmt::join(groups, ", "));
}

std::string node_text(const Node& node, const std::string& indent) {
  std::vector<std::string> args;
  for (const NamedArgument& arg : node.args()) {
    const std::string value = argument_text(arg.value, indent);
    args.push_back(arg.name.empty() ? value : name_text(arg.name) + "=" + value);
  }
  std::string line =
      fmt::format("{}{}{}({})", indent, results_text(node), name_text(node.op().name()), fmt::join(args, ", "));
  const std::vector<Value*> values = node.values();
  if (values.empty() || values[0]->name() != node.name()) line += " as " + value_text(node.name());
  if (node.single_tensor_return) line += fmt::format(" single_tensor_return({})", *node.single_tensor_return);
  const std::vector<ModuleScope> scopes = node.module_stack();
  if (!scopes.empty() && !scopes.back().path.empty()) {
    line += " @ " + name_text(scopes.back().path);
    if (!scopes.back().type.empty()) line += fmt::format("({})", name_text(scopes.back().type));
  }
  return line;
}

// ---- reading

struct Result {
  std::string name;
  std::optional<ValueMeta> type;  // nothing: the shape rules tell
};
struct ResultGroup {
  std::vector<Result> results = {};
  bool is_list = false;
};

Result read_result(Reader& reader) {
  Result result{read_value_name(reader.scan), std::nullopt};
  if (reader.scan.take(':')) result.type = read_type(reader);
  return result;
}

// %a : f32[2], _, [%b : f32[2], %c : f32[2]] =
std::vector<ResultGroup> read_results(Reader& reader) {
  Scanner& scan = reader.scan;
  std::vector<ResultGroup> groups;
  do {
    if (scan.take('[')) {
      ResultGroup& group = groups.emplace_back(ResultGroup{.is_list = true});
      scan.items_until(']', [&] { group.results.push_back(read_result(reader)); });
    } else if (scan.take_word("_")) {
      groups.emplace_back();
    } else if (scan.peek() == '%') {
      groups.push_back({.results = {read_result(reader)}});
    } else {
      break;  // an operator
    }
  } while (scan.take(','));
  if (!groups.empty()) scan.expect('=');
  return groups;
}

// (x=%x, %y, "odd name"=3): without a name it is that of the schema, "" for what is no dispatcher operator.
std::vector<NamedArgument> read_arguments(const OpId& op, Reader& reader, Graph& graph) {
  Scanner& scan = reader.scan;
  std::vector<NamedArgument> args;
  scan.expect('(');
  scan.items_until(')', [&] {
    const size_t at = scan.position();
    std::string name = scan.at_name() ? scan.name() : "";
    if (name.empty() || !scan.take('=')) {
      scan.back_to(at);
      name = schema_arg_name(op, args.size());
    }
    Argument value = read_argument(reader, graph);
    args.push_back({name, std::move(value), is_keyword_only(op, name)});
  });
  return args;
}

// nn_module_stack, as archives have it: "key,path,type" of each module around the node, outermost first.
std::string module_stack(const std::string& path, const std::string& type) {
  std::string stack = "L__self__,,";
  for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1)) {
    stack += fmt::format(";L__self__.{0},{0},", path.substr(0, dot));
  }
  return fmt::format("{};L__self__.{},{},{}", stack, path, path, type);
}

// single_tensor_return(true) @ module(type)
void read_suffixes(Scanner& scan, Node& node) {
  if (scan.take_word("single_tensor_return")) {
    scan.expect('(');
    node.single_tensor_return = scan.boolean();
    scan.expect(')');
  }
  if (!scan.take('@')) return;
  const std::string path = scan.name();
  std::string type;
  if (scan.take('(')) {
    type = scan.name();
    scan.expect(')');
  }
  node.set_metadata("nn_module_stack", module_stack(path, type));
}

// Gives the types that the text leaves out.
void infer_types(const Node& node, std::vector<ResultGroup>& groups) {
  std::vector<Result*> all;
  for (ResultGroup& group : groups) {
    for (Result& result : group.results) all.push_back(&result);
  }
  if (std::all_of(all.begin(), all.end(), [](const Result* result) { return result->type.has_value(); })) return;
  const auto inferred = infer(node);
  if (!inferred || inferred->size() != all.size()) {
    throw Error(
        {.where = node.describe(),
         .what = inferred ? fmt::format("{} results, not {}", inferred->size(), all.size()) : "has no shape rule",
         .allowed = "results with their types: %x : f32[2, 3]"});
  }
  for (size_t i = 0; i < all.size(); ++i) {
    if (!all[i]->type) all[i]->type = (*inferred)[i];
  }
}

void read_node(Reader& reader, Graph& graph) {
  Scanner& scan = reader.scan;
  std::vector<ResultGroup> groups = read_results(reader);
  const OpId op(scan.name());
  if (op.name().find('.') == std::string::npos) {
    scan.fail(fmt::format("'{}' is no operator", op.name()), "aten.relu.default");
  }
  std::vector<NamedArgument> args = read_arguments(op, reader, graph);
  std::string name;  // of the first result, unless `as` tells
  for (const ResultGroup& group : groups) {
    if (name.empty() && !group.results.empty()) name = group.results[0].name;
  }
  if (scan.take_word("as")) name = read_value_name(scan);
  if (name.empty()) name = graph.unique_name("node");
  Node* node = graph.append(op, std::move(name), std::move(args));
  read_suffixes(scan, *node);

  infer_types(*node, groups);
  for (const ResultGroup& group : groups) {
    std::vector<std::pair<std::string, ValueMeta>> values;
    for (const Result& result : group.results) values.emplace_back(result.name, *result.type);
    if (group.is_list) {
      graph.add_list_output(node, values);
    } else if (values.empty()) {
      graph.add_empty_output(node);
    } else {
      graph.add_output(node, values[0].first, values[0].second);
    }
  }
}

bool at_return(Scanner& scan) {
  const size_t at = scan.position();
  const bool found = scan.take_word("return");
  scan.back_to(at);
  return found;
}

}  // namespace

std::string input_text(const Argument& input, const std::string& indent) {
  const Value* value = value_of(input);
  return value == nullptr ? argument_text(input, indent) : typed_value(*value);
}

std::string nodes_text(const Graph& graph, const std::string& indent) {
  std::string lines;
  for (const Node& node : graph) lines += node_text(node, indent) + "\n";
  return lines;
}

std::string subgraph_text(const SubgraphArgument& subgraph, const std::string& indent) {
  const Graph& graph = *subgraph.graph;
  const std::string inner = indent + "  ";
  std::string text = fmt::format("graph {} {{\n", in_quotes(subgraph.name));
  for (const Argument& input : graph.inputs()) text += fmt::format("{}input {}\n", inner, input_text(input, inner));
  std::vector<std::string> outputs;
  for (const Argument& output : graph.outputs()) outputs.push_back(argument_text(output, inner));
  return text + nodes_text(graph, inner) +
         fmt::format("{}return{}{}{}\n{}}}", inner, graph.is_single_tensor_return ? " single" : "",
                     outputs.empty() ? "" : " ", fmt::join(outputs, ", "), indent);
}

Value* read_input(Reader& reader, Graph& graph) {
  if (reader.scan.peek() != '%') {
    graph.add_constant_input(read_argument(reader, graph));
    return nullptr;
  }
  const size_t at = reader.scan.position();
  std::string name = read_value_name(reader.scan);
  reader.scan.expect(':');
  return at_position(reader.scan, at, [&] { return graph.add_input(std::move(name), read_type(reader)); });
}

void read_nodes(Reader& reader, Graph& graph) {
  while (!reader.scan.at_end() && !at_return(reader.scan)) {
    at_position(reader.scan, reader.scan.position(), [&] { read_node(reader, graph); });
  }
}

void read_return(Scanner& scan) {
  if (!scan.take_word("return")) scan.fail("expected a node or 'return', found " + scan.found());
}

SubgraphArgument read_subgraph(Reader& reader) {
  Scanner& scan = reader.scan;
  SubgraphArgument argument{scan.quoted(), std::make_shared<Graph>()};
  Graph& graph = *argument.graph;
  scan.expect('{');
  while (scan.take_word("input")) read_input(reader, graph);
  read_nodes(reader, graph);
  read_return(scan);
  graph.is_single_tensor_return = scan.take_word("single");
  std::vector<Argument> outputs;
  scan.items_until('}', [&] { outputs.push_back(read_argument(reader, graph)); });
  graph.set_outputs(std::move(outputs));
  return argument;
}

}  // namespace text

std::string to_text(const Node& node) { return text::node_text(node, ""); }

}  // namespace torquant
