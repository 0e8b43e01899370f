#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "torquant/core/error.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/io/borrowed_storage.h"
#include "torquant/io/pt2.h"
#include "torquant/io/pt2_schema.h"
#include "torquant/io/zip_archive.h"

namespace torquant {
namespace {

using pt2::Json;
using OrderedJson = nlohmann::ordered_json;

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
         fmt::format("one of {}", fmt::join(models, ", ")));
}

template <typename Result>
Result parse_json(const ZipArchive& zip, const std::string& record) {
  if (!zip.contains(record)) refuse(zip.path(), fmt::format("has no record {}", record));
  const std::string_view text = zip.bytes(record);
  // Values nested without end would exhaust the stack; no program comes near this depth.
  constexpr int kMaxDepth = 500;
  const auto too_deep = [](int depth, Json::parse_event_t, const auto&) -> bool {
    if (depth > kMaxDepth) throw Error({.where = "", .what = "nested too deeply"});
    return true;
  };
  try {
    return Result::parse(text.begin(), text.end(), too_deep);
  } catch (const nlohmann::json::exception& error) {
    refuse(zip.path(), fmt::format("{}: {}", record, error.what()));
  } catch (const Error& error) {
    throw error.within(record).within(zip.path());
  }
}

// Tensors that point into the archive's mapping; tied weights come out sharing one storage.
class PayloadReader {
 public:
  PayloadReader(const ZipArchive& zip, std::string folder) : zip_(zip), folder_(std::move(folder)) {}

  at::Tensor read(const Json& entry) {
    const std::string record = folder_ + pt2::string_at(entry, "path_name");
    if (entry.contains("use_pickle") && pt2::bool_at(entry, "use_pickle")) {
      throw Error({.where = record,
                   .what = "is a pickled Python object (a tensor subclass)",
                   .allowed = "plain tensors",
                   .hint = "call torchao.utils.unwrap_tensor_subclass(model) before torch.export.export"});
    }
    const TensorMeta meta = pt2::read_tensor_meta(pt2::member(entry, "tensor_meta"));
    try {
      return view_of(record, meta);
    } catch (const Error& error) {
      throw error.within(record);
    }
  }

 private:
  static std::vector<int64_t> numbers(const std::vector<Dim>& dims, const char* what) {
    std::vector<int64_t> values;
    for (const Dim& dim : dims) {
      const auto* value = std::get_if<int64_t>(&dim);
      if (value == nullptr || *value < 0) {
        throw Error({.where = "",
                     .what = fmt::format("{} {} of a stored tensor", what, to_string(dim)),
                     .allowed = "whole numbers from 0"});
      }
      values.push_back(*value);
    }
    return values;
  }

  // Elements that the storage must have for this view; an Error when the product does not fit 64 bits.
  static int64_t extent(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides, int64_t offset) {
    int64_t last = offset;
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (sizes[i] == 0) return 0;
      int64_t step = 0;
      if (__builtin_mul_overflow(sizes[i] - 1, strides[i], &step) || __builtin_add_overflow(last, step, &last)) {
        throw Error({.where = "", .what = fmt::format("sizes [{}] overflow", fmt::join(sizes, ", "))});
      }
    }
    if (last == std::numeric_limits<int64_t>::max()) throw Error({.where = "", .what = "the storage offset overflows"});
    return last + 1;
  }

  at::Tensor view_of(const std::string& record, const TensorMeta& meta) {
    if (meta.layout != at::kStrided) throw Error({.where = "", .what = "a sparse tensor", .allowed = "dense tensors"});
    const std::vector<int64_t> sizes = numbers(meta.sizes, "size");
    const std::vector<int64_t> strides = numbers(meta.strides, "stride");
    const int64_t offset = numbers({meta.storage_offset}, "storage offset")[0];
    const auto item_size = static_cast<int64_t>(c10::elementSize(meta.dtype));
    const uint64_t stored = zip_.size(record);
    const int64_t needed = extent(sizes, strides, offset);
    const auto options = at::TensorOptions().dtype(meta.dtype);
    if (stored == 0 && needed > 0) {  // how Python writes a tensor of zeros without a storage
      constexpr int64_t kMaxZeros = int64_t{1} << 32;
      if (needed > kMaxZeros) throw Error({.where = "", .what = fmt::format("{} elements without a storage", needed)});
      return at::zeros(sizes, options);
    }
    if (needed > static_cast<int64_t>(stored) / item_size) {
      throw Error({.where = "",
                   .what = fmt::format("a {} tensor of sizes [{}], strides [{}], offset {} needs {} elements, the "
                                       "record has {} bytes",
                                       c10::toString(meta.dtype), fmt::join(sizes, ", "), fmt::join(strides, ", "),
                                       offset, needed, stored)});
    }
    at::Tensor tensor = at::empty({0}, options);
    tensor.set_(storage_of(record), offset, sizes, strides);
    return tensor;
  }

  c10::Storage storage_of(const std::string& record) {
    if (const auto found = storages_.find(record); found != storages_.end()) return found->second;
    return storages_.emplace(record, borrowed_storage(zip_.bytes(record), zip_.mapping())).first->second;
  }

  const ZipArchive& zip_;
  std::string folder_;
  std::map<std::string, c10::Storage> storages_;
};

