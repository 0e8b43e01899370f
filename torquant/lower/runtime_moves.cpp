#include "torquant/lower/runtime_moves.h"

#include <ATen/core/List.h>
#include <ATen/ops/index.h>
#include <ATen/ops/pixel_shuffle.h>
#include <ATen/ops/upsample_nearest2d.h>

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/read_pattern.h"

namespace torquant::runtime_lowering {
namespace {

// The sizes of what `node` gives for a batch of one; nothing where they are not known.
std::optional<std::vector<int64_t>> sizes_of_one(const Node& node) {
  if (node.output() == nullptr || !node.output()->is_tensor()) return std::nullopt;  // several outputs, or a number
  std::vector<int64_t> sizes;
  for (const Dim& size : node.output()->tensor().sizes) {
    const std::optional<int64_t> known = hint_of(size);
    if (!known) return std::nullopt;
    sizes.push_back(*known);
  }
  if (sizes.empty()) return std::nullopt;
  sizes[0] = 1;
  return sizes;
}

// By constant indices of whole tensors; undefined with others.
at::Tensor take(const Node& node, const at::Tensor& places, const ConstantOf& constant_of) {
  const auto* indices = std::get_if<std::vector<Value*>>(node.find_arg("indices"));
  if (indices == nullptr) return {};
  c10::List<std::optional<at::Tensor>> all;
  for (const Value* index : *indices) {
    const std::optional<at::Tensor> numbers = index == nullptr ? std::nullopt : constant_of(index);
    if (index != nullptr && !numbers) return {};
    all.push_back(numbers);
  }
  return at::index(places, all);
}

// New dimensions come in front: they may not be where the batch is, unless that is one image.
bool has_batch_in_front(const Node& node) {
  const TensorMeta& from = first_input(node)->tensor();
  return from.rank() == node.output()->tensor().rank() || from.sizes[0] == Dim(int64_t{1});
}

at::Tensor run(const Node& node, const at::Tensor& places, const std::vector<int64_t>& sizes,
               const ConstantOf& constant_of) {
  static const std::unordered_set<OpId> kReshapes = {OpId{"aten.flatten.using_ints"}, OpId{"aten.reshape.default"},
                                                     OpId{"aten.view.default"},       OpId{"aten.unflatten.int"},
                                                     OpId{"aten.squeeze.dim"},        OpId{"aten.squeeze.dims"},
                                                     OpId{"aten.unsqueeze.default"}};
  static const OpId kPermute{"aten.permute.default"}, kTranspose{"aten.transpose.int"}, kSlice{"aten.slice.Tensor"},
      kSelect{"aten.select.int"}, kExpand{"aten.expand.default"}, kPixelShuffle{"aten.pixel_shuffle.default"},
      kUpsample{"aten.upsample_nearest2d.vec"}, kIndex{"aten.index.Tensor"};
  const OpId& op = node.op();
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  if (kReshapes.contains(op)) return count == places.numel() ? places.reshape(sizes) : at::Tensor();
  if (changes_nothing(node)) return places;
  if (op == kIndex) return take(node, places, constant_of);
  if (op == kPermute) return places.permute(ints_arg(node, "dims"));
  if (op == kTranspose) return places.transpose(int_arg(node, "dim0"), int_arg(node, "dim1"));
  if (op == kSelect) return places.select(int_arg(node, "dim"), int_arg(node, "index"));
  if (op == kExpand) return has_batch_in_front(node) ? places.expand(sizes) : at::Tensor();
  if (op == kPixelShuffle) return at::pixel_shuffle(places, int_arg(node, "upscale_factor"));
  if (op == kSlice) {
    const auto bound = [&](const char* name) {
      return is_none(arg_or_default(node, name)) ? std::nullopt : std::optional(int_arg(node, name));
    };
    return places.slice(int_arg(node, "dim"), bound("start"), bound("end"), int_arg(node, "step"));
  }
  // Its kernels take no integers of 64 bits; doubles hold the places exactly.
  if (op == kUpsample && sizes.size() == 4)
    return at::upsample_nearest2d(places.to(at::kDouble), {sizes[2], sizes[3]}).to(at::kLong);
  return {};
}

}  // namespace

at::Tensor move_places(const Node& node, const at::Tensor& places, const ConstantOf& constant_of) {
  const std::optional<std::vector<int64_t>> sizes = sizes_of_one(node);
  if (!sizes) return {};
  const at::Tensor moved = run(node, places, *sizes, constant_of);
  return moved.defined() && moved.sizes() == at::IntArrayRef(*sizes) ? moved : at::Tensor();
}

std::optional<format::Rearrange> as_rearrange(const at::Tensor& places) {
  const at::Tensor flat = places.contiguous();
  std::vector<int64_t> rest(flat.const_data_ptr<int64_t>(), flat.const_data_ptr<int64_t>() + flat.numel());
  format::Rearrange found{.input = 0, .output = 0, .begin = rest.empty() ? 0 : rest[0]};
  // The last digit is the longest run of equal steps; what is left by taking the first of each run has the others.
  while (rest.size() > 1) {
    const int64_t step = rest[1] - rest[0];
    size_t run = 2;
    while (run < rest.size() && rest[run] - rest[run - 1] == step) ++run;
    while (rest.size() % run != 0) --run;
    std::vector<int64_t> firsts;
    for (size_t i = 0; i < rest.size(); i += run) {
      for (size_t j = 1; j < run; ++j) {
        if (rest[i + j] - rest[i] != static_cast<int64_t>(j) * step) return std::nullopt;
      }
      firsts.push_back(rest[i]);
    }
    if (run == 1) return std::nullopt;
    found.sizes.insert(found.sizes.begin(), static_cast<int64_t>(run));
    found.steps.insert(found.steps.begin(), step);
    rest = std::move(firsts);
  }
  return found;
}

}  // namespace torquant::runtime_lowering
