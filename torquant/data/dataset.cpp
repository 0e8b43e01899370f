#include "torquant/data/dataset.h"

#include <ATen/ops/cat.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "torquant/core/error.h"

namespace torquant {
namespace {

std::string shape_text(const at::Tensor& tensor) { return fmt::format("[{}]", fmt::join(tensor.sizes(), ", ")); }

// Joins `parts`, tensor `what` of samples first, first + 1, …
at::Tensor join(const Dataset& dataset, const std::string& what, int64_t first, const std::vector<at::Tensor>& parts) {
  if (parts.size() == 1) return parts[0];
  for (size_t i = 0; i < parts.size(); ++i) {
    const bool fits = parts[i].dim() > 0 && parts[i].scalar_type() == parts[0].scalar_type() &&
                      parts[i].sizes().slice(1) == parts[0].sizes().slice(1);
    if (fits) continue;
    throw Error({.where = fmt::format("{}: sample {}", dataset.name(), first + static_cast<int64_t>(i)),
                 .what = fmt::format("{} is {} {}, which does not join the {} {} of sample {} in one batch", what,
                                     c10::toString(parts[i].scalar_type()), shape_text(parts[i]),
                                     c10::toString(parts[0].scalar_type()), shape_text(parts[0]), first),
                 .hint = "use a batch size of 1"});
  }
  return at::cat(parts, 0);
}

int64_t rows_of(const std::string& name, const std::vector<at::Tensor>& inputs) {
  if (inputs.empty()) throw Error({.where = name, .what = "no input array"});
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].dim() == 0) throw Error({.where = name, .what = fmt::format("x{} has no axis of samples", i)});
    if (inputs[i].size(0) != inputs[0].size(0)) {
      throw Error({.where = name,
                   .what = fmt::format("x{} holds {} samples, x0 holds {}", i, inputs[i].size(0), inputs[0].size(0))});
    }
  }
  return inputs[0].size(0);
}

}  // namespace

Dataset::Dataset(std::string name, int64_t size) : name_(std::move(name)), size_(size) {
  if (size_ < 1) throw Error({.where = name_, .what = "holds no sample"});
}

Sample Dataset::sample(int64_t index) const {
  if (index < 0 || index >= size_) {
    throw Error({.where = name_,
                 .what = fmt::format("sample {} is asked for", index),
                 .allowed = fmt::format("0 to {}", size_ - 1)});
  }
  return load(index);
}

Sample load_batch(const Dataset& dataset, int64_t first, int64_t count) {
  if (count < 1) {
    throw Error({.where = dataset.name(),
                 .what = fmt::format("a batch of {} samples is asked for", count),
                 .allowed = "1 or more"});
  }
  const Sample head = dataset.sample(first);
  std::vector<std::vector<at::Tensor>> inputs;  // [input][sample]
  for (const at::Tensor& input : head.inputs) inputs.push_back({input});
  std::vector<at::Tensor> labels = {head.labels};
  const int64_t end = std::min(dataset.size(), first + std::min(count, dataset.size()));
  for (int64_t index = first + 1; index < end; ++index) {
    Sample sample = dataset.sample(index);
    if (sample.inputs.size() != inputs.size() || sample.labels.defined() != head.labels.defined()) {
      throw Error({.where = fmt::format("{}: sample {}", dataset.name(), index),
                   .what = fmt::format("has {} inputs and {}, sample {} has {} and {}", sample.inputs.size(),
                                       sample.labels.defined() ? "labels" : "no labels", first, inputs.size(),
                                       head.labels.defined() ? "labels" : "no labels")});
    }
    for (size_t i = 0; i < inputs.size(); ++i) inputs[i].push_back(std::move(sample.inputs[i]));
    labels.push_back(std::move(sample.labels));
  }

  Sample batch;
  for (size_t i = 0; i < inputs.size(); ++i) {
    batch.inputs.push_back(join(dataset, fmt::format("x{}", i), first, inputs[i]));
  }
  if (head.labels.defined()) batch.labels = join(dataset, "y", first, labels);
  return batch;
}

ArrayDataset::ArrayDataset(const std::string& name, std::vector<at::Tensor> inputs, const at::Tensor& labels)
    : Dataset(name, rows_of(name, inputs)), inputs_(std::move(inputs)) {
  if (!labels.defined()) return;
  labels_ = checked_labels(name + ": y", labels);
  if (labels_.size(0) != size()) {
    throw Error({.where = name, .what = fmt::format("{} labels for {} samples", labels_.size(0), size())});
  }
}

Sample ArrayDataset::load(int64_t index) const {
  Sample sample;
  for (const at::Tensor& input : inputs_) sample.inputs.push_back(input.narrow(0, index, 1));
  if (labels_.defined()) sample.labels = labels_.narrow(0, index, 1);
  return sample;
}

at::Tensor checked_labels(const std::string& where, const at::Tensor& labels) {
  if (!c10::isIntegralType(labels.scalar_type(), /*includeBool=*/false)) {
    throw Error({.where = where,
                 .what = fmt::format("labels of dtype {}", c10::toString(labels.scalar_type())),
                 .allowed = "an integer dtype: class numbers from 0"});
  }
  if (labels.dim() > 1) {
    throw Error({.where = where,
                 .what = fmt::format("labels of shape {}", shape_text(labels)),
                 .allowed = "one axis: a class number a sample"});
  }
  at::Tensor result = labels.to(at::kLong).reshape({-1}).contiguous();
  const int64_t* values = result.const_data_ptr<int64_t>();
  const int64_t* negative = std::find_if(values, values + result.numel(), [](int64_t value) { return value < 0; });
  if (negative != values + result.numel()) {
    throw Error({.where = where,
                 .what = fmt::format("label {} of sample {}", *negative, negative - values),
                 .allowed = "class numbers from 0"});
  }
  return result;
}

}  // namespace torquant
