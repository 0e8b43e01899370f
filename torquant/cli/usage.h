#pragma once

#include <CLI/CLI.hpp>
#include <string>

// What CLI11 leaves out: words that a newcomer understands.
namespace torquant::cli {

// Accepts whole numbers from 1.
CLI::Validator at_least_one();

// What is wrong with the command line, and which help to read.
std::string usage_error_text(const CLI::App& app, const CLI::ParseError& error);

}  // namespace torquant::cli
