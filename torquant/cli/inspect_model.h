#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace torquant::cli {

// What `inspect` says of the .tqm model at `path`. Throws Error where it is none that can be run.
nlohmann::ordered_json inspect_model(const std::string& path);
void print_model(const nlohmann::ordered_json& model, bool layers);

}  // namespace torquant::cli
