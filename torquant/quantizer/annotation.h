#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "torquant/graph/program.h"
#include "torquant/quantizer/quantization_spec.h"

namespace torquant {

// How one node is to be quantized.
struct QuantizationAnnotation {
  // By the value that the node reads, in the order in which the quantizer named them. A value that is absent stays
  // in float.
  std::vector<std::pair<const Value*, AnyQuantizationSpec>> input_qspec_map = {};
  // Of the node's first output.
  std::optional<AnyQuantizationSpec> output_qspec = std::nullopt;
  // Places that read or hold the same value with equal options may share one observer.
  bool allow_implicit_sharing = true;

  void set_input(const Value* value, AnyQuantizationSpec spec);
  const AnyQuantizationSpec* find_input(const Value* value) const;
  bool empty() const { return input_qspec_map.empty() && !output_qspec; }
};

// What a quantizer says about a program: annotations by node, and why it left nodes out.
class Annotations {
 public:
  // The node's annotation, made on first use. The node counts as annotated from then on. Throws Error when another
  // author made it.
  QuantizationAnnotation& annotate(const Node* node);
  const QuantizationAnnotation* find(const Node* node) const;

  // Part of a pattern that was taken: a node without specs of its own, or a weight that must not be taken twice.
  void mark(const Node* node) { marked_nodes_.insert(node); }
  void mark(const Value* weight) { marked_values_.insert(weight); }
  bool is_annotated(const Node* node) const { return annotations_.contains(node) || marked_nodes_.contains(node); }
  bool is_annotated(const Value* weight) const { return marked_values_.contains(weight); }

  // Why a node that could be quantized was not; the first reason stays. Forgotten once the node is annotated.
  void refuse(const Node* node, std::string reason) { reasons_.try_emplace(node, std::move(reason)); }
  const std::string* reason(const Node* node) const;

  size_t size() const { return annotations_.size(); }

  // Of several quantizers that annotate one program, the one at work: while it lives, annotations are made in its name.
  class Author {
   public:
    Author(Annotations& annotations, std::string name);
    Author(const Author&) = delete;
    Author& operator=(const Author&) = delete;
    ~Author();

   private:
    Annotations& annotations_;
    std::string outer_;
  };

 private:
  struct Entry {
    QuantizationAnnotation annotation;
    std::string author;
  };
  std::unordered_map<const Node*, Entry> annotations_;
  std::string author_;  // "" for a quantizer alone
  std::unordered_set<const Node*> marked_nodes_;
  std::unordered_set<const Value*> marked_values_;
  std::unordered_map<const Node*, std::string> reasons_;
};

}  // namespace torquant
