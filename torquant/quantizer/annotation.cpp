#include "torquant/quantizer/annotation.h"

#include <fmt/format.h>

#include "torquant/core/error.h"

namespace torquant {

void QuantizationAnnotation::set_input(const Value* value, AnyQuantizationSpec spec) {
  for (auto& [known, old] : input_qspec_map) {
    if (known == value) {
      old = std::move(spec);
      return;
    }
  }
  input_qspec_map.emplace_back(value, std::move(spec));
}

const AnyQuantizationSpec* QuantizationAnnotation::find_input(const Value* value) const {
  for (const auto& [known, spec] : input_qspec_map) {
    if (known == value) return &spec;
  }
  return nullptr;
}

QuantizationAnnotation& Annotations::annotate(const Node* node) {
  reasons_.erase(node);
  const auto [found, fresh] = annotations_.try_emplace(node, Entry{.annotation = {}, .author = author_});
  if (found->second.author != author_) {
    throw Error({.where = node->describe(),
                 .what = fmt::format("{} annotates it, but {} has done so already", author_, found->second.author),
                 .hint = "let a rule or filter function of one of them leave it out"});
  }
  return found->second.annotation;
}

const QuantizationAnnotation* Annotations::find(const Node* node) const {
  const auto found = annotations_.find(node);
  return found == annotations_.end() ? nullptr : &found->second.annotation;
}

Annotations::Author::Author(Annotations& annotations, std::string name)
    : annotations_(annotations), outer_(std::exchange(annotations.author_, std::move(name))) {}
Annotations::Author::~Author() { annotations_.author_ = std::move(outer_); }

const std::string* Annotations::reason(const Node* node) const {
  const auto found = reasons_.find(node);
  return found == reasons_.end() ? nullptr : &found->second;
}

}  // namespace torquant
