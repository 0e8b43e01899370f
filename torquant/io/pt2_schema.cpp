#include "torquant/io/pt2_schema.h"

#include <fmt/format.h>

#include "torquant/io/pt2_codes.h"

namespace torquant::pt2 {
namespace {

Json named(const Value* value) { return tagged("name", value->name()); }

at::Device read_device(const Json& json) {
  const std::string type = string_at(json, "type");
  std::string text = type;
  if (json.contains("index") && json["index"].is_number_integer()) text += ":" + json["index"].dump();
  try {
    return at::Device(text);
  } catch (const c10::Error&) {
    refuse(fmt::format("unknown device \"{}\"", text));
  }
}

Json write_device(const at::Device& device) {
  Json json = Json::object();
  json["type"] = c10::DeviceTypeName(device.type(), /*lower_case=*/true);
  json["index"] = device.has_index() ? Json(device.index()) : Json(nullptr);
  return json;
}

// SymIntArgument and its float and bool kin: {"as_name": ...} or {"as_int": ...}.
ScalarOrValue read_scalar_or_value(const Json& json, const FindValue& find_value) {
  const auto [tag, value] = union_of(json);
  if (tag == "as_name") return find_value(to_text(value));
  if (tag == "as_int") return to_int(value);
  if (tag == "as_float") return to_double(value);
  if (tag == "as_bool") return to_bool(value);
  refuse(fmt::format("unknown symbolic argument \"{}\"", tag));
}

Argument argument_of(const ScalarOrValue& scalar) {
  return std::visit([](const auto& value) -> Argument { return value; }, scalar);
}

ScalarKind kind_of(const ScalarOrValue& item) {
  if (const auto* value = std::get_if<Value*>(&item)) {
    const auto* meta = std::get_if<ScalarMeta>(&(*value)->meta());
    return meta == nullptr ? ScalarKind::kInt : meta->kind;
  }
  if (std::holds_alternative<double>(item)) return ScalarKind::kFloat;
  return std::holds_alternative<bool>(item) ? ScalarKind::kBool : ScalarKind::kInt;
}

const char* sym_tag(ScalarKind kind, bool list) {
  switch (kind) {
    case ScalarKind::kInt:
      return list ? "as_sym_ints" : "as_sym_int";
    case ScalarKind::kFloat:
      return list ? "as_sym_floats" : "as_sym_float";
    case ScalarKind::kBool:
      return list ? "as_sym_bools" : "as_sym_bool";
  }
  return "";
}

struct ArgumentWriter {
  Json operator()(std::monostate) const { return tagged("as_none", true); }
  Json operator()(const Value* value) const {
    if (value->is_tensor()) return tagged("as_tensor", named(value));
    if (const auto* scalar = std::get_if<ScalarMeta>(&value->meta())) {
      return tagged(sym_tag(scalar->kind, false), tagged("as_name", value->name()));
    }
    Json object = named(value);
    object["class_fqn"] = std::get<ObjectMeta>(value->meta()).class_fqn;
    return tagged("as_custom_obj", std::move(object));
  }
  Json operator()(bool value) const { return tagged("as_bool", value); }
  Json operator()(int64_t value) const { return tagged("as_int", value); }
  Json operator()(double value) const { return tagged("as_float", from_double(value)); }
  Json operator()(const std::string& value) const { return tagged("as_string", value); }
  Json operator()(at::ScalarType value) const { return tagged("as_scalar_type", code_of(value)); }
  Json operator()(at::Layout value) const { return tagged("as_layout", code_of(value)); }
  Json operator()(at::MemoryFormat value) const { return tagged("as_memory_format", code_of(value)); }
  Json operator()(const at::Device& value) const { return tagged("as_device", write_device(value)); }
  Json operator()(const std::vector<Value*>& values) const {
    bool optional = false;
    for (const Value* value : values) optional |= value == nullptr;
    Json list = Json::array();
    for (const Value* value : values) {
      if (!optional) {
        list.push_back(named(value));
      } else {
        list.push_back(value == nullptr ? tagged("as_none", true) : tagged("as_tensor", named(value)));
      }
    }
    return tagged(optional ? "as_optional_tensors" : "as_tensors", std::move(list));
  }
  Json operator()(const std::vector<bool>& values) const {
    Json list = Json::array();
    for (const bool value : values) list.push_back(value);
    return tagged("as_bools", std::move(list));
  }
  Json operator()(const std::vector<int64_t>& values) const { return tagged("as_ints", values); }
  Json operator()(const std::vector<double>& values) const {
    Json list = Json::array();
    for (const double value : values) list.push_back(from_double(value));
    return tagged("as_floats", std::move(list));
  }
  Json operator()(const std::vector<std::string>& values) const { return tagged("as_strings", values); }
  Json operator()(const std::vector<ScalarOrValue>& items) const {
    ScalarKind kind = ScalarKind::kInt;
    Json list = Json::array();
    for (const ScalarOrValue& item : items) {
      kind = kind_of(item);
      if (const auto* value = std::get_if<Value*>(&item)) {
        list.push_back(tagged("as_name", (*value)->name()));
      } else {
        list.push_back(write_argument(argument_of(item)));
      }
    }
    return tagged(sym_tag(kind, true), std::move(list));
  }
  Json operator()(const SubgraphArgument& value) const {
    Json json = Json::object();
    json["name"] = value.name;
    json["graph"] = write_graph(*value.graph);
    return tagged("as_graph", std::move(json));
  }
  Json operator()(const OperatorArgument& value) const { return tagged("as_operator", value.name); }
  Json operator()(const OpaqueArgument& value) const { return Json::parse(value.json); }
};

}  // namespace

Dim read_dim(const Json& json) {
  const auto [tag, value] = union_of(json);
  if (tag == "as_int") return to_int(value);
  if (tag != "as_expr") refuse(fmt::format("unknown size \"{}\"", tag));
  SymbolicDim dim{SymExpr::parse(string_at(value, "expr_str")), std::nullopt};
  if (value.contains("hint") && value["hint"].is_object() && value["hint"].contains("as_int")) {
    dim.hint = int_at(value["hint"], "as_int");
  }
  return dim;
}

Json write_dim(const Dim& dim) {
  if (const auto* value = std::get_if<int64_t>(&dim)) return tagged("as_int", *value);
  const auto& symbolic = std::get<SymbolicDim>(dim);
  Json expr = Json::object();
  expr["expr_str"] = symbolic.expr.srepr();
  expr["hint"] = symbolic.hint ? tagged("as_int", *symbolic.hint) : Json(nullptr);
  return tagged("as_expr", std::move(expr));
}

TensorMeta read_tensor_meta(const Json& json) {
  TensorMeta meta{.dtype = dtype_from_code(int_at(json, "dtype")),
                  .sizes = read_list<Dim>(member(json, "sizes"), read_dim),
                  .strides = read_list<Dim>(member(json, "strides"), read_dim),
                  .storage_offset = read_dim(member(json, "storage_offset")),
                  .requires_grad = bool_at(json, "requires_grad"),
                  .device = read_device(member(json, "device")),
                  .layout = layout_from_code(int_at(json, "layout"))};
  if (meta.layout == at::kStrided && meta.sizes.size() != meta.strides.size()) {
    refuse(fmt::format("{} sizes but {} strides", meta.sizes.size(), meta.strides.size()));
  }
  for (const Dim& size : meta.sizes) {
    if (is_static(size) && std::get<int64_t>(size) < 0) refuse(fmt::format("size {} is negative", to_string(size)));
  }
  return meta;
}

Json write_tensor_meta(const TensorMeta& meta) {
  Json json = Json::object();
  json["dtype"] = code_of(meta.dtype);
  json["sizes"] = Json::array();
  for (const Dim& size : meta.sizes) json["sizes"].push_back(write_dim(size));
  json["requires_grad"] = meta.requires_grad;
  json["device"] = write_device(meta.device);
  json["strides"] = Json::array();
  for (const Dim& stride : meta.strides) json["strides"].push_back(write_dim(stride));
  json["storage_offset"] = write_dim(meta.storage_offset);
  json["layout"] = code_of(meta.layout);
  return json;
}

Argument read_argument(const Json& json, const FindValue& find_value) {
  const auto [tag, value] = union_of(json);
  const auto find_named = [&](const Json& entry) { return find_value(string_at(entry, "name")); };
  if (tag == "as_none") return std::monostate{};
  if (tag == "as_tensor" || tag == "as_custom_obj") return find_named(value);
  if (tag == "as_int") return to_int(value);
  if (tag == "as_float") return to_double(value);
  if (tag == "as_bool") return to_bool(value);
  if (tag == "as_string") return to_text(value);
  if (tag == "as_ints") return read_list<int64_t>(value, to_int);
  if (tag == "as_floats") return read_list<double>(value, to_double);
  if (tag == "as_bools") return read_list<bool>(value, to_bool);
  if (tag == "as_strings") return read_list<std::string>(value, to_text);
  if (tag == "as_scalar_type") return dtype_from_code(to_int(value));
  if (tag == "as_layout") return layout_from_code(to_int(value));
  if (tag == "as_memory_format") return memory_format_from_code(to_int(value));
  if (tag == "as_device") return read_device(value);
  if (tag == "as_tensors") return read_list<Value*>(value, find_named);
  if (tag == "as_sym_int" || tag == "as_sym_float" || tag == "as_sym_bool") {
    return argument_of(read_scalar_or_value(value, find_value));
  }
  if (tag == "as_sym_ints" || tag == "as_sym_floats" || tag == "as_sym_bools") {
    return read_list<ScalarOrValue>(value, [&](const Json& item) { return read_scalar_or_value(item, find_value); });
  }
  const auto read_optional = [&](const Json& item) -> Value* {
    const auto [item_tag, item_value] = union_of(item);
    return item_tag == "as_none" ? nullptr : find_named(item_value);
  };
  if (tag == "as_optional_tensors") return read_list<Value*>(value, read_optional);
  if (tag == "as_optional_tensor") {
    Value* tensor = read_optional(value);
    return tensor == nullptr ? Argument(std::monostate{}) : Argument(tensor);
  }
  if (tag == "as_graph") return SubgraphArgument{string_at(value, "name"), read_graph(member(value, "graph"))};
  if (tag == "as_operator") return OperatorArgument{to_text(value)};
  if (tag == "as_complex" || tag == "as_int_lists" || tag == "as_float_lists") return OpaqueArgument{json.dump()};
  refuse(fmt::format("unknown or unsupported argument kind \"{}\"", tag));
}

Json write_argument(const Argument& argument) { return std::visit(ArgumentWriter{}, argument); }

}  // namespace torquant::pt2
