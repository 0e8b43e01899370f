#pragma once

#include <CLI/CLI.hpp>

namespace torquant::cli {

// What the process ends with. CLI11's own usage errors are mapped to kUsage by main().
enum ExitCode : int {
  kDone = 0,     // done as asked
  kError = 1,    // not done
  kUsage = 2,    // the command line was wrong
  kPartial = 3,  // done with less than asked, which --allow-partial permitted
};

// Each adds one subcommand whose callback does the work and stores how it ended.
void add_inspect(CLI::App& app, ExitCode& exit_code);
void add_plan(CLI::App& app, ExitCode& exit_code);
void add_recipes(CLI::App& app, ExitCode& exit_code);
void add_quantize(CLI::App& app, ExitCode& exit_code);
void add_merge_observers(CLI::App& app, ExitCode& exit_code);
void add_lower(CLI::App& app, ExitCode& exit_code);
void add_compare(CLI::App& app, ExitCode& exit_code);
void add_eval(CLI::App& app, ExitCode& exit_code);
void add_run(CLI::App& app, ExitCode& exit_code);
void add_bench(CLI::App& app, ExitCode& exit_code);
void add_doctor(CLI::App& app, ExitCode& exit_code);
void add_capabilities(CLI::App& app, ExitCode& exit_code);

}  // namespace torquant::cli
