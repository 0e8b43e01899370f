#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "torquant/graph/text_grammar.h"
#include "torquant/graph/text_words.h"

namespace torquant::text {
namespace {

// A list is followed by its kind where its items do not show it: an empty one, a list of constants among sizes that
// may be computed. `sizes` may be computed in the graph, `tensors` may be missing.
constexpr std::string_view kTensors = "tensors";
constexpr std::string_view kBools = "bools";
constexpr std::string_view kFloats = "floats";
constexpr std::string_view kStrings = "strings";
constexpr std::string_view kSizes = "sizes";

bool is_scalar(const Value* value) { return value != nullptr && std::holds_alternative<ScalarMeta>(value->meta()); }

// One overload a kind of argument.
class Printer {
 public:
  explicit Printer(const std::string& indent) : indent_(indent) {}

  std::string operator()(std::monostate) const { return "none"; }
  std::string operator()(const Value* value) const { return value == nullptr ? "none" : value_text(value->name()); }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return float_text(value); }
  std::string operator()(const std::string& value) const { return in_quotes(value); }
  std::string operator()(at::ScalarType value) const { return std::string(word_of(kDTypeNames, value)); }
  std::string operator()(at::Layout value) const { return std::string(word_of(kLayouts, value)); }
  std::string operator()(at::MemoryFormat value) const { return std::string(word_of(kMemoryFormats, value)); }
  std::string operator()(const at::Device& value) const { return fmt::format("device({})", in_quotes(value.str())); }
  std::string operator()(const std::vector<int64_t>& values) const { return list("", values); }
  std::string operator()(const std::vector<double>& values) const {
    return list(values.empty() ? kFloats : "", values);
  }
  std::string operator()(const std::vector<bool>& values) const { return list(values.empty() ? kBools : "", values); }
  std::string operator()(const std::vector<std::string>& values) const {
    return list(values.empty() ? kStrings : "", values);
  }
  std::string operator()(const std::vector<Value*>& values) const {
    const bool shows = !values.empty() && std::none_of(values.begin(), values.end(), is_scalar);
    return list(shows ? "" : kTensors, values);
  }
  std::string operator()(const std::vector<ScalarOrValue>& items) const {
    const bool shows = std::any_of(items.begin(), items.end(), [](const ScalarOrValue& item) {
      const auto* value = std::get_if<Value*>(&item);
      return value != nullptr && is_scalar(*value);
    });
    return list(shows ? "" : kSizes, items);
  }
  std::string operator()(const ScalarOrValue& item) const { return std::visit(*this, item); }
  std::string operator()(const SubgraphArgument& value) const { return subgraph_text(value, indent_); }
  std::string operator()(const OperatorArgument& value) const { return fmt::format("op({})", in_quotes(value.name)); }
  std::string operator()(const OpaqueArgument& value) const { return fmt::format("opaque({})", in_quotes(value.json)); }

 private:
  template <typename T>
  std::string list(std::string_view kind, const std::vector<T>& items) const {
    std::vector<std::string> texts;
    for (const auto& item : items) texts.push_back((*this)(static_cast<const T&>(item)));
    return fmt::format("{}[{}]", kind, fmt::join(texts, ", "));
  }

