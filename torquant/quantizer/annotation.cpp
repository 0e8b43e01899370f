#include "torquant/quantizer/annotation.h"

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
  return annotations_[node];
}

const QuantizationAnnotation* Annotations::find(const Node* node) const {
  const auto found = annotations_.find(node);
  return found == annotations_.end() ? nullptr : &found->second;
}

const std::string* Annotations::reason(const Node* node) const {
  const auto found = reasons_.find(node);
  return found == reasons_.end() ? nullptr : &found->second;
}

}  // namespace torquant
