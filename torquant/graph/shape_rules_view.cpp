// The same elements in another shape; sizes as scalars.
#include <fmt/format.h>

#include <algorithm>

#include "torquant/graph/shape_call.h"

namespace torquant::shape {
namespace {

// The one size written as -1 becomes what the others leave; where that is symbolic, common factors cancel first.
Dims fill_in(const Call& call, const Dims& from, Dims wanted) {
  const auto mismatch = [&] { call.fail(fmt::format("sizes {} do not fit into {}", text_of(from), text_of(wanted))); };
  const auto is_open = [](const Dim& dim) { return dim == Dim(-1); };
  const auto open = std::find_if(wanted.begin(), wanted.end(), is_open);
  if (open == wanted.end()) {
    if (contradict(product(from), product(wanted))) mismatch();
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
  const std::optional<int64_t> x = hint_of(above);
  const std::optional<int64_t> y = hint_of(below);
  if (y == 0 || (x && y && *x % *y != 0)) mismatch();
  // The number among the factors is divided, not wrapped: 96*s0 by 8 is 12*s0.
  const auto symbols = std::stable_partition(given.begin(), given.end(), is_static);
  const Dim number = product(Dims(given.begin(), symbols));
  const bool divides = is_static(below) && std::get<int64_t>(number) % std::get<int64_t>(below) == 0;
  *open = divides ? mul(floor_div(number, below), product(Dims(symbols, given.end()))) : floor_div(above, below);
  return wanted;
}

Result view(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  const bool is_reshape = call.node().find_arg("shape") != nullptr;
  std::optional<Dims> sizes = call.dims(is_reshape ? "shape" : "size");
  if (!sizes) return std::nullopt;
  return call.with_sizes(fill_in(call, self.sizes, *std::move(sizes)));
}

Result flatten(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  if (self.rank() == 0) return call.with_sizes({int64_t{1}});
  const size_t start = call.axis("start_dim", self.rank());
  const size_t end = call.axis("end_dim", self.rank());
  call.check(start <= end, fmt::format("start_dim {} after end_dim {}", start, end));
  const auto first = self.sizes.begin() + static_cast<std::ptrdiff_t>(start);
  const auto last = self.sizes.begin() + static_cast<std::ptrdiff_t>(end) + 1;
  Dims sizes(self.sizes.begin(), first);
  sizes.push_back(product(Dims(first, last)));
  sizes.insert(sizes.end(), last, self.sizes.end());
  return call.with_sizes(std::move(sizes));
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
  return call.with_sizes(std::move(sizes));
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
  return call.with_sizes(std::move(sizes));
}

Result transpose(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  const size_t first = call.axis("dim0", self.rank());
  const size_t second = call.axis("dim1", self.rank());
  Dims sizes = self.sizes;
  if (!sizes.empty()) std::swap(sizes[first], sizes[second]);
  return call.with_sizes(std::move(sizes));
}

Result transpose_matrix(const Call& call) {
  Dims sizes = call.tensor("self").sizes;
  call.check(sizes.size() <= 2, fmt::format("a tensor of rank {}", sizes.size()));
  std::reverse(sizes.begin(), sizes.end());
  return call.with_sizes(std::move(sizes));
}

Result squeeze_all(const Call& call) {
  Dims sizes = call.tensor("self").sizes;
  std::erase(sizes, Dim(1));
  return call.with_sizes(std::move(sizes));
}
Result squeeze_axes(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  std::vector<bool> gone(std::max<size_t>(self.rank(), 1), false);
  for (const int64_t one : call.integers("dim")) gone[call.axis(one, self.rank())] = true;
  Dims sizes;
  for (size_t i = 0; i < self.rank(); ++i) {
    if (!gone[i] || self.sizes[i] != Dim(1)) sizes.push_back(self.sizes[i]);
  }
  return call.with_sizes(std::move(sizes));
}
Result unsqueeze(const Call& call) {
  Dims sizes = call.tensor("self").sizes;
  const size_t axis = call.axis("dim", sizes.size() + 1);
  sizes.insert(sizes.begin() + static_cast<std::ptrdiff_t>(axis), Dim(1));
  return call.with_sizes(std::move(sizes));
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
  return call.with_sizes(*std::move(sizes));
}

Result repeat(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  std::optional<Dims> counts = call.dims("repeats");
  if (!counts) return std::nullopt;
  call.check(counts->size() >= self.rank(),
             fmt::format("{} repeats for a tensor of rank {}", counts->size(), self.rank()));
  const size_t more = counts->size() - self.rank();
  for (size_t i = 0; i < self.rank(); ++i) (*counts)[more + i] = mul((*counts)[more + i], self.sizes[i]);
  return call.with_sizes(*std::move(counts));
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
  table["sym_size.int"] = size_of;
}

}  // namespace torquant::shape
