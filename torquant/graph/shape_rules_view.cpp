// Views, joins and splits.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "torquant/graph/shape_call.h"

namespace torquant::shape {
namespace {

Result with_sizes(const Call& call, Dims sizes) { return call.one(call.tensor("self").dtype, std::move(sizes)); }

// The one size written as -1 becomes what the others leave; where that is symbolic, common factors cancel first.
Dims fill_in(const Call& call, const Dims& from, Dims wanted) {
  const auto is_open = [](const Dim& dim) { return dim == Dim(-1); };
  const auto open = std::find_if(wanted.begin(), wanted.end(), is_open);
  if (open == wanted.end()) {
    if (contradict(product(from), product(wanted))) {
      call.fail(fmt::format("sizes {} do not fit into {}", text_of(from), text_of(wanted)));
    }
    return wanted;
  }
  if (std::count_if(wanted.begin(), wanted.end(), is_open) > 1) {
    call.fail(fmt::format("sizes {} have several -1", text_of(wanted)));
  }
  Dims given = from;
  Dims taken;
  for (const Dim& dim : wanted) {
    if (is_open(dim)) continue;
    const auto same = std::find(given.begin(), given.end(), dim);
    if (same != given.end()) {
      given.erase(same);
    } else {
      taken.push_back(dim);
    }
  }
  const Dim above = product(given);
  const Dim below = product(taken);
  const auto mismatch = [&] { call.fail(fmt::format("sizes {} do not fit into {}", text_of(from), text_of(wanted))); };
  if (const auto* divisor = std::get_if<int64_t>(&below)) {
    if (*divisor == 0) mismatch();
    const std::optional<int64_t> value = hint_of(above);
    if (value && *value % *divisor != 0) mismatch();
    // The number among the factors is divided, not wrapped: 96*s0 by 8 is 12*s0.
    Dims symbolic;
    Dim number = int64_t{1};
    for (const Dim& dim : given) {
      if (is_static(dim)) {
        number = mul(number, dim);
      } else {
        symbolic.push_back(dim);
      }
    }
    const bool divides = std::get<int64_t>(number) % *divisor == 0;
    *open = divides ? mul(floor_div(number, *divisor), product(symbolic)) : floor_div(above, *divisor);
    return wanted;
  }
  const std::optional<int64_t> x = hint_of(above);
  const std::optional<int64_t> y = hint_of(below);
  const auto expr = [](const Dim& dim) {
    return is_static(dim) ? SymExpr::integer(std::get<int64_t>(dim)) : std::get<SymbolicDim>(dim).expr;
  };
  if (x && y && (*y == 0 || *x % *y != 0)) mismatch();
  *open = SymbolicDim{SymExpr::call("FloorDiv", {expr(above), expr(below)}),
                      x && y ? std::optional(*x / *y) : std::nullopt};
  return wanted;
}

Result view(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  const bool is_reshape = call.node().find_arg("shape") != nullptr;
  std::optional<Dims> sizes = call.dims(is_reshape ? "shape" : "size");
  if (!sizes) return std::nullopt;
  return with_sizes(call, fill_in(call, self.sizes, *std::move(sizes)));
}

Result flatten(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  if (self.rank() == 0) return with_sizes(call, {int64_t{1}});
  const size_t start = call.axis("start_dim", self.rank());
  const size_t end = call.axis("end_dim", self.rank());
  call.check(start <= end, fmt::format("start_dim {} after end_dim {}", start, end));
  const auto first = self.sizes.begin() + static_cast<std::ptrdiff_t>(start);
  const auto last = self.sizes.begin() + static_cast<std::ptrdiff_t>(end) + 1;
  Dims sizes(self.sizes.begin(), first);
  sizes.push_back(product(Dims(first, last)));
  sizes.insert(sizes.end(), last, self.sizes.end());
  return with_sizes(call, std::move(sizes));
}

Result unflatten(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  const size_t axis = call.axis("dim", self.rank());
  std::optional<Dims> parts = call.dims("sizes");
  if (!parts || self.rank() == 0) return std::nullopt;
  Dims sizes = self.sizes;
  const Dims filled = fill_in(call, {sizes[axis]}, *std::move(parts));
  sizes.erase(sizes.begin() + static_cast<std::ptrdiff_t>(axis));
  sizes.insert(sizes.begin() + static_cast<std::ptrdiff_t>(axis), filled.begin(), filled.end());
  return with_sizes(call, std::move(sizes));
}

Result permute(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  const std::vector<int64_t> order = call.integers("dims");
  call.check(order.size() == self.rank(), fmt::format("{} axes for a tensor of rank {}", order.size(), self.rank()));
  std::vector<bool> seen(self.rank(), false);
  Dims sizes;
  for (const int64_t one : order) {
    const size_t axis = call.axis(one, self.rank());
    call.check(!seen[axis], fmt::format("axis {} twice", axis));
    seen[axis] = true;
    sizes.push_back(self.sizes[axis]);
  }
  return with_sizes(call, std::move(sizes));
}

Result transpose(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  const size_t first = call.axis("dim0", self.rank());
  const size_t second = call.axis("dim1", self.rank());
  Dims sizes = self.sizes;
  if (!sizes.empty()) std::swap(sizes[first], sizes[second]);
  return with_sizes(call, std::move(sizes));
}

Result transpose_matrix(const Call& call) {
  Dims sizes = call.tensor("self").sizes;
  call.check(sizes.size() <= 2, fmt::format("a tensor of rank {}", sizes.size()));
  std::reverse(sizes.begin(), sizes.end());
  return with_sizes(call, std::move(sizes));
}

Result squeeze_all(const Call& call) {
  Dims sizes = call.tensor("self").sizes;
  std::erase(sizes, Dim(1));
  return with_sizes(call, std::move(sizes));
}
Result squeeze_axes(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  std::vector<bool> gone(std::max<size_t>(self.rank(), 1), false);
  for (const int64_t one : call.integers("dim")) gone[call.axis(one, self.rank())] = true;
  Dims sizes;
  for (size_t i = 0; i < self.rank(); ++i) {
    if (!gone[i] || self.sizes[i] != Dim(1)) sizes.push_back(self.sizes[i]);
  }
  return with_sizes(call, std::move(sizes));
}
Result unsqueeze(const Call& call) {
  Dims sizes = call.tensor("self").sizes;
  const size_t axis = call.axis("dim", sizes.size() + 1);
  sizes.insert(sizes.begin() + static_cast<std::ptrdiff_t>(axis), Dim(1));
  return with_sizes(call, std::move(sizes));
}

// -1 keeps an axis; other sizes stretch one of 1.
Result expand(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  std::optional<Dims> sizes = call.dims("size");
  if (!sizes) return std::nullopt;
  if (sizes->size() < self.rank()) {
    call.fail(fmt::format("{} sizes for a tensor of rank {}", sizes->size(), self.rank()));
  }
  const size_t more = sizes->size() - self.rank();
  for (size_t i = 0; i < self.rank(); ++i) {
    Dim& wanted = (*sizes)[more + i];
    if (wanted == Dim(-1)) {
      wanted = self.sizes[i];
    } else if (self.sizes[i] != Dim(1) && contradict(wanted, self.sizes[i])) {
      call.fail(fmt::format("sizes {} do not expand to {}", text_of(self.sizes), text_of(*sizes)));
    }
  }
  return with_sizes(call, *std::move(sizes));
}

Result repeat(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  std::optional<Dims> counts = call.dims("repeats");
  if (!counts) return std::nullopt;
  call.check(counts->size() >= self.rank(),
             fmt::format("{} repeats for a tensor of rank {}", counts->size(), self.rank()));
  const size_t more = counts->size() - self.rank();
  for (size_t i = 0; i < self.rank(); ++i) (*counts)[more + i] = mul((*counts)[more + i], self.sizes[i]);
  return with_sizes(call, *std::move(counts));
}

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
  return with_sizes(call, without(self.sizes, axis));
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
    return with_sizes(call, with_size(self.sizes, axis, ceil_div(size, step)));
  }
  if (!is_static(*start) || !is_static(*end)) return std::nullopt;
  const int64_t length = std::get<int64_t>(size);
  const auto bound = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + length : at, 0, length); };
  const int64_t from = bound(std::get<int64_t>(*start));
  const int64_t to = std::max(from, bound(std::get<int64_t>(*end)));
  return with_sizes(call, with_size(self.sizes, axis, Dim(from == to ? 0 : (to - from - 1) / step + 1)));
}

