#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "torquant/graph/program.h"

// The JSON of models/<name>.json and of the payload configs, piece by piece, in both directions
// (torch/_export/serde/schema.py, version 8.20). Readers throw Error; the caller adds file and node.
namespace torquant::pt2 {

using Json = nlohmann::json;

inline constexpr int kSchemaMajor = 8;
inline constexpr int kSchemaMinor = 20;

// The member `key` of an object; Errors say what is missing or that `json` is no object.
const Json& member(const Json& json, const char* key);
// The one member of a union: its tag and its value.
std::pair<std::string, const Json&> union_of(const Json& json);

// Typed reads with an Error that names the key.
std::string string_at(const Json& json, const char* key);
int64_t int_at(const Json& json, const char* key);
bool bool_at(const Json& json, const char* key);
double to_double(const Json& json);  // a number, or "Infinity", "-Infinity", "NaN"
Json from_double(double value);

// Enum codes of the schema, which are not c10's.
at::ScalarType dtype_from_code(int64_t code);
int64_t code_of(at::ScalarType dtype);
at::Layout layout_from_code(int64_t code);
int64_t code_of(at::Layout layout);
at::MemoryFormat memory_format_from_code(int64_t code);
int64_t code_of(at::MemoryFormat format);

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
