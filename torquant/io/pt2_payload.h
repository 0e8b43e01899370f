#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "torquant/graph/program.h"
#include "torquant/io/zip_archive.h"

namespace torquant::pt2 {

// Adds the tensors that the payload config `config` lists to the state of `program`, in its order. `json` is that
// record: {"config": {name: entry}}, with the tensors' bytes in records below `folder`. Tensors point into the
// archive's mapping; tied ones share a storage. Errors name file, record and tensor.
void read_payloads(const ZipArchive& zip, const std::string& folder, const std::string& config,
                   const nlohmann::ordered_json& json, Program& program);

}  // namespace torquant::pt2
