#include "torquant/runtime/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace torquant::runtime {
namespace {

using format::Layer;
using format::Model;
using format::Value;
using format::ValueIndex;

constexpr size_t kAlignment = 64;
constexpr size_t kReadBehind = 128;  // what kernels may read behind the last code

size_t rounded(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

bool is_codes(const Value& value) { return value.type == format::ValueType::kUint8; }

Place place_of(const Value& value, size_t batch) {
  const size_t rank = value.sizes.size();
  Place place{};
  place.batch = batch;
  place.channels = static_cast<size_t>(value.sizes[1]);
  place.depth = rank == 5 ? static_cast<size_t>(value.sizes[2]) : 1;
  place.height = rank >= 4 ? static_cast<size_t>(value.sizes[rank - 2]) : 1;
  place.width = rank == 2 ? 1 : static_cast<size_t>(value.sizes.back());
  place.pixel_bytes = place.channels * format::bytes_of(value.type);
  return place;
}

// Widens the border of a layer's input to what its windows read.
void add_border(const Layer& layer, const Place& output, Place& input) {
  using Axis = format::Windows::Axis;
  const auto in_front = [](const Axis& axis) { return static_cast<size_t>(axis.padding); };
  const auto behind = [](const Axis& axis, size_t in, size_t out) {
    const int64_t last = (static_cast<int64_t>(out) - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
    return static_cast<size_t>(std::max<int64_t>(0, last - axis.padding - static_cast<int64_t>(in)));
  };
  const Axis rows = layer.windows.rows(), columns = layer.windows.columns(), planes = layer.windows.planes;
  input.top = std::max(input.top, in_front(rows));
  input.left = std::max(input.left, in_front(columns));
  input.front = std::max(input.front, in_front(planes));
  input.bottom = std::max(input.bottom, behind(rows, input.height, output.height));
  input.right = std::max(input.right, behind(columns, input.width, output.width));
  input.back = std::max(input.back, behind(planes, input.depth, output.depth));
}

// Values that are one piece of memory: each names the first of them.
class Sharing {
 public:
  explicit Sharing(size_t values) : owner_(values) { std::iota(owner_.begin(), owner_.end(), ValueIndex{0}); }
  ValueIndex owner(ValueIndex value) const { return owner_[value]; }
  void join(ValueIndex value, ValueIndex with) { owner_[value] = owner_[with]; }

 private:
  std::vector<ValueIndex> owner_;
};

struct Life {
  size_t first, last;  // nodes, from the one that gives it to the last that reads it
};

bool same_layout(const Place& a, const Place& b) {
  return a.batch == b.batch && a.depth == b.depth && a.height == b.height && a.width == b.width &&
         a.channels == b.channels && a.top == b.top && a.left == b.left && a.bottom == b.bottom && a.right == b.right &&
         a.front == b.front && a.back == b.back;
}

}  // namespace

MemoryPlan plan_memory(const Model& model, size_t batch) {
  MemoryPlan plan{};
  plan.batch = batch;
  for (const Value& value : model.values) plan.places.push_back(place_of(value, batch));
  std::vector<size_t> last_read(model.values.size(), 0);
  for (size_t i = 0; i < model.nodes.size(); ++i) {
    const format::Operation& operation = model.nodes[i].operation;
    for (const ValueIndex input : inputs_of(operation)) last_read[input] = i;
    if (const auto* layer = std::get_if<Layer>(&operation)) {
      add_border(*layer, plan.places[layer->output], plan.places[layer->input]);
    }
  }
  for (const ValueIndex output : model.outputs) last_read[output] = model.nodes.size();
  for (size_t value = 0; value < plan.places.size(); ++value) {
    Place& place = plan.places[value];
    place.row_bytes = (place.left + place.width + place.right) * place.pixel_bytes;
    place.plane_bytes = (place.top + place.height + place.bottom) * place.row_bytes;
    if (is_codes(model.values[value])) place.plane_bytes = rounded(place.plane_bytes, kAlignment);
  }

  Sharing sharing(model.values.size());
  std::vector<Life> lives(model.values.size(), Life{0, 0});
  for (size_t i = 0; i < model.nodes.size(); ++i) {
    const format::Operation& operation = model.nodes[i].operation;
    const ValueIndex output = output_of(operation);
    lives[output] = {i, std::max(i, last_read[output])};  // written even where nobody reads it
    const auto* layer = std::get_if<Layer>(&operation);
    const auto* flatten = std::get_if<format::Flatten>(&operation);
    int64_t over = layer == nullptr ? -1 : layer->residual;
    if (over >= 0 && (last_read[static_cast<ValueIndex>(over)] != i || over == layer->input ||
                      !same_layout(plan.places[static_cast<ValueIndex>(over)], plan.places[output]))) {
      over = -1;
    }
    if (flatten != nullptr && plan.places[flatten->input].pixels() == 1 &&
        same_layout(plan.places[flatten->input], plan.places[output])) {
      over = flatten->input;
    }
    if (over < 0 || !is_codes(model.values[static_cast<ValueIndex>(over)])) continue;
    sharing.join(output, static_cast<ValueIndex>(over));
    Life& life = lives[sharing.owner(output)];
    life.last = std::max(life.last, lives[output].last);
  }

  std::vector<bool> is_others;  // memory: the user's, or the model's
  for (const Value& value : model.values) is_others.push_back(value.is_constant());
  for (const std::vector<ValueIndex>* border : {&model.inputs, &model.outputs}) {
    for (const ValueIndex value : *border) is_others[value] = !is_codes(model.values[value]);
  }
  std::vector<ValueIndex> order;
  for (ValueIndex value = 0; value < model.values.size(); ++value) {
    if (!is_others[value] && sharing.owner(value) == value) order.push_back(value);
  }
  const auto size_of = [&](ValueIndex value) { return plan.places[value].bytes(); };
  std::sort(order.begin(), order.end(),
            [&](ValueIndex a, ValueIndex b) { return size_of(a) != size_of(b) ? size_of(a) > size_of(b) : a < b; });
  std::vector<ValueIndex> placed;  // by their place in the arena
  for (const ValueIndex value : order) {
    const size_t bytes = rounded(plan.places[value].bytes(), kAlignment);
    size_t begin = 0;
    for (const ValueIndex other : placed) {
      const bool together = lives[other].first <= lives[value].last && lives[value].first <= lives[other].last;
      const Place& taken = plan.places[other];
      if (!together || taken.begin + rounded(taken.bytes(), kAlignment) <= begin) continue;
      if (begin + bytes <= taken.begin) break;
      begin = taken.begin + rounded(taken.bytes(), kAlignment);
    }
    plan.places[value].begin = begin;
    plan.arena_bytes = std::max(plan.arena_bytes, begin + bytes);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), value,
                         [&](ValueIndex a, ValueIndex b) { return plan.places[a].begin < plan.places[b].begin; }),
        value);
  }
  for (ValueIndex value = 0; value < model.values.size(); ++value)
    plan.places[value].begin = plan.places[sharing.owner(value)].begin;
  plan.arena_bytes += kReadBehind;
  return plan;
}

}  // namespace torquant::runtime
