#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "torquant/cli/commands.h"
#include "torquant/cli/inputs.h"
#include "torquant/cli/output.h"
#include "torquant/core/error.h"
#include "torquant/explain/compare_stages.h"
#include "torquant/format/tqm_file.h"
#include "torquant/io/pt2.h"
#include "torquant/lower/runtime.h"

namespace torquant::cli {
namespace {

struct Options {
  std::string program, model, input;
  bool stages = false;
  bool json = false;
};

// A model from its file, or made here.
struct Made {
  std::shared_ptr<const format::TqmFile> file;
  RuntimeModel lowered;
  const format::Model& model() const { return file == nullptr ? lowered.model : file->model(); }
};

Made make_model(const Options& options, const Program& program) {
  const std::string source = fingerprint_of_file(options.program);
  if (options.model.empty()) {
    try {
      return {.file = nullptr, .lowered = lower_to_runtime(program.clone(), source)};
    } catch (const Error& error) {
      throw error.within(options.program);
    }
  }
  Result<std::shared_ptr<const format::TqmFile>> file = format::TqmFile::open(options.model);
  if (!file.ok()) throw Error(file.error());
  if ((*file)->model().source != source) {
    throw Error({.where = options.model,
                 .what = fmt::format("was not made of {}", options.program),
                 .hint = "torquant lower makes a model of a program; without one, compare makes it itself"});
  }
  return {.file = *std::move(file), .lowered = {}};
}

std::vector<at::Tensor> input_tensors(const std::string& path, const Program& program) {
  std::vector<std::string> names;
  for (const Value* input : program.user_inputs()) names.push_back(input->name());
  std::vector<at::Tensor> tensors;
  for (const c10::IValue& input : read_inputs(path, names)) tensors.push_back(input.toTensor());
  return tensors;
}

// Where the node of `stages[i]` ran: by itself, or with one behind it.
std::vector<size_t> where_compared(const std::vector<Stage>& stages) {
  std::vector<size_t> where(stages.size());
  for (size_t i = 0; i < stages.size(); ++i) {
    where[i] = i;
    for (const size_t other : stages[i].with) where[other] = i;
  }
  return where;
}

std::string decibels(double sqnr) { return std::isinf(sqnr) ? "equal" : fmt::format("{:.1f} dB", sqnr); }
std::string steps_text(const Stage& stage, const Difference& difference) {
  return stage.is_codes ? fmt::format("{}", difference.steps) : decibels(difference.sqnr);
}

void print_stages(const std::vector<Stage>& stages) {
  const std::vector<size_t> where = where_compared(stages);
  std::vector<std::vector<std::string>> rows = {
      {"node", "operation", "output", "alone: differ", "steps", "in the chain: differ", "steps", "SQNR"}};
  for (size_t i = 0; i < stages.size(); ++i) {
    const Stage& stage = stages[i];
    std::vector<std::string> row = {stage.node, stage.operation, fmt::format("{}", fmt::join(stage.sizes, "x"))};
    if (stage.alone) {
      row.insert(row.end(), {with_commas(stage.alone->differing), steps_text(stage, *stage.alone),
                             with_commas(stage.in_chain->differing), steps_text(stage, *stage.in_chain),
                             decibels(stage.in_chain->sqnr)});
    } else {
      const bool is_part = where[i] != i;
      row.push_back(is_part ? fmt::format("with {} ({})", stages[where[i]].node, stages[where[i]].operation)
                            : "the program has no such value");
    }
    rows.push_back(std::move(row));
  }
  print_table(rows);
}

nlohmann::ordered_json json_of(const Stage& stage, const std::optional<Difference>& difference) {
  if (!difference) return nullptr;
  nlohmann::ordered_json json = {{"differing", difference->differing}};
  if (stage.is_codes) json["steps"] = difference->steps;
  json["sqnr_db"] = difference->sqnr;  // null where all are equal: JSON has no infinity
  return json;
}

nlohmann::ordered_json json_of(const std::vector<Stage>& stages) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Stage& stage : stages) {
    list.push_back({{"node", stage.node},
                    {"operation", stage.operation},
                    {"value", stage.value},
                    {"sizes", stage.sizes},
                    {"alone", json_of(stage, stage.alone)},
                    {"with", stage.with},
                    {"in_chain", json_of(stage, stage.in_chain)}});
  }
  return list;
}

