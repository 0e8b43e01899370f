#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include "torquant/graph/text.h"
#include "torquant/graph/text_names.h"

namespace torquant {
namespace {

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string name_text(std::string_view name) { return text::is_bare(name) ? std::string(name) : quoted(name); }
std::string value_text(std::string_view name) { return "%" + name_text(name); }

// A float never looks like an integer.
std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string digits = fmt::format("{}", value);
  if (digits.find_first_of(".e") == std::string::npos) digits += ".0";
  return digits;
}

std::string dims_text(const std::vector<Dim>& dims) {
  std::vector<std::string> texts;
  for (const Dim& dim : dims) texts.push_back(to_string(dim));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

std::string type_text(const ValueMeta& meta) {
  if (const auto* tensor = std::get_if<TensorMeta>(&meta)) {
    std::string_view dtype = "?";
    for (const text::DTypeWord& row : text::kDTypes) {
      if (row.value == tensor->dtype) dtype = row.abbreviation;
    }
    std::string result = fmt::format("{}{}", dtype, dims_text(tensor->sizes));
    if (tensor->strides != contiguous_meta(tensor->dtype, tensor->sizes).strides) {
      result += " strides " + dims_text(tensor->strides);
    }
    if (tensor->storage_offset != Dim(0)) result += fmt::format(" offset [{}]", to_string(tensor->storage_offset));
    if (tensor->layout != at::kStrided)
      result += fmt::format(" layout {}", text::word_of(text::kLayouts, tensor->layout));
    if (tensor->device != at::kCPU) result += fmt::format(" device {}", quoted(tensor->device.str()));
    return result;
  }
  if (const auto* scalar = std::get_if<ScalarMeta>(&meta)) {
    const std::string kind(text::word_of(text::kScalarKinds, scalar->kind));
    if (const auto* dim = std::get_if<Dim>(&scalar->value)) return fmt::format("{}({})", kind, to_string(*dim));
    if (const auto* number = std::get_if<double>(&scalar->value))
      return fmt::format("{}({})", kind, float_text(*number));
    if (const auto* flag = std::get_if<bool>(&scalar->value)) return fmt::format("{}({})", kind, *flag);
    return scalar->raw.empty() ? kind : fmt::format("{}({})", kind, quoted(scalar->raw));
  }
  return fmt::format("object({})", quoted(std::get<ObjectMeta>(meta).class_fqn));
}

std::string typed_value(const Value& value) { return value_text(value.name()) + " : " + type_text(value.meta()); }

void print_graph(const Graph& graph, const std::string& indent, std::string& out);

// Prints an argument; the lines of a subgraph are indented by `indent`.
class ArgumentPrinter {
 public:
  explicit ArgumentPrinter(std::string indent) : indent_(std::move(indent)) {}

  std::string print(const Argument& argument) const { return std::visit(*this, argument); }

  std::string operator()(std::monostate) const { return "none"; }
  std::string operator()(const Value* value) const { return value == nullptr ? "none" : value_text(value->name()); }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return float_text(value); }
  std::string operator()(const std::string& value) const { return quoted(value); }
  std::string operator()(at::ScalarType value) const {
    for (const text::DTypeWord& row : text::kDTypes) {
      if (row.value == value) return std::string(row.name);
    }
    return "?";
  }
  std::string operator()(at::Layout value) const { return std::string(text::word_of(text::kLayouts, value)); }
  std::string operator()(at::MemoryFormat value) const {
    return std::string(text::word_of(text::kMemoryFormats, value));
  }
  std::string operator()(const at::Device& value) const { return fmt::format("device({})", quoted(value.str())); }
  std::string operator()(const std::vector<int64_t>& values) const { return list("", values); }
  std::string operator()(const std::vector<double>& values) const {
    return list(values.empty() ? text::kFloats : "", values);
  }
  std::string operator()(const std::vector<bool>& values) const {
    return list(values.empty() ? text::kBools : "", values);
  }
  std::string operator()(const std::vector<std::string>& values) const {
    return list(values.empty() ? text::kStrings : "", values);
  }
  std::string operator()(const std::vector<Value*>& values) const {
    bool shows = !values.empty();
    for (const Value* value : values) shows &= value == nullptr || !is_scalar(value);
    return list(shows ? "" : text::kTensors, values);
  }
  std::string operator()(const std::vector<ScalarOrValue>& items) const {
    bool shows = false;
    for (const ScalarOrValue& item : items) {
      const auto* value = std::get_if<Value*>(&item);
      shows |= value != nullptr && is_scalar(*value);
    }
    std::vector<std::string> texts;
    for (const ScalarOrValue& item : items) texts.push_back(std::visit(*this, item));
    return fmt::format("{}[{}]", shows ? "" : text::kSizes, fmt::join(texts, ", "));
  }
  std::string operator()(const SubgraphArgument& value) const {
    std::string out = fmt::format("graph {} {{\n", quoted(value.name));
    print_graph(*value.graph, indent_ + "  ", out);
    return out + indent_ + "}";
  }
  std::string operator()(const OperatorArgument& value) const { return fmt::format("op({})", quoted(value.name)); }
  std::string operator()(const OpaqueArgument& value) const { return fmt::format("opaque({})", quoted(value.json)); }

 private:
  static bool is_scalar(const Value* value) { return std::holds_alternative<ScalarMeta>(value->meta()); }

  template <typename T>
  std::string list(std::string_view kind, const std::vector<T>& items) const {
    std::vector<std::string> texts;
    for (const auto& item : items) texts.push_back((*this)(static_cast<const T&>(item)));
    return fmt::format("{}[{}]", kind, fmt::join(texts, ", "));
  }

  std::string indent_;
};

std::string outputs_text(const Node& node) {
  std::vector<std::string> groups;
  for (const OutputGroup& group : node.outputs()) {
    std::vector<std::string> values;
    for (const Value* value : group.values) values.push_back(typed_value(*value));
    if (group.is_list) {
      groups.push_back(fmt::format("[{}]", fmt::join(values, ", ")));
    } else {
      groups.push_back(values.empty() ? "_" : values[0]);
    }
  }
  return groups.empty() ? "" : fmt::format("{} = ", fmt::join(groups, ", "));
}

std::string node_text(const Node& node, const std::string& indent) {
  const ArgumentPrinter printer(indent);
  std::vector<std::string> args;
  for (const NamedArgument& arg : node.args()) {
    const std::string value = printer.print(arg.value);
    args.push_back(arg.name.empty() ? value : name_text(arg.name) + "=" + value);
  }
  std::string line =
      fmt::format("{}{}{}({})", indent, outputs_text(node), name_text(node.op().name()), fmt::join(args, ", "));
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

void print_graph(const Graph& graph, const std::string& indent, std::string& out) {
  const ArgumentPrinter printer(indent);
  for (const Argument& input : graph.inputs()) {
    const Value* value = value_of(input);
    out += fmt::format("{}input {}\n", indent, value == nullptr ? printer.print(input) : typed_value(*value));
  }
  for (const Node& node : graph) out += node_text(node, indent) + "\n";
  std::vector<std::string> outputs;
  for (const Argument& output : graph.outputs()) outputs.push_back(printer.print(output));
  out += fmt::format("{}return{}{}{}\n", indent, graph.is_single_tensor_return ? " single" : "",
                     outputs.empty() ? "" : " ", fmt::join(outputs, ", "));
}

// The example value of each symbol, from the sizes that are just the symbol.
std::map<std::string, int64_t> example_sizes(const Graph& graph) {
  std::map<std::string, int64_t> examples;
  const auto collect = [&](const Dim& dim) {
    const auto* symbolic = std::get_if<SymbolicDim>(&dim);
    if (symbolic == nullptr || !symbolic->hint) return;
    if (const auto name = symbolic->expr.symbol_name()) examples.emplace(*name, *symbolic->hint);
  };
  const auto visit = [&](const Value& value) {
    if (const auto* tensor = std::get_if<TensorMeta>(&value.meta())) {
      for (const Dim& dim : tensor->sizes) collect(dim);
    } else if (const auto* scalar = std::get_if<ScalarMeta>(&value.meta())) {
      if (const auto* dim = std::get_if<Dim>(&scalar->value)) collect(*dim);
    }
  };
  for (const Argument& input : graph.inputs()) {
    if (const Value* value = value_of(input)) visit(*value);
  }
  for (const Node& node : graph) {
    for (const Value* value : node.values()) visit(*value);
  }
  return examples;
}

void print_ranges(const Program& program, std::string& out) {
  const std::map<std::string, int64_t> examples = example_sizes(program.graph());
  std::set<std::string> symbols;
  for (const auto& [symbol, range] : program.ranges()) symbols.insert(symbol);
  for (const auto& [symbol, example] : examples) symbols.insert(symbol);
  const auto bound = [](const std::optional<int64_t>& value) { return value ? std::to_string(*value) : ""; };
  for (const std::string& symbol : symbols) {
    const auto found = program.ranges().find(symbol);
    const SymbolRange range = found == program.ranges().end() ? SymbolRange{} : found->second;
    out += fmt::format("range {} {}..{}", name_text(symbol), bound(range.min), bound(range.max));
    if (const auto example = examples.find(symbol); example != examples.end()) {
      out += fmt::format(" example {}", example->second);
    }
    out += "\n";
  }
}

// A tensor of the state that is the same memory as an earlier one, by name.
std::unordered_map<std::string, std::string> tied_names(const Program& program) {
  std::unordered_map<std::string, std::string> tied;
  std::unordered_map<const void*, const StateTensor*> first;
  for (const StateTensor& entry : program.state()) {
    if (!entry.tensor.has_storage() || entry.tensor.numel() == 0) continue;
    const auto [found, fresh] = first.emplace(entry.tensor.const_data_ptr(), &entry);
    const at::Tensor& other = found->second->tensor;
    const bool same = entry.tensor.sizes() == other.sizes() && entry.tensor.strides() == other.strides() &&
                      entry.tensor.scalar_type() == other.scalar_type();
    if (!fresh && same) tied[entry.name] = found->second->name;
  }
  return tied;
}

void print_inputs(const Program& program, std::string& out) {
  const ArgumentPrinter printer("");
  const std::unordered_map<std::string, std::string> tied = tied_names(program);
  std::set<std::string> printed;
  for (size_t i = 0; i < program.input_specs().size(); ++i) {
    const InputSpec& spec = program.input_specs()[i];
    const Argument& input = program.graph().inputs()[i];
    const Value* value = value_of(input);
    out += fmt::format("{} {}", text::word_of(text::kInputKinds, spec.kind),
                       value == nullptr ? printer.print(input) : typed_value(*value));
    if (spec.kind != InputKind::kUser) out += " = " + quoted(spec.target);
    if (spec.kind == InputKind::kBuffer && !spec.persistent) out += " non-persistent";
    const bool is_parameter = spec.kind == InputKind::kParameter && value != nullptr && value->is_tensor();
    if (is_parameter && !value->tensor().requires_grad) out += " no-grad";
    const auto same_as = tied.find(spec.target);
    if (same_as != tied.end() && printed.contains(same_as->second)) out += " tied " + quoted(same_as->second);
    printed.insert(spec.target);
    out += "\n";
  }
  for (const StateTensor& entry : program.state()) {
    if (printed.contains(entry.name)) continue;
    out += fmt::format("unread {} = {}", type_text(meta_of(entry.tensor)), quoted(entry.name));
    if (entry.is_parameter) out += " parameter";
    out += "\n";
  }
}

}  // namespace

std::string to_text(const Node& node) { return node_text(node, ""); }
std::string to_text(const ValueMeta& meta) { return type_text(meta); }

std::string to_text(const Program& program) {
  std::string out;
  print_ranges(program, out);
  print_inputs(program, out);
  for (const Node& node : program.graph()) out += node_text(node, "") + "\n";
  const ArgumentPrinter printer("");
  std::vector<std::string> outputs;
  for (const Argument& output : program.graph().outputs()) {
    const OutputSpec& spec = program.output_specs().at(outputs.size());
    std::string before;
    if (spec.kind != OutputKind::kUser) {
      before = fmt::format("{}({}) ", text::word_of(text::kOutputKinds, spec.kind), quoted(spec.target));
    }
    outputs.push_back(before + printer.print(output));
  }
  return out + fmt::format("return{}{}\n", outputs.empty() ? "" : " ", fmt::join(outputs, ", "));
}

}  // namespace torquant
