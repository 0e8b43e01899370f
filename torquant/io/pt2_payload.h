#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "torquant/graph/program.h"
#include "torquant/io/zip_archive.h"

namespace torquant::pt2 {

// Adds the tensors that a payload config lists to the state of `program`, in its order: {"config": {name: entry}}, with
// the tensors' bytes in records below `folder`. Tensors point into the archive's mapping; tied ones share a storage.
// Errors name the tensor.
void read_payloads(const ZipArchive& zip, const std::string& folder, const nlohmann::ordered_json& config,
                   Program& program);

}  // namespace torquant::pt2
