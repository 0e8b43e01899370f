#pragma once

#include <c10/core/Device.h>
#include <c10/core/Layout.h>
#include <c10/core/ScalarType.h>

#include <string>
#include <variant>
#include <vector>

#include "torquant/graph/dim.h"

namespace at {
class Tensor;
}

namespace torquant {

class Node;

// What is known of a tensor without running: as an archive records it.
struct TensorMeta {
  at::ScalarType dtype = at::kFloat;
  std::vector<Dim> sizes = {};
  std::vector<Dim> strides = {};  // elements
  Dim storage_offset = int64_t{0};
  bool requires_grad = false;
  at::Device device = at::kCPU;
  at::Layout layout = at::kStrided;

  size_t rank() const { return sizes.size(); }
};

// A tensor of this dtype and these sizes, dense and row-major.
TensorMeta contiguous_meta(at::ScalarType dtype, std::vector<Dim> sizes);
// The description of a real tensor.
TensorMeta meta_of(const at::Tensor& tensor);

enum class ScalarKind : uint8_t { kInt, kFloat, kBool };

// A scalar computed in the graph, with what is known of its value: of kInt a Dim, of kFloat a double, of kBool a bool.
struct ScalarMeta {
  ScalarKind kind = ScalarKind::kInt;
  std::variant<std::monostate, Dim, double, bool> value = {};
  std::string raw = {};  // the archive's own entry; written back untouched
};

// A TorchBind or opaque object.
struct ObjectMeta {
  std::string class_fqn;
};

using ValueMeta = std::variant<TensorMeta, ScalarMeta, ObjectMeta>;

// One value of a graph: an input, or one output of a node. Owned by its Graph, at a stable address.
class Value {
 public:
  const std::string& name() const { return name_; }
  const ValueMeta& meta() const { return meta_; }
  ValueMeta& meta() { return meta_; }

  bool is_tensor() const { return std::holds_alternative<TensorMeta>(meta_); }
  // Throws std::bad_variant_access for what is no tensor: ask is_tensor() first.
  const TensorMeta& tensor() const { return std::get<TensorMeta>(meta_); }
  TensorMeta& tensor() { return std::get<TensorMeta>(meta_); }

  // The node that computes it; null for an input of the graph.
  Node* producer() const { return producer_; }
  // Of an input: its position among the graph's inputs.
  size_t input_index() const { return input_index_; }

  // The nodes that read it, each once, in the order in which they began to. The graph's output counts as a node.
  const std::vector<Node*>& users() const { return users_; }

 private:
  friend class Graph;
  friend class Node;
  Value(std::string name, ValueMeta meta) : name_(std::move(name)), meta_(std::move(meta)) {}

  std::string name_;
  ValueMeta meta_;
  Node* producer_ = nullptr;
  size_t input_index_ = 0;
  std::vector<Node*> users_;
};

}  // namespace torquant
