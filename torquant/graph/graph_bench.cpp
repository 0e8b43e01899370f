// What editing costs: n nodes of one wanted name are named, appended, linked and erased. A node costs as much among
// 5,000 as among 500.
#include <benchmark/benchmark.h>

#include "torquant/graph/graph.h"

namespace torquant {
namespace {

void build_and_erase(benchmark::State& state) {
  const OpId op("aten.relu.default");
  for (auto _ : state) {
    Graph graph;
    Value* value = graph.add_input("x", TensorMeta{});
    for (int64_t i = 0; i < state.range(0); ++i) {
      Node* node = graph.append(op, graph.unique_name("relu"), {{"self", value}});
      value = graph.add_output(node, node->name(), TensorMeta{});
    }
    const std::vector<Node*> nodes = graph.nodes_snapshot();
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) graph.erase(*node);
  }
  state.counters["per_node"] = benchmark::Counter(
      static_cast<double>(state.range(0)), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(build_and_erase)->Arg(500)->Arg(5000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace torquant
