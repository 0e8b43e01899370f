#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "torquant/core/error.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/graph/verifier.h"
#include "torquant/io/pt2.h"
#include "torquant/io/pt2_payload.h"
#include "torquant/io/pt2_schema.h"
#include "torquant/io/pt2_signature.h"
#include "torquant/io/zip_archive.h"

namespace torquant {
namespace {

using pt2::Json;

[[noreturn]] void refuse(const std::string& path, std::string what, std::string allowed = {}, std::string hint = {}) {
  throw Error({.where = path, .what = std::move(what), .allowed = std::move(allowed), .hint = std::move(hint)});
}

// Says what kind of file it is when it is not an exported program.
void check_archive_kind(const ZipArchive& zip) {
  const std::string wanted = "an archive of torch.export.save from PyTorch 2.9 to 2.13";
  const bool has_code =
      std::any_of(zip.names().begin(), zip.names().end(), [](auto& name) { return name.starts_with("code/"); });
  if (zip.contains("serialized_exported_program.json")) {
    refuse(zip.path(), "is an exported program in the container that PyTorch up to 2.8 wrote", wanted,
           "load it with torch.export.load in PyTorch 2.9 or later and save it again");
  }
  if (zip.contains("constants.pkl") || has_code) {
    refuse(zip.path(), "is a TorchScript archive, not an exported program", wanted,
           "export the model with torch.export.export and torch.export.save");
  }
  if (zip.contains("data.pkl")) {
    refuse(zip.path(), "is a torch.save file (a state dict?), not an exported program", wanted);
  }
  if (!zip.contains("archive_format") || zip.bytes("archive_format") != "pt2") {
    refuse(zip.path(), "is a zip archive, but not of torch.export (it has no archive_format \"pt2\")", wanted);
  }
  if (!zip.contains("archive_version")) refuse(zip.path(), "has no archive_version", "0");
  if (const std::string_view version = zip.bytes("archive_version"); version != "0") {
    refuse(zip.path(), fmt::format("has archive_version {}", version.substr(0, 20)), "0");
  }
  if (zip.contains("byteorder") && zip.bytes("byteorder") != "little") {
    refuse(zip.path(), fmt::format("has byte order \"{}\"", zip.bytes("byteorder").substr(0, 20)), "little");
  }
}

std::string choose_model(const ZipArchive& zip, const std::string& wanted) {
  std::vector<std::string> models;
  bool has_aotinductor = false;
  for (const std::string& name : zip.names()) {
    if (name.starts_with("models/") && name.ends_with(".json")) models.push_back(name.substr(7, name.size() - 12));
    has_aotinductor |= name.starts_with("data/aotinductor/");
  }
  if (models.empty()) {
    refuse(zip.path(),
           has_aotinductor ? "is an AOTInductor package: compiled code without a graph"
                           : "holds no exported program (no models/*.json)",
           "an archive of torch.export.save");
  }
  if (wanted.empty() && models.size() == 1) return models[0];
  if (std::find(models.begin(), models.end(), wanted) != models.end()) return wanted;
  refuse(zip.path(), wanted.empty() ? "holds several programs" : fmt::format("holds no program \"{}\"", wanted),
         fmt::format("one of {}", fmt::join(models, ", ")), "name one in C++: load_pt2(path, {.model_name = …})");
}

template <typename Result>
Result parse_json(const ZipArchive& zip, const std::string& record) {
  if (!zip.contains(record)) refuse(zip.path(), fmt::format("has no record {}", record));
  // A thousandth of it may be in the file. The largest models' texts have some ten megabytes.
  constexpr uint64_t kMaxText = uint64_t{1} << 29;
  if (zip.size(record) > kMaxText) {
    refuse(zip.path(), fmt::format("{} has {} bytes", record, zip.size(record)),
           fmt::format("{} for a text", kMaxText));
  }
  try {
    return pt2::parse<Result>(zip.bytes(record));
  } catch (const Error& error) {
    throw error.within(record).within(zip.path());
  }
}

void check_operators(const Graph& graph) {
  for (const Node& node : graph) {
    if (node.op() == ops::kObserve) {
      throw Error({.where = "",
                   .what = "is a prepared program: it holds observers and is not converted yet",
                   .hint = "load it with load_prepared, calibrate it further, and convert it"});
    }
    if (node.op().is_dispatcher_op() && find_operator(node.op()) == nullptr) {
      throw Error({.where = node.describe(),
                   .what = fmt::format("operator {} is not known to this process", node.op().name()),
                   .hint = "load the library that registers it, or update LibTorch"});
    }
    for (const NamedArgument& arg : node.args()) {
      if (const auto* body = std::get_if<SubgraphArgument>(&arg.value)) check_operators(*body->graph);
    }
  }
}

void read_ranges(Program& program, const Json& ranges) {
  for (const auto& [symbol, range] : ranges.items()) {
    SymbolRange& target = program.ranges()[symbol];
    if (range.contains("min_val") && range["min_val"].is_number_integer()) target.min = range["min_val"];
    if (range.contains("max_val") && range["max_val"].is_number_integer()) target.max = range["max_val"];
  }
}

void read_model(Program& program, const Json& model) {
  const Json& version = pt2::member(model, "schema_version");
  const int64_t major = pt2::int_at(version, "major");
  if (major != pt2::kSchemaMajor) {
    throw Error({.where = "schema_version",
                 .what = fmt::format("{}.{} (written by PyTorch {})", major, pt2::int_at(version, "minor"),
                                     model.value("torch_version", "of unknown version")),
                 .allowed = fmt::format("{}.x", pt2::kSchemaMajor)});
  }
  const Json& module = pt2::member(model, "graph_module");
  pt2::read_graph_into(program.graph(), pt2::member(module, "graph"));
  pt2::read_signature(program, pt2::member(module, "signature"));
  if (model.contains("range_constraints")) read_ranges(program, model["range_constraints"]);

  // What is carried along. The keys are the writer's, too (pt2_writer.cpp).
  auto& kept = program.remainder().json;
  for (const auto& [key, value] : model.items()) {
    if (key != "graph_module" && key != "range_constraints") kept[key] = value.dump();
  }
  for (const auto& [key, value] : module.items()) {
    if (key != "graph" && key != "signature") kept["graph_module." + key] = value.dump();
  }
}

}  // namespace

Program load_pt2(const std::string& path, const Pt2LoadOptions& options) {
  const ZipArchive zip = ZipArchive::open_below_root(path);
  check_archive_kind(zip);
  const std::string name = choose_model(zip, options.model_name);

  Program program;
  program.remainder().model_name = name;
  const std::string record = "models/" + name + ".json";
  const auto model = parse_json<Json>(zip, record);
  try {
    read_model(program, model);
  } catch (const Error& error) {
    throw error.within(record).within(path);
  } catch (const nlohmann::json::exception& error) {
    refuse(path, fmt::format("{}: {}", record, error.what()));
  }
  for (const char* kind : {"weights", "constants"}) {
    const std::string folder = fmt::format("data/{}/", kind);
    const std::string config = fmt::format("{}{}_{}_config.json", folder, name, kind);
    pt2::read_payloads(zip, folder, config, parse_json<nlohmann::ordered_json>(zip, config), program);
  }
  try {
    if (!options.allow_unknown_operators) check_operators(program.graph());
    verify(program);
  } catch (const Error& error) {
    throw error.within(path);
  }
  if (const std::string inputs = "data/sample_inputs/" + name + ".pt"; zip.contains(inputs)) {
    program.remainder().sample_inputs = zip.bytes(inputs);
  }
  for (const std::string& member : zip.names()) {
    if (member.starts_with("extra/")) {
      program.remainder().extra_files.emplace_back(member.substr(6), zip.bytes(member));
    }
  }
  return program;
}

}  // namespace torquant
