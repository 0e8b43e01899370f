#include "torquant/io/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "torquant/core/atomic_file.h"
#include "torquant/core/error.h"
#include "torquant/io/borrowed_storage.h"
#include "torquant/io/mapped_file.h"

namespace torquant {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian");

using Json = nlohmann::ordered_json;

// The limit of the format's own reader; a longer header is no header.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr int kMaxDepth = 100;     // a header needs 3
constexpr size_t kAlignment = 64;  // of the first tensor's bytes in the files we write: a cache line

struct DTypeName {
  const char* name;
  c10::ScalarType type;
};
constexpr DTypeName kDTypes[] = {
    {"BOOL", c10::kBool},
    {"U8", c10::kByte},
    {"I8", c10::kChar},
    {"F8_E5M2", c10::kFloat8_e5m2},
    {"F8_E4M3", c10::kFloat8_e4m3fn},
    {"F8_E5M2FNUZ", c10::kFloat8_e5m2fnuz},
    {"F8_E4M3FNUZ", c10::kFloat8_e4m3fnuz},
    {"F8_E8M0", c10::kFloat8_e8m0fnu},
    {"I16", c10::kShort},
    {"U16", c10::kUInt16},
    {"F16", c10::kHalf},
    {"BF16", c10::kBFloat16},
    {"I32", c10::kInt},
    {"U32", c10::kUInt32},
    {"F32", c10::kFloat},
    {"I64", c10::kLong},
    {"U64", c10::kUInt64},
    {"F64", c10::kDouble},
    {"C64", c10::kComplexFloat},
};

std::string known_dtypes() {
  std::vector<std::string> names;
  for (const DTypeName& d : kDTypes) names.emplace_back(d.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

struct Entry {
  std::string name;
  c10::ScalarType type = c10::kFloat;
  std::vector<int64_t> shape;
  uint64_t begin = 0;  // bytes from the end of the header
  uint64_t end = 0;
};

// JSON lets a key occur twice and the last one wins; here the first one is an error. So is what is nested deeper than
// any header: printing it would exhaust the stack.
Json parse_header(const std::string& path, std::string_view text) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  std::string duplicate;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxDepth) throw Error({.where = path, .what = "the header is nested too deeply"});
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second &&
        duplicate.empty()) {
      duplicate = parsed.get<std::string>();
    }
    return true;
  };
  Json header;
  try {
    header = Json::parse(text, watch);
  } catch (const Json::exception& error) {
    throw Error({.where = path, .what = std::string("the header is no JSON: ") + error.what()});
  }
  if (!duplicate.empty()) throw Error({.where = path, .what = fmt::format("\"{}\" occurs twice", duplicate)});
  if (!header.is_object()) throw Error({.where = path, .what = "the header is no JSON object"});
  return header;
}

uint64_t as_size(const Json& value, const std::string& where, const char* field) {
  if (!value.is_number_unsigned()) {
    throw Error({.where = where,
                 .what = fmt::format("{} holds {}", field, value.dump(-1, ' ', false, Json::error_handler_t::replace)),
                 .allowed = "integers from 0"});
  }
  return value.get<uint64_t>();
}

Entry parse_entry(const std::string& path, const std::string& name, const Json& json, uint64_t data_bytes) {
  const std::string where = fmt::format("{}: tensor \"{}\"", path, name);
  for (const char* field : {"dtype", "shape", "data_offsets"}) {
    if (!json.is_object() || !json.contains(field)) throw Error({.where = where, .what = fmt::format("no {}", field)});
  }
  if (!json["dtype"].is_string()) throw Error({.where = where, .what = "dtype is no string"});
  if (!json["shape"].is_array()) throw Error({.where = where, .what = "shape is no list"});
  const Json& offsets = json["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2) {
    throw Error({.where = where, .what = "data_offsets is no list of two"});
  }

  Entry entry;
  entry.name = name;
  const auto dtype = json["dtype"].get<std::string>();
  const auto* known = std::ranges::find_if(kDTypes, [&](const DTypeName& d) { return dtype == d.name; });
  if (known == std::end(kDTypes)) {
    throw Error({.where = where, .what = fmt::format("dtype {} is unknown", dtype), .allowed = known_dtypes()});
  }
  entry.type = known->type;

  uint64_t bytes = c10::elementSize(entry.type);
  for (const Json& extent : json["shape"]) {
    const uint64_t size = as_size(extent, where, "shape");
    if (size > uint64_t{INT64_MAX} || __builtin_mul_overflow(bytes, std::max<uint64_t>(size, 1), &bytes) ||
        bytes > uint64_t{INT64_MAX}) {
      throw Error({.where = where, .what = fmt::format("shape {} overflows 64 bits", json["shape"].dump())});
    }
    entry.shape.push_back(static_cast<int64_t>(size));
  }
  if (std::ranges::find(entry.shape, 0) != entry.shape.end()) bytes = 0;

  entry.begin = as_size(offsets[0], where, "data_offsets");
  entry.end = as_size(offsets[1], where, "data_offsets");
  if (entry.begin > entry.end || entry.end > data_bytes) {
    throw Error({.where = where,
                 .what = fmt::format("data_offsets [{}, {}] are outside the file", entry.begin, entry.end),
                 .allowed = fmt::format("0 to {}", data_bytes)});
  }
  if (entry.end - entry.begin != bytes) {
    throw Error({.where = where,
                 .what = fmt::format("data_offsets span {} bytes, dtype {} and shape {} need {}",
                                     entry.end - entry.begin, dtype, json["shape"].dump(), bytes)});
  }
  return entry;
}

