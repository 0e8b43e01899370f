#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include "torquant/core/error.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/shape_rules.h"
#include "torquant/graph/text.h"
#include "torquant/graph/text_names.h"
#include "torquant/graph/text_scanner.h"

namespace torquant {
namespace {

using text::Scanner;

// A tensor of the described type whose values depend on the name alone.
at::Tensor made_up_tensor(const std::string& name, const TensorMeta& meta) {
  std::vector<int64_t> sizes;
  std::vector<int64_t> strides;
  for (const Dim& size : meta.sizes) {
    if (!is_static(size))
      throw Error({.where = name, .what = fmt::format("size {} of a stored tensor", to_string(size))});
    sizes.push_back(std::get<int64_t>(size));
  }
  for (const Dim& stride : meta.strides) strides.push_back(std::get<int64_t>(stride));
  uint64_t seed = 14695981039346656037ULL;  // FNV-1a
  for (const char c : name) seed = (seed ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  const auto options = at::TensorOptions().dtype(meta.dtype);
  try {
    at::Tensor tensor = at::empty_strided(sizes, strides, options);
    const at::Generator generator = at::detail::createCPUGenerator(seed);
    const bool positive = name.find("var") != std::string::npos || name.find("scale") != std::string::npos;
    if (!c10::isFloatingType(meta.dtype)) {
      tensor.zero_();
    } else if (positive) {
      tensor.copy_(at::rand(sizes, generator).add_(0.5));
    } else {
      tensor.copy_(at::randn(sizes, generator).mul_(0.2));
    }
    return tensor;
  } catch (const c10::Error& error) {
    throw Error({.where = name, .what = error.what_without_backtrace()});
  }
}

class ProgramParser {
 public:
  explicit ProgramParser(std::string_view text) : scan_(text) {}

  Program parse() {
    while (scan_.take_word("range")) read_range();
    while (read_program_input()) {
    }
    read_nodes(program_.graph());
    read_program_outputs();
    if (!scan_.at_end()) scan_.fail("unexpected text after the program: " + scan_.found());
    return std::move(program_);
  }

 private:
  // range s6 1..64 example 4
  void read_range() {
    const std::string symbol = scan_.name();
    SymbolRange& range = program_.ranges()[symbol];
    if (scan_.at_integer()) range.min = scan_.integer();
    scan_.expect('.');
    scan_.expect('.');
    if (scan_.at_integer()) range.max = scan_.integer();
    if (scan_.take_word("example")) examples_[symbol] = scan_.integer();
  }

  // parameter %w : f32[8, 3] = "conv.weight" no-grad tied "other.weight"
  bool read_program_input() {
    const size_t start = scan_.position();
    const std::string_view keyword = scan_.word();
    if (keyword == "unread") {
      read_unread();
      return true;
    }
    const auto* row = std::find_if(text::kInputKinds.begin(), text::kInputKinds.end(),
                                   [&](const auto& word) { return word.text == keyword; });
    if (row == text::kInputKinds.end()) {
      scan_.back_to(start);
      return false;
    }
    InputSpec spec{.kind = row->value};
    const size_t at = scan_.position();
    const Value* value = read_input(program_.graph());
    if (spec.kind != InputKind::kUser) {
      scan_.expect('=');
      spec.target = scan_.quoted();
    }
    spec.persistent = spec.kind == InputKind::kParameter || spec.kind == InputKind::kUser ||
                      (spec.kind == InputKind::kBuffer && !scan_.take_word("non-persistent"));
    if (spec.kind == InputKind::kParameter || spec.kind == InputKind::kBuffer ||
        spec.kind == InputKind::kTensorConstant) {
      if (value == nullptr || !value->is_tensor()) scan_.fail_at(at, fmt::format("a {} that is no tensor", keyword));
      add_state(spec.target, program_.graph().find_value(value->name())->tensor(), spec.kind == InputKind::kParameter,
                at);
    }
    program_.input_specs().push_back(std::move(spec));
    return true;
  }

  // unread f32[2] = "name" parameter
  void read_unread() {
    const size_t at = scan_.position();
    ValueMeta meta = read_type();
    scan_.expect('=');
    const std::string name = scan_.quoted();
    if (!std::holds_alternative<TensorMeta>(meta)) scan_.fail_at(at, "a stored value that is no tensor");
    add_state(name, std::get<TensorMeta>(meta), scan_.take_word("parameter"), at);
  }

  void add_state(const std::string& name, TensorMeta& meta, bool is_parameter, size_t at) {
    const bool trained = is_parameter && c10::isFloatingType(meta.dtype) && !scan_.take_word("no-grad");
    const at::Tensor* existing = program_.find_state(name);
    if (scan_.take_word("tied")) {
      const std::string other = scan_.quoted();
      existing = program_.find_state(other);
      if (existing == nullptr) scan_.fail_at(at, fmt::format("no tensor \"{}\" stands before", other));
    }
    try {
      at::Tensor tensor = existing == nullptr ? made_up_tensor(name, meta) : *existing;
      meta.requires_grad = trained;
      if (existing == nullptr && trained) tensor.set_requires_grad(true);
      program_.set_state({name, std::move(tensor), is_parameter});
    } catch (const Error& error) {
      scan_.fail_at(at, error.what());
    }
  }

  // %x : f32[2, 3], or a constant
  Value* read_input(Graph& graph) {
    if (scan_.peek() != '%') {
      graph.add_constant_input(read_argument(graph));
      return nullptr;
    }
    const size_t at = scan_.position();
    std::string name = value_name();
    scan_.expect(':');
    return at_position(at, [&] { return graph.add_input(std::move(name), read_type()); });
  }

  // Runs `call`; its errors get the place in the text.
  template <typename Call>
  auto at_position(size_t position, Call call) -> decltype(call()) {
    try {
      return call();
    } catch (const Error& error) {
      if (error.where().starts_with("line ")) throw;
      scan_.fail_at(position, error.what());
    }
  }

  std::string value_name() {
    scan_.expect('%');
    return scan_.name();
  }

  Dim read_dim() {
    const size_t at = scan_.position();
    const std::string_view text = scan_.until_separator();
    return at_position(at, [&]() -> Dim {
      const SymExpr expr = SymExpr::parse(text);
      if (const auto value = expr.integer_value()) return *value;
      return SymbolicDim{expr, expr.evaluate(examples_)};
    });
  }
  std::vector<Dim> read_dims() {
    std::vector<Dim> dims;
    scan_.expect('[');
    while (!scan_.take(']')) {
      if (!dims.empty()) scan_.expect(',');
      dims.push_back(read_dim());
    }
    return dims;
  }

  // f32[2, 3] strides [1, 2], int(s0), object("class")
  ValueMeta read_type() {
    const size_t at = scan_.position();
    const std::string_view word = scan_.word();
    for (const auto& row : text::kDTypes) {
      if (row.abbreviation == word) return read_tensor_type(row.value);
    }
    for (const auto& row : text::kScalarKinds) {
      if (row.text == word) return read_scalar_type(row.value);
    }
    if (word == "object") {
      scan_.expect('(');
      ObjectMeta meta{scan_.quoted()};
      scan_.expect(')');
      return meta;
    }
    std::string allowed;
    for (const auto& row : text::kDTypes) allowed += fmt::format("{}[...], ", row.abbreviation);
    scan_.fail_at(at, fmt::format("unknown type '{}'", word), allowed + "int, float, bool, object(...)");
  }

  TensorMeta read_tensor_type(at::ScalarType dtype) {
    const size_t at = scan_.position();
    TensorMeta meta = contiguous_meta(dtype, read_dims());
    if (scan_.take_word("strides")) meta.strides = read_dims();
    if (meta.strides.size() != meta.sizes.size()) {
      scan_.fail_at(at, fmt::format("{} strides for {} sizes", meta.strides.size(), meta.sizes.size()));
    }
    for (const Dim& size : meta.sizes) {
      if (is_static(size) && std::get<int64_t>(size) < 0) scan_.fail_at(at, fmt::format("size {}", to_string(size)));
    }
    if (scan_.take_word("offset")) {
      const std::vector<Dim> offset = read_dims();
      if (offset.size() != 1) scan_.fail_at(at, fmt::format("{} offsets", offset.size()), "one: offset [4]");
      meta.storage_offset = offset[0];
    }
    if (scan_.take_word("layout")) meta.layout = from_table(text::kLayouts);
    if (scan_.take_word("device")) meta.device = device();
    return meta;
  }

  ScalarMeta read_scalar_type(ScalarKind kind) {
    ScalarMeta meta{.kind = kind};
    if (!scan_.take('(')) return meta;
    if (scan_.peek() == '"') {
      meta.raw = scan_.quoted();
    } else if (kind == ScalarKind::kInt) {
      meta.value = read_dim();
    } else if (kind == ScalarKind::kFloat) {
      const Argument number = read_number();
      const auto* value = std::get_if<double>(&number);
      meta.value = value != nullptr ? *value : static_cast<double>(std::get<int64_t>(number));
    } else {
      meta.value = scan_.take_word("true");
      if (!std::get<bool>(meta.value) && !scan_.take_word("false")) scan_.fail("expected true or false");
    }
    scan_.expect(')');
    return meta;
  }

  template <typename T, size_t N>
  T from_table(const std::array<text::Word<T>, N>& table) {
    const size_t at = scan_.position();
    const std::string_view word = scan_.word();
    std::string allowed;
    for (const auto& row : table) {
      if (row.text == word) return row.value;
      allowed += allowed.empty() ? "" : ", ";
      allowed += row.text;
    }
    scan_.fail_at(at, fmt::format("unknown word '{}'", word), allowed);
  }

  at::Device device() {
    const size_t at = scan_.position();
    const std::string name = scan_.quoted();
    try {
      return at::Device(name);
    } catch (const c10::Error&) {
      scan_.fail_at(at, fmt::format("unknown device \"{}\"", name));
    }
  }

  Argument read_number() {
    const size_t at = scan_.position();
    const std::string word(scan_.word());
    // 1e+20: the sign of an exponent is no letter of a word.
    std::string text = word;
    if (!word.empty() && word.back() == 'e' && scan_.take('+')) text += std::string(scan_.word());
    if (text == "inf") return INFINITY;
    if (text == "-inf") return -INFINITY;
    if (text == "nan") return static_cast<double>(NAN);
    const char* end = text.data() + text.size();
    int64_t integer = 0;
    if (const auto read = std::from_chars(text.data(), end, integer); read.ec == std::errc() && read.ptr == end) {
      return integer;
    }
    double number = 0;
    if (const auto read = std::from_chars(text.data(), end, number); read.ec == std::errc() && read.ptr == end) {
      return number;
    }
    scan_.fail_at(at, fmt::format("'{}' is no argument", text.empty() ? scan_.found() : text));
  }

  Argument read_argument(Graph& graph) {
    constexpr int kMaxDepth = 100;  // lists and subgraphs in each other: hostile text must not exhaust the stack
    if (depth_ == kMaxDepth) scan_.fail("nested too deeply");
    ++depth_;
    Argument argument = read_argument_here(graph);
    --depth_;
    return argument;
  }

  Argument read_argument_here(Graph& graph) {
    const size_t at = scan_.position();
    const char c = scan_.peek();
    if (c == '%') return known_value(graph);
    if (c == '"') return scan_.quoted();
    if (c == '[') return read_list("", graph);
    const std::string_view word = scan_.word();
    if (word == "none") return std::monostate{};
    if (word == "true" || word == "false") return word == "true";
    for (const auto& row : text::kDTypes) {
      if (row.name == word) return row.value;
    }
    for (const auto& row : text::kLayouts) {
      if (row.text == word) return row.value;
    }
    for (const auto& row : text::kMemoryFormats) {
      if (row.text == word) return row.value;
    }
    if (word == "graph") return read_subgraph();
    if (word == "device" || word == "op" || word == "opaque") {
      scan_.expect('(');
      Argument argument = word == "device" ? Argument(device())
                          : word == "op"   ? Argument(OperatorArgument{scan_.quoted()})
                                           : Argument(OpaqueArgument{scan_.quoted()});
      scan_.expect(')');
      return argument;
    }
    if (scan_.peek() == '[') return read_list(word, graph);
    scan_.back_to(at);
    return read_number();
  }

  Value* known_value(Graph& graph) {
    const size_t at = scan_.position();
    const std::string name = value_name();
    Value* value = graph.find_value(name);
    if (value == nullptr) scan_.fail_at(at, fmt::format("%{} is read before it is defined", name));
    return value;
  }

  // All items of one kind make a list of that kind; `kind` tells it where the items do not.
  Argument read_list(std::string_view kind, Graph& graph) {
    const size_t at = scan_.position();
    std::vector<Argument> items;
    scan_.expect('[');
    while (!scan_.take(']')) {
      if (!items.empty()) scan_.expect(',');
      items.push_back(read_argument(graph));
    }
    if (kind.empty() && items.empty()) return std::vector<int64_t>{};
    const auto all = [&](auto... types) {
      return std::all_of(items.begin(), items.end(),
                         [&](const Argument& item) { return (std::holds_alternative<decltype(types)>(item) || ...); });
    };
    const auto is_scalar_value = [](const Argument& item) {
      const Value* value = value_of(item);
      return value != nullptr && std::holds_alternative<ScalarMeta>(value->meta());
    };
    using V = Value*;
    const bool computed = std::any_of(items.begin(), items.end(), is_scalar_value);
    if (kind == text::kSizes || (kind.empty() && computed)) {
      if (all(int64_t{}, double{}, bool{}, V{})) return sizes_of(items);
    } else if ((kind.empty() || kind == text::kTensors) && all(V{}, std::monostate{})) {
      std::vector<Value*> values;
      for (const Argument& item : items) values.push_back(value_of(item));
      return values;
    } else if (kind.empty() && all(int64_t{})) {
      return list_of<int64_t>(items);
    } else if ((kind.empty() || kind == text::kFloats) && all(double{}, int64_t{})) {
      std::vector<double> values;
      for (const Argument& item : items) {
        const auto* integer = std::get_if<int64_t>(&item);
        values.push_back(integer != nullptr ? static_cast<double>(*integer) : std::get<double>(item));
      }
      return values;
    } else if ((kind.empty() || kind == text::kBools) && all(bool{})) {
      return list_of<bool>(items);
    } else if ((kind.empty() || kind == text::kStrings) && all(std::string{})) {
      return list_of<std::string>(items);
    }
    scan_.fail_at(at, fmt::format("a {}list of mixed or unknown kinds", kind.empty() ? "" : std::string(kind) + " "),
                  "all integers, floats, bools, strings or tensors; tensors[], floats[], bools[], strings[], sizes[]");
  }

  template <typename T>
  static std::vector<T> list_of(const std::vector<Argument>& items) {
    std::vector<T> list;
    for (const Argument& item : items) list.push_back(std::get<T>(item));
    return list;
  }

  static std::vector<ScalarOrValue> sizes_of(const std::vector<Argument>& items) {
    std::vector<ScalarOrValue> list;
    for (const Argument& item : items) {
      if (const auto* integer = std::get_if<int64_t>(&item)) {
        list.emplace_back(*integer);
      } else if (const auto* number = std::get_if<double>(&item)) {
        list.emplace_back(*number);
      } else if (const auto* flag = std::get_if<bool>(&item)) {
        list.emplace_back(*flag);
      } else {
        list.emplace_back(value_of(item));
      }
    }
    return list;
  }

  // graph "name" { input ... return ... }
  SubgraphArgument read_subgraph() {
    SubgraphArgument argument{scan_.quoted(), std::make_shared<Graph>()};
    Graph& graph = *argument.graph;
    scan_.expect('{');
    while (scan_.take_word("input")) read_input(graph);
    read_nodes(graph);
    read_return();
    graph.is_single_tensor_return = scan_.take_word("single");
    std::vector<Argument> outputs;
    while (scan_.peek() != '}') {
      if (!outputs.empty()) scan_.expect(',');
      outputs.push_back(read_argument(graph));
    }
    scan_.expect('}');
    graph.set_outputs(std::move(outputs));
    return argument;
  }

  void read_return() {
    if (!scan_.take_word("return")) scan_.fail("expected a node or 'return', found " + scan_.found());
  }

  struct NamedType {
    std::string name;
    std::optional<ValueMeta> type;
  };
  struct Group {
    std::vector<NamedType> values;
    bool is_list = false;
  };

  NamedType read_result() {
    NamedType result{value_name(), std::nullopt};
    if (scan_.take(':')) result.type = read_type();
    return result;
  }

  // Node lines, up to "return".
  void read_nodes(Graph& graph) {
    while (!scan_.at_end()) {
      const size_t at = scan_.position();
      const bool at_return = scan_.take_word("return");
      scan_.back_to(at);
      if (at_return) return;
      at_position(at, [&] { read_node(graph); });
    }
  }

  // %a : f32[2], _, [%b : f32[2], %c : f32[2]] = aten.op.default(x=%x) as %name @ module(type)
  void read_node(Graph& graph) {
    std::vector<Group> groups;
    while (scan_.peek() == '%' || scan_.peek() == '[' || scan_.peek() == '_') {
      const size_t at = scan_.position();
      if (scan_.take('[')) {
        Group& group = groups.emplace_back(Group{{}, true});
        while (!scan_.take(']')) {
          if (!group.values.empty()) scan_.expect(',');
          group.values.push_back(read_result());
        }
      } else if (scan_.take_word("_")) {
        groups.emplace_back();
      } else if (scan_.peek() == '%') {
        groups.push_back({{read_result()}, false});
      } else {
        scan_.back_to(at);  // an operator such as _operator.mul
        break;
      }
      if (!scan_.take(',')) break;
    }
    if (!groups.empty()) scan_.expect('=');
    const OpId op(scan_.name());
    if (op.name().find('.') == std::string::npos)
      scan_.fail(fmt::format("'{}' is no operator", op.name()), "aten.relu.default");
    std::vector<NamedArgument> args = read_arguments(op, graph);
    std::string name;
    for (const Group& group : groups) {
      if (name.empty() && !group.values.empty()) name = group.values[0].name;
    }
    if (scan_.take_word("as")) name = value_name();
    if (name.empty()) name = graph.unique_name("node");
    Node* node = graph.append(op, std::move(name), std::move(args));
    read_suffixes(*node);
    add_outputs(graph, node, groups);
  }

  std::vector<NamedArgument> read_arguments(const OpId& op, Graph& graph) {
    std::vector<NamedArgument> args;
    scan_.expect('(');
    while (!scan_.take(')')) {
      if (!args.empty()) scan_.expect(',');
      NamedArgument arg;
      const size_t at = scan_.position();
      if (scan_.peek() == '"' || text::is_bare(std::string(1, scan_.peek()))) arg.name = scan_.name();
      if (arg.name.empty() || !scan_.take('=')) {
        scan_.back_to(at);
        arg.name = schema_arg_name(op, args.size());  // "" for what is no dispatcher operator
      }
      arg.value = read_argument(graph);
      arg.keyword = is_keyword_only(op, arg.name);
      args.push_back(std::move(arg));
    }
    return args;
  }

  void read_suffixes(Node& node) {
    if (scan_.take_word("single_tensor_return")) {
      scan_.expect('(');
      node.single_tensor_return = scan_.take_word("true");
      if (!*node.single_tensor_return && !scan_.take_word("false")) scan_.fail("expected true or false");
      scan_.expect(')');
    }
    if (!scan_.take('@')) return;
    const std::string path = scan_.name();
    std::string type;
    if (scan_.take('(')) {
      type = scan_.name();
      scan_.expect(')');
    }
    // "key,path,type" of each module around the node, outermost first (pt2 archives' nn_module_stack).
    std::string stack = "L__self__,,";
    for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1)) {
      stack += fmt::format(";L__self__.{0},{0},", path.substr(0, dot));
    }
    node.set_metadata("nn_module_stack", fmt::format("{};L__self__.{},{},{}", stack, path, path, type));
  }

