#include "torquant/io/pt2_payload.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <map>

#include "torquant/core/error.h"
#include "torquant/io/borrowed_storage.h"
#include "torquant/io/pt2_schema.h"

namespace torquant::pt2 {
namespace {

// One entry of a payload config.
struct Payload {
  std::string record;
  TensorMeta meta;
  bool is_parameter;
};

Payload read_entry(const Json& entry, const std::string& folder) {
  const std::string record = folder + string_at(entry, "path_name");
  if (entry.contains("use_pickle") && bool_at(entry, "use_pickle")) {
    throw Error({.where = record,
                 .what = "is a pickled Python object (a tensor subclass)",
                 .allowed = "plain tensors",
                 .hint = "call torchao.utils.unwrap_tensor_subclass(model) before torch.export.export"});
  }
  return {record, read_tensor_meta(member(entry, "tensor_meta")), bool_at(entry, "is_param")};
}

std::vector<int64_t> numbers(const std::vector<Dim>& dims, const char* what) {
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
int64_t extent(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides, int64_t offset) {
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

// Strides of 0 and zeros without a storage let a few bytes stand for many elements. Masks that torch.export expanded
// do so; what would not fit a memory is no such mask.
void check_made_up(const std::vector<int64_t>& sizes, uint64_t stored) {
  constexpr int64_t kMost = int64_t{1} << 28;
  int64_t elements = 1;
  bool overflows = false;
  for (const int64_t size : sizes) overflows |= __builtin_mul_overflow(elements, std::max<int64_t>(size, 1), &elements);
  if (!overflows && (elements <= kMost || static_cast<uint64_t>(elements) <= stored)) return;
  throw Error({.where = "",
               .what = fmt::format("sizes [{}], of which the record holds {} elements", fmt::join(sizes, ", "), stored),
               .allowed = fmt::format("{} elements that are not stored", kMost)});
}

// The tensor that `meta` describes over the bytes of its record, which `storage` holds.
at::Tensor view_of(const TensorMeta& meta, const c10::Storage& storage) {
  if (meta.layout != at::kStrided) throw Error({.where = "", .what = "a sparse tensor", .allowed = "dense tensors"});
  const std::vector<int64_t> sizes = numbers(meta.sizes, "size");
  const std::vector<int64_t> strides = numbers(meta.strides, "stride");
  const int64_t offset = numbers({meta.storage_offset}, "storage offset")[0];
  const int64_t needed = extent(sizes, strides, offset);
  const size_t stored = storage.nbytes();
  constexpr size_t kMaxRank = 64;  // of LibTorch's operators
  if (sizes.size() > kMaxRank) {
    throw Error({.where = "", .what = fmt::format("{} axes", sizes.size()), .allowed = fmt::format("{}", kMaxRank)});
  }
  check_made_up(sizes, stored / c10::elementSize(meta.dtype));
  at::Tensor tensor = at::empty({0}, meta.dtype);
  if (stored == 0 && needed > 0) {  // how Python writes a tensor of zeros without a storage
    check_made_up({needed}, 0);
    return tensor.set_(at::zeros({needed}, meta.dtype).storage(), offset, sizes, strides);
  }
  if (static_cast<uint64_t>(needed) > stored / c10::elementSize(meta.dtype)) {
    throw Error({.where = "",
                 .what = fmt::format("a {} tensor of sizes [{}], strides [{}], offset {} needs {} elements, the "
                                     "record has {} bytes",
                                     c10::toString(meta.dtype), fmt::join(sizes, ", "), fmt::join(strides, ", "),
                                     offset, needed, stored)});
  }
  return tensor.set_(storage, offset, sizes, strides);
}

}  // namespace

void read_payloads(const ZipArchive& zip, const std::string& folder, const std::string& config,
                   const nlohmann::ordered_json& json, Program& program) {
  const std::string where = fmt::format("{}: {}", zip.path(), config);
  if (!json.is_object() || !json.contains("config") || !json["config"].is_object()) {
    throw Error({.where = where, .what = "has no object \"config\""});
  }
  std::map<std::string, c10::Storage> storages;  // by record: tied weights share one
  for (const auto& [name, entry] : json["config"].items()) {
    const auto with_place = [&](const auto& call) {
      try {
        return call();
      } catch (const Error& error) {
        throw error.within(name).within(where);
      }
    };
    const Payload payload = with_place([&] { return read_entry(Json(entry), folder); });
    auto storage = storages.find(payload.record);
    if (storage == storages.end()) {  // errors of the archive say where they are
      storage = storages.emplace(payload.record, borrowed_storage(zip.bytes(payload.record), zip.mapping())).first;
    }
    with_place([&] {
      try {
        at::Tensor tensor = view_of(payload.meta, storage->second);
        const bool trainable = tensor.is_floating_point() || tensor.is_complex();
        if (trainable) tensor.set_requires_grad(payload.meta.requires_grad);
        program.set_state({name, std::move(tensor), payload.is_parameter});
      } catch (const Error& error) {
        throw error.within(payload.record);
      }
    });
  }
}

}  // namespace torquant::pt2
