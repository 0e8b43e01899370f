#include "graph_listing.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <string_view>

#include "torquant/core/error.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/primitives/tensors.h"

namespace torquant::golden {
namespace {

using Json = nlohmann::json;

// Long expressions are cut to a hash with a readable head.
std::string shorten(const std::string& head, const std::string& full) {
  return fmt::format("{}#{:016x}", head, std::hash<std::string>{}(full));
}

std::string constant_text(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.contiguous();
  const std::string_view bytes(static_cast<const char*>(dense.data_ptr()), dense.nbytes());
  return fmt::format("{}{}:{:016x}", c10::toString(dense.scalar_type()),
                     fmt::format("[{}]", fmt::join(dense.sizes(), ",")), std::hash<std::string_view>{}(bytes));
}

std::string number_text(double value) { return fmt::format("{:a}", value); }

std::string dtype_text(at::ScalarType type) { return std::string("torch.") + std::string(dtype_name(dtype_of(type))); }

// Arguments by the schema's names, without those equal to their default.
class Call {
 public:
  explicit Call(const OpId& op) : op_(op), handle_(find_operator(op)) {}

  std::string name_of(size_t position) const {
    const std::string name = schema_arg_name(op_, position);
    return name.empty() ? std::to_string(position) : name;
  }

  void set(const std::string& name, const std::string& text) {
    if (text != default_text(name)) args_[name] = text;
  }

  // In-place operators count as those that return a new tensor: canonicalize() makes them so.
  std::string text() const {
    std::string full = op_.name();
    if (const size_t at = full.find("_."); at != std::string::npos && full[at - 1] != '_') full.erase(at, 1);
    for (const auto& [name, value] : args_) full += fmt::format(" {}={}", name, value);
    return full;
  }

  std::string short_text() const {
    const std::string full = text();
    return shorten(full.substr(0, full.find(' ')), full);
  }

 private:
  std::string default_text(const std::string& name) const {
    if (handle_ == nullptr) return "";
    for (const c10::Argument& arg : handle_->schema().arguments()) {
      if (arg.name() != name || !arg.default_value()) continue;
      const c10::IValue& value = *arg.default_value();
      if (value.isNone()) return "none";
      if (value.isBool()) return value.toBool() ? "true" : "false";
      if (value.isInt()) return number_text(static_cast<double>(value.toInt()));
      if (value.isDouble()) return number_text(value.toDouble());
      if (value.isString()) return value.toStringRef();
      if (value.isIntList()) {
        std::string list = "[";
        for (const int64_t item : value.toIntVector()) list += number_text(static_cast<double>(item)) + ",";
        return list + "]";
      }
    }
    return "";
  }

  OpId op_;
  const c10::OperatorHandle* handle_;
  std::map<std::string, std::string> args_;
};

class OurListing {
 public:
  explicit OurListing(const Program& program) : program_(program) {}

  Listing list() {
    Listing listing;
    for (const Argument& input : program_.graph().inputs()) {
      const Value* value = value_of(input);
      if (value == nullptr) continue;
      const at::Tensor* tensor = program_.tensor_of(value);
      values_[value] = tensor != nullptr ? constant_text(*tensor) : "%" + value->name();
    }
    for (const Node& node : program_.graph()) {
      Call call(node.op());
      for (size_t i = 0; i < node.args().size(); ++i) {
        const NamedArgument& arg = node.args()[i];
        call.set(arg.name.empty() ? std::to_string(i) : arg.name, std::visit(*this, arg.value));
      }
      const std::string text = call.short_text();
      ++listing[text];
      describe_outputs(node, text);
    }
    std::string outputs = "output";
    for (const Argument& output : program_.graph().outputs()) outputs += " " + std::visit(*this, output);
    ++listing[outputs];
    return listing;
  }

  std::string operator()(std::monostate) { return "none"; }
  std::string operator()(const Value* value) { return value == nullptr ? "none" : values_.at(value); }
  std::string operator()(bool value) { return value ? "true" : "false"; }
  std::string operator()(int64_t value) { return number_text(static_cast<double>(value)); }
  std::string operator()(double value) { return number_text(value); }
  std::string operator()(const std::string& value) { return value; }
  std::string operator()(at::ScalarType value) { return dtype_text(value); }
  std::string operator()(at::Layout) { return "torch.strided"; }
  std::string operator()(at::MemoryFormat value) { return fmt::format("memory_format {}", static_cast<int>(value)); }
  std::string operator()(const at::Device& value) { return value.str(); }
  std::string operator()(const SubgraphArgument& value) { return value.name; }
  std::string operator()(const OperatorArgument& value) {
    return value.name.starts_with("torch.ops.") ? value.name.substr(10) : value.name;
  }
  std::string operator()(const OpaqueArgument& value) { return value.json; }
  std::string operator()(const ScalarOrValue& item) {
    return std::visit([&](const auto& value) { return (*this)(value); }, item);
  }
  template <typename T>
  std::string operator()(const std::vector<T>& values) {
    std::string list = "[";
    for (const auto& value : values) list += (*this)(value) + ",";
    return list + "]";
  }