// `worst`: the one with the most steps.
std::string summary_of(const Stage& worst, const std::vector<Stage>& stages) {
  const int64_t most = worst.alone && worst.is_codes ? worst.alone->steps : -1;
  if (most == 0) return "all codes are equal";
  if (most > 0) return fmt::format("at most {} step{} ({})", most, most == 1 ? "" : "s", worst.node);
  const auto sqnr = [](const Stage& stage) { return stage.alone ? stage.alone->sqnr : INFINITY; };
  const Stage& least = *std::ranges::min_element(stages, {}, sqnr);
  return fmt::format("{} at least ({})", decibels(sqnr(least)), least.node);
}

void compare(const Options& options) {
  const Program program = load_pt2(options.program);
  const std::vector<at::Tensor> inputs = input_tensors(options.input, program);
  const Made made = make_model(options, program);
  const std::vector<Stage> stages = compare_stages(program, made.model(), inputs);

  const auto steps = [](const Stage& stage) { return stage.alone && stage.is_codes ? stage.alone->steps : -1; };
  const Stage& worst = *std::ranges::max_element(stages, {}, [&](const Stage& stage) { return steps(stage); });
  size_t compared = 0;  // also together with one behind it
  for (const size_t at : where_compared(stages)) compared += stages[at].alone ? 1 : 0;
  const auto output = [&](format::ValueIndex index) -> const Stage& {
    const std::string& name = made.model().values[index].name;
    return *std::ranges::find(stages, name, &Stage::value);
  };
  if (compared == 0) {
    throw Error({.where = made.file == nullptr ? options.program : options.model,
                 .what = "has no value that is named as one of the program"});
  }
  if (options.json) {
    nlohmann::ordered_json outputs = nlohmann::ordered_json::array();
    for (const format::ValueIndex index : made.model().outputs)
      outputs.push_back({{"value", output(index).value}, {"in_chain", json_of(output(index), output(index).in_chain)}});
    const nlohmann::ordered_json result = {{"nodes", json_of(stages)},
                                           {"compared", compared},
                                           {"most_steps", std::max<int64_t>(0, steps(worst))},
                                           {"outputs", outputs}};
    fmt::print("{}\n", result.dump());
  } else {
    print_stages(stages);
    fmt::print("\n{} of {} nodes alone: {}", compared, stages.size(), summary_of(worst, stages));
    for (const format::ValueIndex index : made.model().outputs) {
      const std::optional<Difference>& end = output(index).in_chain;
      fmt::print("; output {} in the chain: {}", output(index).value, end ? decibels(end->sqnr) : "not compared");
    }
    fmt::print("\n");
  }
  const auto bad = std::ranges::find_if_not(stages, &Stage::holds);
  if (bad == stages.end()) return;
  throw Error({.where = fmt::format("{} ({})", bad->node, bad->operation),
               .what = bad->is_codes ? fmt::format("alone, its codes differ by up to {} steps", bad->alone->steps)
                                     : fmt::format("alone, it is {} from the program", decibels(bad->alone->sqnr)),
               .allowed = bad->is_codes ? "1 step" : fmt::format("{:.0f} dB or more", bad->least_sqnr())});
}

}  // namespace

void add_compare(CLI::App& app, ExitCode& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("compare", "Compare a quantized program with its model for the runtime");
  command->add_option("PROGRAM", options->program, "A .pt2 archive that `torquant quantize` wrote")->required();
  command->add_option("MODEL", options->model, "The .tqm made of it; if absent, it is made in memory");
  command
      ->add_flag("--stages", options->stages, "Node by node: each by itself on the program's values, and all in a row")
      ->required();
  command->add_option("--input", options->input, "Safetensors with x0, x1, … or the names of the program's inputs")
      ->required();
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &exit_code] {
    compare(*options);
    exit_code = kDone;
  });
}

}  // namespace torquant::cli