// Every byte after the header belongs to exactly one tensor.
void check_cover(const std::string& path, const std::vector<Entry>& entries, uint64_t data_bytes) {
  std::vector<const Entry*> by_begin;
  for (const Entry& entry : entries) by_begin.push_back(&entry);
  std::ranges::sort(by_begin, {}, [](const Entry* e) { return std::pair(e->begin, e->end); });
  uint64_t covered = 0;
  for (const Entry* entry : by_begin) {
    if (entry->begin != covered) {
      throw Error({.where = fmt::format("{}: tensor \"{}\"", path, entry->name),
                   .what = fmt::format("starts at byte {} where the one before it ends at {}", entry->begin, covered),
                   .allowed = "tensors that follow each other without overlap or hole"});
    }
    covered = entry->end;
  }
  if (covered != data_bytes) {
    throw Error({.where = path,
                 .what = fmt::format("the tensors end at byte {}, the file has {}", covered, data_bytes),
                 .allowed = "a file that ends with its last tensor"});
  }
}

}  // namespace

struct SafetensorsFile::Contents {
  explicit Contents(const std::string& file_path) : path(file_path), file(path) {}

  std::string path;
  MappedFile file;
  std::string_view data = {};  // of the tensors
  std::vector<std::string> names;
  std::unordered_map<std::string, Entry> entries;
  std::map<std::string, std::string> metadata;
};

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  auto contents = std::make_shared<Contents>(path);
  const std::string_view bytes = contents->file.bytes();
  uint64_t header_bytes = 0;
  if (bytes.size() < sizeof header_bytes) {
    throw Error({.where = path, .what = fmt::format("has {} bytes, too few for a .safetensors file", bytes.size())});
  }
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  if (header_bytes > kMaxHeaderBytes || header_bytes > bytes.size() - sizeof header_bytes) {
    throw Error({.where = path,
                 .what = fmt::format("asks for a header of {} bytes, the file has {}", header_bytes, bytes.size()),
                 .hint = "the file is truncated or no .safetensors file"});
  }
  const Json header = parse_header(path, bytes.substr(sizeof header_bytes, header_bytes));
  contents->data = bytes.substr(sizeof header_bytes + header_bytes);

  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name != "__metadata__") {
      entries.push_back(parse_entry(path, name, value, contents->data.size()));
      continue;
    }
    if (!value.is_object()) throw Error({.where = path, .what = "__metadata__ is no object"});
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) throw Error({.where = path, .what = fmt::format("__metadata__.{} is no string", key)});
      contents->metadata[key] = text.get<std::string>();
    }
  }
  check_cover(path, entries, contents->data.size());
  for (Entry& entry : entries) {
    contents->names.push_back(entry.name);
    contents->entries.emplace(entry.name, std::move(entry));
  }
  return SafetensorsFile(std::move(contents));
}

const std::vector<std::string>& SafetensorsFile::names() const { return contents_->names; }
bool SafetensorsFile::contains(const std::string& name) const { return contents_->entries.contains(name); }
const std::map<std::string, std::string>& SafetensorsFile::metadata() const { return contents_->metadata; }

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
  const auto found = contents_->entries.find(name);
  if (found == contents_->entries.end()) {
    throw Error({.where = contents_->path,
                 .what = fmt::format("no tensor \"{}\"", name),
                 .allowed = fmt::format("{}", fmt::join(contents_->names, ", "))});
  }
  const Entry& entry = found->second;
  return borrowed_tensor(contents_->data.substr(entry.begin, entry.end - entry.begin), contents_, entry.shape,
                         entry.type);
}

void save_safetensors(const std::string& path, const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;

  std::vector<at::Tensor> dense;
  std::vector<size_t> order;
  for (const auto& [name, tensor] : tensors) {
    const std::string where = fmt::format("{}: tensor \"{}\"", path, name);
    if (name == "__metadata__") throw Error({.where = where, .what = "the name is reserved by the format"});
    if (header.contains(name)) throw Error({.where = where, .what = "the name is given twice"});
    if (!tensor.defined()) throw Error({.where = where, .what = "is undefined"});
    const auto* known =
        std::ranges::find_if(kDTypes, [&](const DTypeName& d) { return d.type == tensor.scalar_type(); });
    if (known == std::end(kDTypes) || tensor.is_sparse() || tensor.is_quantized()) {
      throw Error({.where = where,
                   .what = fmt::format("a {} tensor has no place in the format", c10::toString(tensor.scalar_type())),
                   .allowed = "dense tensors of " + known_dtypes()});
    }
    header[name] = {{"dtype", known->name}, {"shape", tensor.sizes().vec()}, {"data_offsets", {0, 0}}};
    order.push_back(dense.size());
    dense.push_back(tensor.detach().cpu().contiguous());
  }

  // The format allows no padding between tensors: the wide dtypes first keep every tensor aligned to its elements.
  std::ranges::stable_sort(order, std::greater<>(), [&](size_t i) { return dense[i].element_size(); });
  uint64_t offset = 0;
  for (const size_t i : order) {
    header[tensors[i].first]["data_offsets"] = {offset, offset + dense[i].nbytes()};
    offset += dense[i].nbytes();
  }

  std::string text = header.dump();
  const uint64_t unpadded = sizeof(uint64_t) + text.size();
  text.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  const uint64_t header_bytes = text.size();

  AtomicFile file(path);
  file.write(&header_bytes, sizeof header_bytes);
  file.write(text.data(), text.size());
  for (const size_t i : order) file.write(dense[i].const_data_ptr(), dense[i].nbytes());
  file.commit();
}

}  // namespace torquant