  static void add_outputs(Graph& graph, Node* node, const std::vector<Group>& groups) {
    std::vector<NamedType> all;
    bool untyped = false;
    for (const Group& group : groups) {
      for (const NamedType& value : group.values) {
        untyped |= !value.type;
        all.push_back(value);
      }
    }
    if (untyped) {
      const auto inferred = infer(*node);
      if (!inferred || inferred->size() != all.size()) {
        throw Error(
            {.where = node->describe(),
             .what = inferred ? fmt::format("{} results, not {}", inferred->size(), all.size()) : "has no shape rule",
             .allowed = "results with their types: %x : f32[2, 3]"});
      }
      for (size_t i = 0; i < all.size(); ++i) {
        if (!all[i].type) all[i].type = (*inferred)[i];
      }
    }
    size_t next = 0;
    for (const Group& group : groups) {
      std::vector<std::pair<std::string, ValueMeta>> values;
      for (size_t i = 0; i < group.values.size(); ++i, ++next) values.emplace_back(all[next].name, *all[next].type);
      if (group.is_list) {
        graph.add_list_output(node, values);
      } else if (values.empty()) {
        graph.add_empty_output(node);
      } else {
        graph.add_output(node, values[0].first, values[0].second);
      }
    }
  }

  // return %a, buffer_mutation("bn.running_mean") %b
  void read_program_outputs() {
    read_return();
    std::vector<Argument> outputs;
    while (!scan_.at_end()) {
      if (!outputs.empty()) scan_.expect(',');
      OutputSpec spec;
      const size_t at = scan_.position();
      const std::string_view word = scan_.word();
      const auto* row = std::find_if(text::kOutputKinds.begin(), text::kOutputKinds.end(),
                                     [&](const auto& entry) { return entry.text == word; });
      if (row != text::kOutputKinds.end()) {
        spec.kind = row->value;
        scan_.expect('(');
        spec.target = scan_.quoted();
        scan_.expect(')');
      } else {
        scan_.back_to(at);
      }
      outputs.push_back(read_argument(program_.graph()));
      program_.output_specs().push_back(std::move(spec));
    }
    program_.graph().set_outputs(std::move(outputs));
  }

  Scanner scan_;
  Program program_;
  std::map<std::string, int64_t> examples_;
  int depth_ = 0;
};

}  // namespace

Program parse_program(std::string_view text) { return ProgramParser(text).parse(); }

}  // namespace torquant
