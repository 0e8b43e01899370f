#include <ATen/core/Tensor.h>
#include <caffe2/serialize/inline_container.h>
#include <fmt/format.h>

#include <exception>
#include <unordered_map>
#include <unordered_set>

#include "torquant/core/atomic_file.h"
#include "torquant/core/error.h"
#include "torquant/io/pt2.h"
#include "torquant/io/pt2_schema.h"
#include "torquant/io/pt2_signature.h"

namespace torquant {
namespace {

using pt2::Json;
using OrderedJson = nlohmann::ordered_json;

Json write_model(const Program& program) {
  Json model = Json::object();
  Json& module = model["graph_module"] = Json::object();
  module["metadata"] = Json::object();
  module["treespec_namedtuple_fields"] = Json::object();
  module["module_call_graph"] = Json::array();
  for (const auto& [key, text] : program.remainder().json) {
    constexpr std::string_view kModule = "graph_module.";
    if (key.starts_with(kModule)) {
      module[key.substr(kModule.size())] = Json::parse(text);
    } else {
      model[key] = Json::parse(text);
    }
  }
  module["graph"] = pt2::write_graph(program.graph());
  module["signature"] = pt2::write_signature(program);
  Json& ranges = model["range_constraints"] = Json::object();
  for (const auto& [symbol, range] : program.ranges()) {
    ranges[symbol]["min_val"] = range.min ? Json(*range.min) : Json(nullptr);
    ranges[symbol]["max_val"] = range.max ? Json(*range.max) : Json(nullptr);
  }
  if (!model.contains("opset_version")) model["opset_version"] = {{"aten", 10}};
  if (!model.contains("schema_version")) {
    model["schema_version"] = {{"major", pt2::kSchemaMajor}, {"minor", pt2::kSchemaMinor}};
  }
  return model;
}

class Pt2Writer {
 public:
  explicit Pt2Writer(const std::string& path)
      : file_(path), writer_([this](const void* data, size_t size) {
          write(data, size);
          return size;
        }) {
    writer_.setMinVersion(6);  // what torch.export.save sets
  }

  void record(const std::string& name, std::string_view bytes) {
    writer_.writeRecord(name, bytes.data(), bytes.size());
    rethrow();
  }

  // The text of a program repeats itself: deflated it is a tenth, and PyTorch's reader unpacks it.
  void text(const std::string& name, const std::string& text) {
    writer_.writeRecord(name, text.data(), text.size(), /*compress=*/true);
    rethrow();
  }

  // The storage behind each tensor once; gives the payload config of this folder.
  OrderedJson payloads(const std::string& folder, const char* prefix, const std::vector<const StateTensor*>& entries) {
    OrderedJson config = OrderedJson::object();
    std::unordered_map<const void*, std::string> written;
    for (const StateTensor* state : entries) {
      const c10::Storage& storage = state->tensor.storage();
      std::string& path_name = written[storage.unsafeGetStorageImpl()];
      if (path_name.empty()) {
        path_name = fmt::format("{}_{}", prefix, written.size() - 1);
        record(folder + path_name, {static_cast<const char*>(storage.data()), storage.nbytes()});
      }
      OrderedJson entry = OrderedJson::object();
      entry["path_name"] = path_name;
      entry["is_param"] = state->is_parameter;
      entry["use_pickle"] = false;
      entry["tensor_meta"] = OrderedJson(pt2::write_tensor_meta(meta_of(state->tensor)));
      config[state->name] = std::move(entry);
    }
    OrderedJson json = OrderedJson::object();
    json["config"] = std::move(config);
    return json;
  }

  void finish() {
    writer_.writeEndOfFile();
    rethrow();
    file_.commit();
  }

 private:
  // PyTorch's writer writes in its destructor, too, where an exception would end the process: it never sees one.
  void write(const void* data, size_t size) noexcept {
    if (failure_) return;
    try {
      file_.write(data, size);
    } catch (...) {
      failure_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

  AtomicFile file_;
  std::exception_ptr failure_;
  caffe2::serialize::PyTorchStreamWriter writer_;
};

}  // namespace

void save_pt2(const Program& program, const std::string& path) {
  std::unordered_set<std::string> constant_names;
  for (const InputSpec& spec : program.input_specs()) {
    const bool is_constant =
        spec.kind == InputKind::kTensorConstant || (spec.kind == InputKind::kBuffer && !spec.persistent);
    if (is_constant) constant_names.insert(spec.target);
  }
  std::vector<const StateTensor*> weights;
  std::vector<const StateTensor*> constants;
  for (const StateTensor& entry : program.state()) {
    (constant_names.contains(entry.name) ? constants : weights).push_back(&entry);
  }

  const std::string& model_name = program.remainder().model_name;
  try {
    Pt2Writer writer(path);
    const OrderedJson weights_config = writer.payloads("data/weights/", "weight", weights);
    writer.text(fmt::format("data/weights/{}_weights_config.json", model_name), weights_config.dump());
    const OrderedJson constants_config = writer.payloads("data/constants/", "tensor", constants);
    writer.text(fmt::format("data/constants/{}_constants_config.json", model_name), constants_config.dump());
    writer.text(fmt::format("models/{}.json", model_name), write_model(program).dump());
    writer.record(fmt::format("data/sample_inputs/{}.pt", model_name), program.remainder().sample_inputs);
    for (const auto& [name, bytes] : program.remainder().extra_files) writer.record("extra/" + name, bytes);
    writer.record("archive_format", "pt2");
    writer.record("archive_version", "0");
    writer.finish();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error({.where = path, .what = fmt::format("cannot be written: {}", error.what())});
  }
}

}  // namespace torquant
