#pragma once

#include <functional>
#include <memory>
#include <string>

#include "torquant/graph/program.h"
#include "torquant/io/pt2_json.h"

// The JSON of models/<name>.json and of the payload configs, piece by piece, in both directions
// (torch/_export/serde/schema.py, version 8.20). Readers throw Error; the caller adds file and node.
namespace torquant::pt2 {

inline constexpr int kSchemaMajor = 8;
inline constexpr int kSchemaMinor = 20;

Dim read_dim(const Json& json);
Json write_dim(const Dim& dim);
TensorMeta read_tensor_meta(const Json& json);
Json write_tensor_meta(const TensorMeta& meta);

// Arguments refer to values by name.
using FindValue = std::function<Value*(const std::string& name)>;
Argument read_argument(const Json& json, const FindValue& find_value);
Json write_argument(const Argument& argument);

std::unique_ptr<Graph> read_graph(const Json& json);
void read_graph_into(Graph& graph, const Json& json);
Json write_graph(const Graph& graph);

}  // namespace torquant::pt2
