// Parts of tensors, and tensors from parts.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "torquant/graph/shape_call.h"

namespace torquant::shape {
namespace {

Dims without(Dims sizes, size_t axis) {
  sizes.erase(sizes.begin() + static_cast<std::ptrdiff_t>(axis));
  return sizes;
}
Dims with_size(Dims sizes, size_t axis, Dim size) {
  sizes[axis] = std::move(size);
  return sizes;
}

Result select(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  call.check(self.rank() >= 1, "a tensor of rank 0");
  const size_t axis = call.axis("dim", self.rank());
  const std::optional<Dim> index = call.dim("index");
  const Dim& size = self.sizes[axis];
  if (index && is_static(*index) && is_static(size)) {
    const int64_t at = std::get<int64_t>(*index);
    const int64_t end = std::get<int64_t>(size);
    if (at < -end || at >= end) call.fail(fmt::format("index {} on axis {} of size {}", at, axis, end));
  }
  return call.with_sizes(without(self.sizes, axis));
}

// Python's slice. A symbolic size is kept where the whole axis is taken; else nothing is known.
Result slice(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  call.check(self.rank() >= 1, "a tensor of rank 0");
  const size_t axis = call.axis("dim", self.rank());
  const Dim& size = self.sizes[axis];
  const std::optional<Dim> start = call.is_none("start") ? Dim(0) : call.dim("start");
  const std::optional<Dim> end = call.is_none("end") ? std::optional<Dim>(size) : call.dim("end");
  const int64_t step = call.integer("step");
  call.check(step >= 1, fmt::format("step {}", step));
  if (!start || !end) return std::nullopt;
  constexpr int64_t kToTheEnd = std::numeric_limits<int64_t>::max();
  if (!is_static(size)) {
    const bool whole = *start == Dim(0) && (*end == Dim(kToTheEnd) || *end == size);
    if (!whole) return std::nullopt;
    return call.with_sizes(with_size(self.sizes, axis, ceil_div(size, step)));
  }
  if (!is_static(*start) || !is_static(*end)) return std::nullopt;
  const int64_t length = std::get<int64_t>(size);
  const auto bound = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + length : at, 0, length); };
  const int64_t from = bound(std::get<int64_t>(*start));
  const int64_t to = std::max(from, bound(std::get<int64_t>(*end)));
  return call.with_sizes(with_size(self.sizes, axis, Dim(from == to ? 0 : (to - from - 1) / step + 1)));
}

Result narrow(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  const std::optional<Dim> length = call.dim("length");
  if (!length || self.rank() == 0) return std::nullopt;
  return call.with_sizes(with_size(self.sizes, call.axis("dim", self.rank()), *length));
}

constexpr int64_t kMostPieces = 1 << 20;  // sizes come from files: no list of more is made

Result unbind(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  call.check(self.rank() >= 1, "a tensor of rank 0");
  const size_t axis = call.axis("dim", self.rank());
  if (!is_static(self.sizes[axis]) || std::get<int64_t>(self.sizes[axis]) > kMostPieces) return std::nullopt;
  return Metas(static_cast<size_t>(std::get<int64_t>(self.sizes[axis])),
               call.result(self.dtype, without(self.sizes, axis)));
}

Metas pieces(const Call& call, size_t axis, const std::vector<int64_t>& lengths) {
  const TensorMeta& self = call.tensor("self");
  Metas metas;
  for (const int64_t length : lengths)
    metas.push_back(call.result(self.dtype, with_size(self.sizes, axis, Dim(length))));
  return metas;
}
// Pieces of `length`, the last one shorter; nothing for more than a file can mean.
Result equal_pieces(const Call& call, size_t axis, int64_t size, int64_t length) {
  if (size / length >= kMostPieces) return std::nullopt;
  std::vector<int64_t> lengths(static_cast<size_t>(size / length), length);
  if (size % length != 0 || size == 0) lengths.push_back(size % length);
  return pieces(call, axis, lengths);
}