void read_payloads(const ZipArchive& zip, const std::string& folder, const std::string& config, Program& program) {
  PayloadReader reader(zip, folder);
  const auto json = parse_json<OrderedJson>(zip, config);
  if (!json.is_object() || !json.contains("config") || !json["config"].is_object()) {
    refuse(zip.path(), fmt::format("{}: has no object \"config\"", config));
  }
  for (const auto& [name, entry] : json["config"].items()) {
    try {
      at::Tensor tensor = reader.read(Json(entry));
      const bool requires_grad = entry["tensor_meta"]["requires_grad"].template get<bool>();
      if (requires_grad && (tensor.is_floating_point() || tensor.is_complex())) tensor.set_requires_grad(true);
      program.set_state({name, std::move(tensor), pt2::bool_at(Json(entry), "is_param")});
    } catch (const Error& error) {
      throw error.within(fmt::format("{}: {}", config, name)).within(zip.path());
    }
  }
}

InputSpec read_input_spec(const Json& json) {
  const auto [tag, value] = pt2::union_of(json);
  if (tag == "user_input") return {.kind = InputKind::kUser};
  if (tag == "parameter") return {InputKind::kParameter, pt2::string_at(value, "parameter_name"), true};
  if (tag == "buffer") {
    return {InputKind::kBuffer, pt2::string_at(value, "buffer_name"), pt2::bool_at(value, "persistent")};
  }
  if (tag == "tensor_constant") {
    return {InputKind::kTensorConstant, pt2::string_at(value, "tensor_constant_name"), false};
  }
  if (tag == "constant_input") return {InputKind::kConstant, pt2::string_at(value, "name"), false};
  throw Error({.where = "",
               .what = fmt::format("inputs of kind \"{}\" are not supported", tag),
               .allowed = "user_input, parameter, buffer, tensor_constant, constant_input"});
}

OutputSpec read_output_spec(const Json& json) {
  const auto [tag, value] = pt2::union_of(json);
  if (tag == "user_output") return {OutputKind::kUser, ""};
  if (tag == "loss_output") return {OutputKind::kLoss, ""};
  if (tag == "buffer_mutation") return {OutputKind::kBufferMutation, pt2::string_at(value, "buffer_name")};
  if (tag == "parameter_mutation") return {OutputKind::kParameterMutation, pt2::string_at(value, "parameter_name")};
  if (tag == "user_input_mutation") return {OutputKind::kUserInputMutation, pt2::string_at(value, "user_input_name")};
  if (tag == "gradient_to_parameter") {
    return {OutputKind::kGradientToParameter, pt2::string_at(value, "parameter_name")};
  }
  if (tag == "gradient_to_user_input") {
    return {OutputKind::kGradientToUserInput, pt2::string_at(value, "user_input_name")};
  }
  throw Error({.where = "", .what = fmt::format("outputs of kind \"{}\" are not supported", tag)});
}

void read_signature(Program& program, const Json& signature) {
  for (const Json& spec : pt2::member(signature, "input_specs")) {
    program.input_specs().push_back(read_input_spec(spec));
  }
  for (const Json& spec : pt2::member(signature, "output_specs")) {
    program.output_specs().push_back(read_output_spec(spec));
  }
  if (program.input_specs().size() != program.graph().inputs().size()) {
    throw Error({.where = "signature",
                 .what = fmt::format("{} input specs for a graph of {} inputs", program.input_specs().size(),
                                     program.graph().inputs().size())});
  }
  if (program.output_specs().size() != program.graph().outputs().size()) {
    throw Error({.where = "signature",
                 .what = fmt::format("{} output specs for a graph of {} outputs", program.output_specs().size(),
                                     program.graph().outputs().size())});
  }
}

// Every tensor that the signature names must be there, and be what the graph says it is.
void check_state(const Program& program) {
  for (size_t i = 0; i < program.input_specs().size(); ++i) {
    const InputSpec& spec = program.input_specs()[i];
    if (spec.kind == InputKind::kUser || spec.kind == InputKind::kConstant) continue;
    const at::Tensor* tensor = program.find_state(spec.target);
    if (tensor == nullptr) {
      throw Error({.where = spec.target, .what = "the signature names this tensor, but the archive does not hold it"});
    }
    const Value* value = value_of(program.graph().inputs()[i]);
    if (value == nullptr || !value->is_tensor()) {
      throw Error({.where = spec.target, .what = "the graph input of this tensor is no tensor"});
    }
    const TensorMeta& meta = value->tensor();
    bool same = meta.dtype == tensor->scalar_type() && meta.rank() == static_cast<size_t>(tensor->dim());
    for (size_t d = 0; same && d < meta.rank(); ++d) {
      same = !is_static(meta.sizes[d]) || std::get<int64_t>(meta.sizes[d]) == tensor->size(static_cast<int64_t>(d));
    }
    if (!same) {
      std::vector<std::string> sizes;
      for (const Dim& size : meta.sizes) sizes.push_back(to_string(size));
      throw Error(
          {.where = spec.target,
           .what = fmt::format("is {}[{}] in the weights and {}[{}] in the graph", c10::toString(tensor->scalar_type()),
                               fmt::join(tensor->sizes(), ", "), c10::toString(meta.dtype), fmt::join(sizes, ", "))});
    }
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
  read_signature(program, pt2::member(module, "signature"));
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
    try {
      read_payloads(zip, folder, fmt::format("{}{}_{}_config.json", folder, name, kind), program);
    } catch (const nlohmann::json::exception& error) {
      refuse(path, fmt::format("{}: {}", folder, error.what()));
    }
  }
  try {
    check_state(program);
    if (!options.allow_unknown_operators) check_operators(program.graph());
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