 private:
  void describe_outputs(const Node& node, const std::string& text) {
    const bool single = node.output() != nullptr;
    int index = 0;
    for (const Value* value : node.values()) {
      values_[value] = single ? text : shorten("getitem", fmt::format("{} {}", text, index));
      ++index;
    }
  }

  const Program& program_;
  std::map<const Value*, std::string> values_;
};

class TheirListing {
 public:
  explicit TheirListing(const GraphCase& golden) : golden_(golden) {}

  Listing list() {
    Listing listing;
    for (const Json& node : golden_.json()["converted_graph"]) {
      const std::string op = node["op"];
      const std::string name = node["name"];
      const std::string target = node["target"];
      if (op == "placeholder") {
        values_[name] = "%" + name;
      } else if (op == "get_attr") {
        values_[name] = golden_.has("state." + target) ? constant_text(golden_.tensor("state." + target)) : target;
      } else if (op == "output") {
        std::string outputs = "output";
        flatten_outputs(node["args"], outputs);
        ++listing[outputs];
      } else if (op == "call_function" && target == "<built-in function getitem>") {
        values_[name] = shorten("getitem", fmt::format("{} {}", text_of(node["args"][0]), node["args"][1].get<int>()));
      } else if (op == "call_function") {
        values_[name] = call_text(node, target);
        ++listing[values_[name]];
      }
    }
    return listing;
  }

 private:
  // The reference rewrite names an operator without its overload where that is the default one: "aten.clamp".
  static std::string full_name(const std::string& target) {
    if (target == "out_dtype") return "higher_order.out_dtype";
    return std::count(target.begin(), target.end(), '.') == 1 ? target + ".default" : target;
  }

  std::string call_text(const Json& node, const std::string& target) {
    const OpId op(full_name(target));
    Call call(op);
    for (size_t i = 0; i < node["args"].size(); ++i) call.set(call.name_of(i), text_of(node["args"][i]));
    if (node.contains("kwargs")) {
      for (const auto& [key, value] : node["kwargs"].items()) call.set(key, text_of(value));
    }
    return call.short_text();
  }

  std::string text_of(const Json& arg) {
    if (arg.is_null()) return "none";
    if (arg.is_boolean()) return arg.get<bool>() ? "true" : "false";
    if (arg.is_number()) return number_text(arg.get<double>());
    if (arg.is_object() && arg.contains("f"))
      return number_text(std::strtod(arg["f"].get<std::string>().c_str(), nullptr));
    if (arg.is_array()) {
      std::string list = "[";
      for (const Json& item : arg) list += text_of(item) + ",";
      return list + "]";
    }
    const std::string text = arg.get<std::string>();
    return text.starts_with('%') ? values_.at(text.substr(1)) : text;
  }

  // The output is a tree of lists and dicts; the program knows the leaves in order.
  void flatten_outputs(const Json& tree, std::string& outputs) {
    if (tree.is_array() || tree.is_object()) {
      for (const Json& item : tree) flatten_outputs(item, outputs);
    } else {
      outputs += " " + text_of(tree);
    }
  }

  const GraphCase& golden_;
  std::map<std::string, std::string> values_;
};

}  // namespace

Listing listing_of(const Program& program) { return OurListing(program).list(); }
Listing listing_of(const GraphCase& golden) { return TheirListing(golden).list(); }

std::string listing_difference(const Listing& ours, const Listing& theirs) {
  std::string text;
  int shown = 0;
  const auto compare = [&](const Listing& a, const Listing& b, const char* whose) {
    for (const auto& [node, count] : a) {
      const auto found = b.find(node);
      const int other = found == b.end() ? 0 : found->second;
      if (count > other && ++shown <= 12) text += fmt::format("{} {} × {}; ", whose, count - other, node);
    }
  };
  compare(ours, theirs, "ours alone:");
  compare(theirs, ours, "PyTorch's alone:");
  return text;
}

}  // namespace torquant::golden