// Pieces of ceil(size / chunks); fewer than asked for where that covers the axis.
Result chunk(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  call.check(self.rank() >= 1, "a tensor of rank 0");
  const size_t axis = call.axis("dim", self.rank());
  const int64_t chunks = call.integer("chunks");
  call.check(chunks >= 1, fmt::format("chunks {}", chunks));
  if (!is_static(self.sizes[axis]) || chunks > kMostPieces) return std::nullopt;
  const int64_t size = std::get<int64_t>(self.sizes[axis]);
  if (size == 0) return pieces(call, axis, std::vector<int64_t>(static_cast<size_t>(chunks), 0));
  return equal_pieces(call, axis, size, (size - 1) / chunks + 1);
}
Result split(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  call.check(self.rank() >= 1, "a tensor of rank 0");
  const size_t axis = call.axis("dim", self.rank());
  const std::optional<Dim> length = call.dim("split_size");
  if (!length || !is_static(*length) || !is_static(self.sizes[axis])) return std::nullopt;
  const int64_t size = std::get<int64_t>(self.sizes[axis]);
  const int64_t piece = std::get<int64_t>(*length);
  call.check(piece >= 1 || (piece == 0 && size == 0), fmt::format("split_size {}", piece));
  return equal_pieces(call, axis, size, std::max<int64_t>(piece, 1));
}
Result split_with_sizes(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  call.check(self.rank() >= 1, "a tensor of rank 0");
  const size_t axis = call.axis("dim", self.rank());
  const bool named_sizes = call.node().find_arg("split_sizes") != nullptr;
  const std::optional<Dims> lengths = call.dims(named_sizes ? "split_sizes" : "split_size");
  if (!lengths) return std::nullopt;
  Dim sum = int64_t{0};
  Metas metas;
  for (const Dim& length : *lengths) {
    sum = add(sum, length);
    metas.push_back(call.result(self.dtype, with_size(self.sizes, axis, length)));
  }
  if (contradict(sum, self.sizes[axis])) {
    call.fail(fmt::format("split sizes {} of an axis of {}", text_of(*lengths), to_string(self.sizes[axis])));
  }
  return metas;
}

at::ScalarType common_dtype(const std::vector<const TensorMeta*>& tensors) {
  at::ScalarType dtype = tensors[0]->dtype;
  for (const TensorMeta* tensor : tensors) dtype = c10::promoteTypes(dtype, tensor->dtype);
  return dtype;
}

// Tensors of sizes [0] are passed over, as ATen does for old programs' sake.
Result cat(const Call& call) {
  const std::vector<const TensorMeta*> tensors = call.tensors("tensors");
  call.check(!tensors.empty(), "an empty list of tensors");
  const TensorMeta* first = nullptr;
  Dim sum = int64_t{0};
  size_t axis = 0;
  for (const TensorMeta* tensor : tensors) {
    if (tensor->sizes == Dims{int64_t{0}}) continue;
    if (first == nullptr) {
      first = tensor;
      axis = call.axis("dim", tensor->rank());
    }
    bool fits = tensor->rank() == first->rank() && tensor->rank() > 0;
    for (size_t i = 0; fits && i < first->rank(); ++i)
      fits = i == axis || !contradict(tensor->sizes[i], first->sizes[i]);
    if (!fits) {
      call.fail(
          fmt::format("sizes {} and {} do not join on axis {}", text_of(first->sizes), text_of(tensor->sizes), axis));
    }
    sum = add(sum, tensor->sizes[axis]);
  }
  if (first == nullptr) return call.one(common_dtype(tensors), {int64_t{0}});
  return call.one(common_dtype(tensors), with_size(first->sizes, axis, sum));
}

Result stack(const Call& call) {
  const std::vector<const TensorMeta*> tensors = call.tensors("tensors");
  call.check(!tensors.empty(), "an empty list of tensors");
  Dims sizes = tensors[0]->sizes;
  for (const TensorMeta* tensor : tensors) {
    bool fits = tensor->rank() == sizes.size();
    for (size_t i = 0; fits && i < sizes.size(); ++i) fits = !contradict(tensor->sizes[i], sizes[i]);
    if (!fits) call.fail(fmt::format("sizes {} and {} do not stack", text_of(sizes), text_of(tensor->sizes)));
  }
  const size_t axis = call.axis("dim", sizes.size() + 1);
  sizes.insert(sizes.begin() + static_cast<std::ptrdiff_t>(axis), Dim(static_cast<int64_t>(tensors.size())));
  return call.one(common_dtype(tensors), std::move(sizes));
}

Result gather(const Call& call) { return call.with_sizes(call.tensor("index").sizes); }
Result index_select(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  if (self.rank() == 0) return call.same("self");
  const TensorMeta& index = call.tensor("index");
  return call.with_sizes(with_size(self.sizes, call.axis("dim", self.rank()), product(index.sizes)));
}

}  // namespace

void add_split_join_rules(RuleTable& table) {
  table["select.int"] = select;
  table["slice.Tensor"] = slice;
  table["narrow.default"] = narrow;
  table["unbind.int"] = unbind;
  table["chunk.default"] = chunk;
  table["split.Tensor"] = split;
  for (const char* name : {"split.sizes", "split_with_sizes.default"}) table[name] = split_with_sizes;
  table["cat.default"] = cat;
  table["stack.default"] = stack;
  table["gather.default"] = gather;
  table["index_select.default"] = index_select;
}

}  // namespace torquant::shape
