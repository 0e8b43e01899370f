#pragma once

#include <ATen/core/ivalue.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "torquant/graph/program.h"

namespace torquant::cli {

// The tensors that a program is called with once, from a safetensors file: by the names of its inputs, else x0, x1, …
// Throws Error that names what is missing or too much.
std::vector<c10::IValue> read_inputs(const std::string& path, const std::vector<std::string>& input_names);

// Of its bytes: what a model keeps of the program that it was made from.
std::string fingerprint_of_file(const std::string& path);

// --lower: how the program is to be computed.
void add_lower_option(CLI::App& command, std::string& lower);

// The program at `path`; with "onednn" lowered to integer arithmetic, and a word on stderr of what stays in float.
Program load_lowered(const std::string& path, const std::string& lower);

}  // namespace torquant::cli
