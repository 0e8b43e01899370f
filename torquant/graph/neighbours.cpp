#include "torquant/graph/neighbours.h"

#include "torquant/graph/graph.h"

namespace torquant {

Value* first_input(const Node& node) { return node.args().empty() ? nullptr : value_of(node.args()[0].value); }

Node* sole_producer(const Value* value) {
  return value == nullptr || value->users().size() != 1 ? nullptr : value->producer();
}

Node* sole_reader(const Value* value) {
  if (value == nullptr || value->users().size() != 1) return nullptr;
  Node* reader = value->users()[0];
  return reader == &reader->graph().output_node() ? nullptr : reader;
}

}  // namespace torquant
