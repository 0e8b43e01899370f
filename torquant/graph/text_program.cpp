#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <set>

#include "torquant/graph/text.h"
#include "torquant/graph/text_grammar.h"
#include "torquant/graph/text_words.h"

namespace torquant {
namespace {

using text::Reader;
using text::Scanner;

// The example value of each symbol, from the sizes that are just the symbol.
std::map<std::string, int64_t> example_sizes(const Graph& graph) {
  std::map<std::string, int64_t> examples;
  const auto collect = [&](const Dim& dim) {
    const auto* symbolic = std::get_if<SymbolicDim>(&dim);
    if (symbolic == nullptr || !symbolic->hint) return;
    if (const auto name = symbolic->expr.symbol_name()) examples.emplace(*name, *symbolic->hint);
  };
  const auto visit = [&](const Value& value) {
    if (const auto* tensor = std::get_if<TensorMeta>(&value.meta())) {
      for (const Dim& dim : tensor->sizes) collect(dim);
    } else if (const auto* scalar = std::get_if<ScalarMeta>(&value.meta())) {
      if (const auto* dim = std::get_if<Dim>(&scalar->value)) collect(*dim);
    }
  };
  for (const Argument& input : graph.inputs()) {
    if (const Value* value = value_of(input)) visit(*value);
  }
  for (const Node& node : graph) {
    for (const Value* value : node.values()) visit(*value);
  }
  return examples;
}

// range s6 1..64 example 4
std::string ranges_text(const Program& program) {
  const std::map<std::string, int64_t> examples = example_sizes(program.graph());
  std::set<std::string> symbols;
  for (const auto& [symbol, range] : program.ranges()) symbols.insert(symbol);
  for (const auto& [symbol, example] : examples) symbols.insert(symbol);
  const auto bound = [](const std::optional<int64_t>& value) { return value ? std::to_string(*value) : ""; };
  std::string lines;
  for (const std::string& symbol : symbols) {
    const auto found = program.ranges().find(symbol);
    const SymbolRange range = found == program.ranges().end() ? SymbolRange{} : found->second;
    lines += fmt::format("range {} {}..{}", text::name_text(symbol), bound(range.min), bound(range.max));
    if (const auto example = examples.find(symbol); example != examples.end()) {
      lines += fmt::format(" example {}", example->second);
    }
    lines += "\n";
  }
  return lines;
}

void read_ranges(Reader& reader, Program& program) {
  Scanner& scan = reader.scan;
  while (scan.take_word("range")) {
    const std::string symbol = scan.name();
    SymbolRange& range = program.ranges()[symbol];
    if (scan.at_integer()) range.min = scan.integer();
    scan.expect('.');
    scan.expect('.');
    if (scan.at_integer()) range.max = scan.integer();
    if (scan.take_word("example")) reader.examples[symbol] = scan.integer();
  }
}

// return %a, buffer_mutation("bn.running_mean") %b
std::string outputs_text(const Program& program) {
  std::vector<std::string> outputs;
  for (const Argument& output : program.graph().outputs()) {
    const OutputSpec& spec = program.output_specs().at(outputs.size());
    std::string kind;
    if (spec.kind != OutputKind::kUser) {
      kind = fmt::format("{}({}) ", text::word_of(text::kOutputKinds, spec.kind), text::in_quotes(spec.target));
    }
    outputs.push_back(kind + text::argument_text(output, ""));
  }
  return fmt::format("return{}{}\n", outputs.empty() ? "" : " ", fmt::join(outputs, ", "));
}

void read_outputs(Reader& reader, Program& program) {
  Scanner& scan = reader.scan;
  read_return(scan);
  std::vector<Argument> outputs;
  while (!scan.at_end()) {
    if (!outputs.empty()) scan.expect(',');
    OutputSpec spec;
    const size_t at = scan.position();
    if (const OutputKind* kind = find_word(text::kOutputKinds, scan.word())) {
      spec = {*kind, scan.quoted_in_brackets()};
    } else {
      scan.back_to(at);
    }
    outputs.push_back(read_argument(reader, program.graph()));
    program.output_specs().push_back(std::move(spec));
  }
  program.graph().set_outputs(std::move(outputs));
}

}  // namespace

std::string to_text(const Program& program) {
  return ranges_text(program) + text::inputs_text(program) + text::nodes_text(program.graph(), "") +
         outputs_text(program);
}

Program parse_program(std::string_view text) {
  Program program;
  Reader reader{Scanner(text)};
  read_ranges(reader, program);
  read_inputs(reader, program);
  read_nodes(reader, program.graph());
  read_outputs(reader, program);
  return program;
}

}  // namespace torquant
