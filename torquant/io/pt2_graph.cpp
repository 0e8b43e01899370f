// The graph part of the schema: values, nodes, inputs and outputs.
#include <fmt/format.h>

#include "torquant/core/error.h"
#include "torquant/io/pt2_schema.h"

namespace torquant::pt2 {
namespace {

constexpr std::string_view kDispatcherPrefix = "torch.ops.";

// The archive's target without "torch.ops."; Python's own functions (_operator.mul, math.trunc) keep their name.
OpId op_from_target(const std::string& target) {
  if (target.starts_with(kDispatcherPrefix)) return OpId(target.substr(kDispatcherPrefix.size()));
  return OpId(target);
}

std::string target_of(const OpId& op) {
  const bool is_torch_op = op.is_dispatcher_op() || op.name().starts_with("higher_order.");
  return is_torch_op ? std::string(kDispatcherPrefix) + op.name() : op.name();
}

const char* table_of(ScalarKind kind) {
  switch (kind) {
    case ScalarKind::kInt:
      return "sym_int_values";
    case ScalarKind::kFloat:
      return "sym_float_values";
    case ScalarKind::kBool:
      return "sym_bool_values";
  }
  return "";
}

ScalarMeta read_scalar_meta(ScalarKind kind, const Json& json) {
  ScalarMeta meta{.kind = kind, .value = {}, .raw = json.dump()};
  const auto [tag, value] = union_of(json);
  if (kind == ScalarKind::kInt) {
    meta.value = read_dim(json);
  } else if (tag == "as_float") {
    meta.value = to_double(value);
  } else if (tag == "as_bool") {
    meta.value = to_bool(value);
  }
  return meta;
}

Json write_scalar_meta(const ScalarMeta& meta) {
  if (!meta.raw.empty()) return Json::parse(meta.raw);
  if (const auto* dim = std::get_if<Dim>(&meta.value)) return write_dim(*dim);
  if (const auto* number = std::get_if<double>(&meta.value)) return tagged("as_float", from_double(*number));
  if (const auto* flag = std::get_if<bool>(&meta.value)) return tagged("as_bool", *flag);
  return Json::object();
}

// The tables of a graph that say what its values are.
class ValueTables {
 public:
  explicit ValueTables(const Json& graph) : graph_(graph) {}

  ValueMeta tensor(const std::string& name) const {
    return read("tensor_values", name, [](const Json& json) { return read_tensor_meta(json); });
  }
  ValueMeta scalar(ScalarKind kind, const std::string& name) const {
    return read(table_of(kind), name, [&](const Json& json) { return read_scalar_meta(kind, json); });
  }

 private:
  ValueMeta read(const char* table, const std::string& name, const std::function<ValueMeta(const Json&)>& read) const {
    const auto found = graph_.find(table);
    if (found == graph_.end() || !found->is_object() || !found->contains(name)) {
      throw Error({.where = "%" + name, .what = fmt::format("{} has no entry for it", table)});
    }
    try {
      return read((*found)[name]);
    } catch (const Error& error) {
      throw error.within("%" + name);
    }
  }