Result narrow(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  const std::optional<Dim> length = call.dim("length");
  if (!length || self.rank() == 0) return std::nullopt;
  return with_sizes(call, with_size(self.sizes, call.axis("dim", self.rank()), *length));
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

Result gather(const Call& call) { return with_sizes(call, call.tensor("index").sizes); }
Result index_select(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  if (self.rank() == 0) return call.same("self");
  const TensorMeta& index = call.tensor("index");
  return with_sizes(call, with_size(self.sizes, call.axis("dim", self.rank()), product(index.sizes)));
}

Result size_of(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  call.check(self.rank() >= 1, "a tensor of rank 0");
  return Metas{ScalarMeta{.kind = ScalarKind::kInt, .value = self.sizes[call.axis("dim", self.rank())]}};
}

}  // namespace

void add_view_rules(RuleTable& table) {
  for (const char* name : {"view.default", "reshape.default", "_unsafe_view.default", "view_copy.default"}) {
    table[name] = view;
  }
  table["flatten.using_ints"] = flatten;
  table["unflatten.int"] = unflatten;
  for (const char* name : {"permute.default", "permute_copy.default"}) table[name] = permute;
  for (const char* name : {"transpose.int", "transpose_copy.int"}) table[name] = transpose;
  for (const char* name : {"t.default", "t_copy.default"}) table[name] = transpose_matrix;
  table["squeeze.default"] = squeeze_all;
  for (const char* name : {"squeeze.dim", "squeeze.dims"}) table[name] = squeeze_axes;
  table["unsqueeze.default"] = unsqueeze;
  for (const char* name : {"expand.default", "expand_copy.default"}) table[name] = expand;
  table["repeat.default"] = repeat;
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
  table["sym_size.int"] = size_of;
}

}  // namespace torquant::shape
