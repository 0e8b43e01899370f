// The command line tool. It alone prints and exits; results go to stdout, everything else to stderr.
#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "torquant/cli/commands.h"
#include "torquant/cli/interrupt.h"
#include "torquant/cli/usage.h"

namespace {

int report(const char* text) {
  fmt::print(stderr, "error: {}\n", text);
  return torquant::cli::kError;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace torquant::cli;
  CLI::App app(
      "Quantizes PyTorch programs (.pt2 archives of torch.export) without Python.\n\n"
      "  torquant inspect  model.pt2                                  what is in it\n"
      "  torquant plan     model.pt2 --recipe xnnpack-static          what would be done to each layer\n"
      "  torquant recipes                                             what can be done\n"
      "  torquant quantize model.pt2 --recipe xnnpack-static --data calib/ -o model.int8.pt2\n"
      "  torquant eval     model.int8.pt2 --data test/                how good it is\n"
      "  torquant lower    model.int8.pt2 -o model.tqm                for the runtime\n\n"
      "Exit codes: 0 done as asked, 1 error, 2 wrong usage, 3 done with less than asked (--allow-partial).",
      "torquant");
  app.set_version_flag("--version", TORQUANT_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  int threads = 0;
  app.add_option("--threads", threads, "Threads: of kernels, and in calibration samples at a time; all cores if absent")
      ->check(at_least_one());
  ExitCode exit_code = kDone;
  app.parse_complete_callback([&] {
    if (threads > 0) at::set_num_threads(threads);
  });
  for (const auto add : {add_inspect, add_recipes, add_plan, add_quantize, add_merge_observers, add_lower, add_compare,
                         add_eval, add_run, add_bench, add_capabilities, add_doctor}) {
    add(app, exit_code);
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) {
      fmt::print(stderr, "error: {}\n", usage_error_text(app, error));
      return kUsage;
    }
    app.exit(error);  // prints what --help and --version ask for
    return kDone;
  } catch (const Interrupted& interrupted) {
    fmt::print(stderr, "interrupted after {}; {}\n", interrupted.after, interrupted.kept);
    end_by_signal(interrupted.signal);
  } catch (const c10::Error& error) {
    return report(error.what_without_backtrace());
  } catch (const std::exception& error) {
    return report(error.what());
  }
  return exit_code;
}