  const Json& graph_;
};

// "as_sym_int" {"as_name": "n"} → the kind of scalar and its name; nothing for another tag.
std::optional<std::pair<ScalarKind, std::string>> scalar_name(const std::string& tag, const Json& value) {
  if (tag == "as_sym_int") return std::pair(ScalarKind::kInt, string_at(value, "as_name"));
  if (tag == "as_sym_float") return std::pair(ScalarKind::kFloat, string_at(value, "as_name"));
  if (tag == "as_sym_bool") return std::pair(ScalarKind::kBool, string_at(value, "as_name"));
  return std::nullopt;
}

void read_input(Graph& graph, const ValueTables& tables, const Json& json) {
  const auto [tag, value] = union_of(json);
  if (tag == "as_tensor") {
    const std::string name = string_at(value, "name");
    graph.add_input(name, tables.tensor(name));
  } else if (tag == "as_custom_obj") {
    graph.add_input(string_at(value, "name"), ObjectMeta{string_at(value, "class_fqn")});
  } else if (value.is_object() && value.contains("as_name")) {
    const auto scalar = scalar_name(tag, value);
    if (!scalar) throw Error({.where = "", .what = fmt::format("unknown kind of input \"{}\"", tag)});
    graph.add_input(scalar->second, tables.scalar(scalar->first, scalar->second));
  } else {
    graph.add_constant_input(read_argument(json, [](const std::string& name) -> Value* {
      throw Error({.where = "%" + name, .what = "an input cannot refer to another value"});
    }));
  }
}

void read_output(Graph& graph, Node* node, const ValueTables& tables, const Json& json) {
  const auto [tag, value] = union_of(json);
  if (tag == "as_tensor") {
    const std::string name = string_at(value, "name");
    graph.add_output(node, name, tables.tensor(name));
  } else if (tag == "as_tensors") {
    std::vector<std::pair<std::string, ValueMeta>> list;
    for (const Json& item : value) {
      std::string name = string_at(item, "name");
      ValueMeta meta = tables.tensor(name);
      list.emplace_back(std::move(name), std::move(meta));
    }
    graph.add_list_output(node, list);
  } else if (tag == "as_none") {
    graph.add_empty_output(node);
  } else if (tag == "as_optional_tensor" && value.contains("as_none")) {
    graph.add_empty_output(node);
  } else if (tag == "as_optional_tensor") {
    const std::string name = string_at(member(value, "as_tensor"), "name");
    graph.add_output(node, name, tables.tensor(name));
  } else if (tag == "as_custom_obj") {
    graph.add_output(node, string_at(value, "name"), ObjectMeta{string_at(value, "class_fqn")});
  } else if (const auto scalar = scalar_name(tag, value)) {
    graph.add_output(node, scalar->second, tables.scalar(scalar->first, scalar->second));
  } else {
    throw Error({.where = "", .what = fmt::format("unknown kind of output \"{}\"", tag)});
  }
}

// The name of a node in an archive that has none: its first output's.
std::string name_of_first_output(const Json& outputs) {
  for (const Json& output : outputs) {
    const auto [tag, value] = union_of(output);
    if (value.is_object() && value.contains("name")) return string_at(value, "name");
    if (value.is_object() && value.contains("as_name")) return string_at(value, "as_name");
    if (value.is_array() && !value.empty()) return string_at(value[0], "name");
  }
  return "node";
}

void read_node(Graph& graph, const ValueTables& tables, const Json& json, const FindValue& find_value) {
  const Json& outputs = member(json, "outputs");
  std::string name;
  if (json.contains("name") && json["name"].is_string()) name = json["name"].get<std::string>();
  if (name.empty() || graph.find_node(name) != nullptr) {
    const std::string wanted = name.empty() ? name_of_first_output(outputs) : name;
    name = graph.find_node(wanted) == nullptr ? wanted : graph.unique_name(wanted);
  }
  const std::string target = string_at(json, "target");
  try {
    std::vector<NamedArgument> args;
    for (const Json& input : member(json, "inputs")) {
      const bool keyword = input.contains("kind") && input["kind"] == 2;
      args.push_back({string_at(input, "name"), read_argument(member(input, "arg"), find_value), keyword});
    }
    Node* node = graph.append(op_from_target(target), name, std::move(args));
    if (json.contains("metadata") && json["metadata"].is_object()) {
      for (const auto& [key, text] : json["metadata"].items()) {
        if (text.is_string()) node->metadata().emplace_back(key, text.get<std::string>());
      }
    }
    for (const Json& output : outputs) read_output(graph, node, tables, output);
    if (json.contains("is_hop_single_tensor_return") && json["is_hop_single_tensor_return"].is_boolean()) {
      node->single_tensor_return = json["is_hop_single_tensor_return"].get<bool>();
    }
  } catch (const Error& error) {
    throw error.within(fmt::format("node %{} ({})", name, target));
  }
}

Json write_output_group(const OutputGroup& group) {
  if (group.is_list) return write_argument(group.values);
  if (group.values.empty()) return write_argument(std::monostate{});
  return write_argument(group.values[0]);
}

Json write_node(const Node& node) {
  Json json = Json::object();
  json["target"] = target_of(node.op());
  json["inputs"] = Json::array();
  for (const NamedArgument& arg : node.args()) {
    Json input = Json::object();
    input["name"] = arg.name;
    input["arg"] = write_argument(arg.value);
    input["kind"] = arg.keyword ? 2 : 1;
    json["inputs"].push_back(std::move(input));
  }
  json["outputs"] = Json::array();
  for (const OutputGroup& group : node.outputs()) json["outputs"].push_back(write_output_group(group));
  json["metadata"] = Json::object();
  for (const auto& [key, text] : node.metadata()) json["metadata"][key] = text;
  json["is_hop_single_tensor_return"] = node.single_tensor_return ? Json(*node.single_tensor_return) : Json(nullptr);
  json["name"] = node.name();
  return json;
}

}  // namespace

void read_graph_into(Graph& graph, const Json& json) {
  const ValueTables tables(json);
  const FindValue find_value = [&](const std::string& name) {
    if (Value* value = graph.find_value(name)) return value;
    throw Error({.where = "%" + name, .what = "is read before it is defined"});
  };
  for (const Json& input : member(json, "inputs")) read_input(graph, tables, input);
  for (const Json& node : member(json, "nodes")) read_node(graph, tables, node, find_value);
  std::vector<Argument> outputs;
  for (const Json& output : member(json, "outputs")) outputs.push_back(read_argument(output, find_value));
  graph.set_outputs(std::move(outputs));
  graph.is_single_tensor_return = json.contains("is_single_tensor_return") && bool_at(json, "is_single_tensor_return");
}

std::unique_ptr<Graph> read_graph(const Json& json) {
  auto graph = std::make_unique<Graph>();
  read_graph_into(*graph, json);
  return graph;
}

Json write_graph(const Graph& graph) {
  Json json = Json::object();
  json["inputs"] = Json::array();
  json["outputs"] = Json::array();
  json["nodes"] = Json::array();
  for (const char* table :
       {"tensor_values", "sym_int_values", "sym_float_values", "sym_bool_values", "custom_obj_values"}) {
    json[table] = Json::object();
  }
  json["is_single_tensor_return"] = graph.is_single_tensor_return;

  const auto describe = [&](Value* value) {
    if (value->is_tensor()) {
      json["tensor_values"][value->name()] = write_tensor_meta(value->tensor());
    } else if (const auto* scalar = std::get_if<ScalarMeta>(&value->meta())) {
      json[table_of(scalar->kind)][value->name()] = write_scalar_meta(*scalar);
    } else {
      json["custom_obj_values"][value->name()] = write_argument(Argument(value)).front();
    }
  };
  for (const Argument& input : graph.inputs()) {
    json["inputs"].push_back(write_argument(input));
    if (Value* value = value_of(input)) describe(value);
  }
  for (const Node& node : graph) {
    json["nodes"].push_back(write_node(node));
    for (Value* value : node.values()) describe(value);
  }
  for (const Argument& output : graph.outputs()) json["outputs"].push_back(write_argument(output));
  return json;
}

}  // namespace torquant::pt2
