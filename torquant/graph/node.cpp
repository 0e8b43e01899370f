#include "torquant/graph/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "torquant/graph/graph.h"

namespace torquant {

const Argument* Node::find_arg(std::string_view name) const {
  for (const NamedArgument& arg : args_) {
    if (arg.name == name) return &arg.value;
  }
  return nullptr;
}

Value* Node::input(std::string_view name) const {
  const Argument* argument = find_arg(name);
  return argument == nullptr ? nullptr : value_of(*argument);
}

void Node::remove_uses() {
  for (Value* value : inputs()) std::erase(value->users_, this);
}

void Node::add_uses() {
  for (Value* value : inputs()) {
    if (std::find(value->users_.begin(), value->users_.end(), this) == value->users_.end()) {
      value->users_.push_back(this);
    }
  }
}

void Node::set_arg(std::string_view name, Argument value, bool keyword) {
  const std::vector<Value*> before = inputs();
  const auto found = std::find_if(args_.begin(), args_.end(), [&](const auto& arg) { return arg.name == name; });
  if (found != args_.end()) {
    found->value = std::move(value);
  } else {
    args_.push_back({std::string(name), std::move(value), keyword});
  }
  const std::vector<Value*> after = inputs();
  for (Value* old : before) {
    if (std::find(after.begin(), after.end(), old) == after.end()) std::erase(old->users_, this);
  }
  add_uses();
}

void Node::set_args(std::vector<NamedArgument> args) {
  remove_uses();
  args_ = std::move(args);
  add_uses();
}

void Node::replace_input(Value* from, Value* to) {
  bool found = false;
  for (NamedArgument& arg : args_) {
    for_each_value(arg.value, [&](Value*& value) {
      if (value == from) {
        value = to;
        found = true;
      }
    });
  }
  if (!found) return;
  std::erase(from->users_, this);
  add_uses();
}

Value* Node::output() const {
  const bool single = outputs_.size() == 1 && outputs_[0].values.size() == 1 && !outputs_[0].is_list;
  return single ? outputs_[0].values[0] : nullptr;
}

std::vector<Value*> Node::values() const {
  std::vector<Value*> all;
  for (const OutputGroup& group : outputs_) all.insert(all.end(), group.values.begin(), group.values.end());
  return all;
}

std::vector<Value*> Node::inputs() const {
  std::vector<Value*> all;
  for (const NamedArgument& arg : args_) {
    for_each_value(arg.value, [&](Value* value) {
      if (std::find(all.begin(), all.end(), value) == all.end()) all.push_back(value);
    });
  }
  return all;
}

const std::string* Node::find_metadata(std::string_view key) const {
  for (const auto& [name, text] : metadata_) {
    if (name == key) return &text;
  }
  return nullptr;
}

void Node::set_metadata(std::string_view key, std::string text) {
  for (auto& [name, old] : metadata_) {
    if (name == key) {
      old = std::move(text);
      return;
    }
  }
  metadata_.emplace_back(std::string(key), std::move(text));
}

// "key,path,type" joined by ";". The path is what the exporter wrote: "layer1.0", or in older archives
// "L['self'].layer1[0]"; both are brought to the dotted form.
std::vector<ModuleScope> Node::module_stack() const {
  const std::string* text = find_metadata("nn_module_stack");
  std::vector<ModuleScope> scopes;
  if (text == nullptr) return scopes;
  size_t start = 0;
  while (start < text->size()) {
    const size_t end = std::min(text->find(';', start), text->size());
    const std::string_view entry = std::string_view(*text).substr(start, end - start);
    start = end + 1;
    const size_t first = entry.find(',');
    const size_t last = entry.rfind(',');
    if (first == std::string_view::npos || first == last) continue;
    std::string path;
    for (char c : entry.substr(first + 1, last - first - 1)) {
      if (c == '[') {
        path += '.';
      } else if (c != ']' && c != '\'' && c != '"') {
        path += c;
      }
    }
    for (const std::string_view prefix : {"L.self", "L__self__"}) {
      if (path.starts_with(prefix)) path = path.substr(prefix.size());
    }
    if (path.starts_with('.')) path = path.substr(1);
    scopes.push_back({std::move(path), std::string(entry.substr(last + 1))});
  }
  return scopes;
}

std::string Node::module_path() const {
  const std::vector<ModuleScope> scopes = module_stack();
  return scopes.empty() ? "" : scopes.back().path;
}

std::string Node::describe() const {
  const std::string path = module_path();
  return path.empty() ? fmt::format("%{} ({})", name_, op_.name())
                      : fmt::format("{} (%{}, {})", path, name_, op_.name());
}

}  // namespace torquant
