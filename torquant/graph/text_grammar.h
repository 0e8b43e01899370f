#pragma once

#include <map>
#include <string>

#include "torquant/graph/program.h"
#include "torquant/graph/text_scanner.h"

// The constructs of the text form (text.h), from small to large. Each is printed and read in one file.
namespace torquant::text {

// A text that is being read, and what its later parts depend on.
struct Reader {
  Scanner scan;
  std::map<std::string, int64_t> examples = {};  // by symbol, from the `range` lines
  int depth = 0;                                 // of arguments in each other
  size_t made_up_bytes = 0;                      // of the tensors that were read
};

// Runs `call`; an Error gets its place in the text, unless it has one.
template <typename Call>
auto at_position(const Scanner& scan, size_t position, Call call) -> decltype(call()) {
  try {
    return call();
  } catch (const TextError&) {
    throw;
  } catch (const Error& error) {
    scan.fail_at(position, error.what());
  }
}

// text_type.cpp: f32[2, 3] strides [1, 2], int(s0), object("class")
//   printed by to_text(const ValueMeta&)
ValueMeta read_type(Reader& reader);
at::Device read_device(Scanner& scan);

// text_argument.cpp: %x, 1e-05, [1, 2], torch.int8, graph "name" {...}
//   the lines of a subgraph are indented by `indent`
std::string value_text(const std::string& name);
std::string argument_text(const Argument& argument, const std::string& indent);
std::string read_value_name(Scanner& scan);
Argument read_argument(Reader& reader, Graph& graph);

// text_graph.cpp: inputs, node lines up to `return`, outputs
//   %y : f32[2] = aten.relu.default(self=%x) as %name @ module(type)
std::string input_text(const Argument& input, const std::string& indent);
std::string subgraph_text(const SubgraphArgument& subgraph, const std::string& indent);
std::string nodes_text(const Graph& graph, const std::string& indent);
Value* read_input(Reader& reader, Graph& graph);  // null for a constant
SubgraphArgument read_subgraph(Reader& reader);
void read_nodes(Reader& reader, Graph& graph);
void read_return(Scanner& scan);

// text_state.cpp: the inputs of a program, with the tensors behind them, and the tensors that no input reads
//   parameter %w : f32[8, 3] = "conv.weight" no-grad tied "other.weight"
std::string inputs_text(const Program& program);
void read_inputs(Reader& reader, Program& program);

}  // namespace torquant::text
