#include "torquant/io/pt2_payload.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <map>

#include "torquant/core/error.h"
#include "torquant/io/borrowed_storage.h"
#include "torquant/io/pt2_schema.h"

namespace torquant::pt2 {
namespace {

// Tensors that point into the archive's mapping; tied weights come out sharing one storage.
class PayloadReader {
 public:
  PayloadReader(const ZipArchive& zip, std::string folder) : zip_(zip), folder_(std::move(folder)) {}

  at::Tensor read(const Json& entry) {
    const std::string record = folder_ + string_at(entry, "path_name");
    if (entry.contains("use_pickle") && bool_at(entry, "use_pickle")) {
      throw Error({.where = record,
                   .what = "is a pickled Python object (a tensor subclass)",
                   .allowed = "plain tensors",
                   .hint = "call torchao.utils.unwrap_tensor_subclass(model) before torch.export.export"});
    }
    const TensorMeta meta = read_tensor_meta(member(entry, "tensor_meta"));
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

}  // namespace

void read_payloads(const ZipArchive& zip, const std::string& folder, const nlohmann::ordered_json& config,
                   Program& program) {
  if (!config.is_object() || !config.contains("config") || !config["config"].is_object()) {
    refuse("has no object \"config\"");
  }
  PayloadReader reader(zip, folder);
  for (const auto& [name, ordered] : config["config"].items()) {
    try {
      const Json entry(ordered);
      at::Tensor tensor = reader.read(entry);
      const bool requires_grad = bool_at(member(entry, "tensor_meta"), "requires_grad");
      if (requires_grad && (tensor.is_floating_point() || tensor.is_complex())) tensor.set_requires_grad(true);
      program.set_state({name, std::move(tensor), bool_at(entry, "is_param")});
    } catch (const Error& error) {
      throw error.within(name);
    }
  }
}

}  // namespace torquant::pt2