  const std::string& indent_;
};

// An item of a list as a T; nothing for another kind.
template <typename T>
std::optional<T> item_as(const Argument& item) {
  const T* value = std::get_if<T>(&item);
  return value == nullptr ? std::nullopt : std::optional(*value);
}
template <>
std::optional<double> item_as(const Argument& item) {
  if (const auto* integer = std::get_if<int64_t>(&item)) return static_cast<double>(*integer);
  const auto* value = std::get_if<double>(&item);
  return value == nullptr ? std::nullopt : std::optional(*value);
}
template <>
std::optional<Value*> item_as(const Argument& item) {
  if (is_none(item)) return nullptr;
  return value_of(item) == nullptr ? std::nullopt : std::optional(value_of(item));
}
template <>
std::optional<ScalarOrValue> item_as(const Argument& item) {
  if (const auto* integer = std::get_if<int64_t>(&item)) return *integer;
  if (const auto* number = std::get_if<double>(&item)) return *number;
  if (const auto* flag = std::get_if<bool>(&item)) return *flag;
  if (Value* value = value_of(item)) return value;
  return std::nullopt;
}

template <typename T>
std::optional<Argument> list_as(const std::vector<Argument>& items) {
  std::vector<T> list;
  for (const Argument& item : items) {
    const std::optional<T> value = item_as<T>(item);
    if (!value) return std::nullopt;
    list.push_back(*value);
  }
  return list;
}

// The list of that kind; without a kind, of the first one that all items are of.
std::optional<Argument> list_of(std::string_view kind, const std::vector<Argument>& items) {
  if (kind == kTensors) return list_as<Value*>(items);
  if (kind == kFloats) return list_as<double>(items);
  if (kind == kBools) return list_as<bool>(items);
  if (kind == kStrings) return list_as<std::string>(items);
  if (kind == kSizes) return list_as<ScalarOrValue>(items);
  if (!kind.empty()) return std::nullopt;
  const auto is_computed = [](const Argument& item) { return is_scalar(value_of(item)); };
  if (std::any_of(items.begin(), items.end(), is_computed)) return list_as<ScalarOrValue>(items);
  for (const auto& read : {list_as<int64_t>, list_as<Value*>, list_as<double>, list_as<bool>, list_as<std::string>}) {
    if (auto list = read(items)) return list;
  }
  return std::nullopt;
}

Argument read_list(std::string_view kind, Reader& reader, Graph& graph) {
  const size_t at = reader.scan.position();
  std::vector<Argument> items;
  reader.scan.expect('[');
  reader.scan.items_until(']', [&] { items.push_back(read_argument(reader, graph)); });
  if (auto list = list_of(kind, items)) return *std::move(list);
  reader.scan.fail_at(at,
                      fmt::format("a {}list of mixed or unknown kinds", kind.empty() ? "" : std::string(kind) + " "),
                      "all integers, floats, bools, strings or tensors; tensors[], floats[], bools[], strings[], "
                      "sizes[]");
}

Value* read_known_value(Scanner& scan, const Graph& graph) {
  const size_t at = scan.position();
  const std::string name = read_value_name(scan);
  Value* value = graph.find_value(name);
  if (value == nullptr) scan.fail_at(at, fmt::format("%{} is read before it is defined", name));
  return value;
}

Argument read_argument_here(Reader& reader, Graph& graph) {
  Scanner& scan = reader.scan;
  const size_t at = scan.position();
  const char c = scan.peek();
  if (c == '%') return read_known_value(scan, graph);
  if (c == '"') return scan.quoted();
  if (c == '[') return read_list("", reader, graph);
  const std::string_view word = scan.word();
  if (word == "none") return std::monostate{};
  if (word == "true" || word == "false") return word == "true";
  if (const auto* dtype = find_word(kDTypeNames, word)) return *dtype;
  if (const auto* layout = find_word(kLayouts, word)) return *layout;
  if (const auto* format = find_word(kMemoryFormats, word)) return *format;
  if (word == "graph") return read_subgraph(reader);
  if (word == "op") return OperatorArgument{scan.quoted_in_brackets()};
  if (word == "opaque") return OpaqueArgument{scan.quoted_in_brackets()};
  if (word == "device") {
    scan.expect('(');
    const at::Device device = read_device(scan);
    scan.expect(')');
    return device;
  }
  if (scan.peek() == '[') return read_list(word, reader, graph);
  scan.back_to(at);
  if (const auto number = scan.take_number()) {
    return std::visit([](auto value) -> Argument { return value; }, *number);
  }
  scan.fail(scan.found() + " is no argument");
}

}  // namespace

std::string value_text(const std::string& name) { return "%" + name_text(name); }

std::string argument_text(const Argument& argument, const std::string& indent) {
  return std::visit(Printer(indent), argument);
}

std::string read_value_name(Scanner& scan) {
  scan.expect('%');
  return scan.name();
}

Argument read_argument(Reader& reader, Graph& graph) {
  constexpr int kMaxDepth = 100;  // lists and subgraphs in each other: hostile text must not exhaust the stack
  if (reader.depth == kMaxDepth) reader.scan.fail("nested too deeply");
  ++reader.depth;
  Argument argument = read_argument_here(reader, graph);
  --reader.depth;
  return argument;
}

}  // namespace torquant::text
