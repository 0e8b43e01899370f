#include "torquant/cli/batches.h"

#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <algorithm>

#include "torquant/core/error.h"

namespace torquant::cli {

BatchPlan plan_batches(const Program& program, const Dataset& dataset, std::optional<int64_t> wanted,
                       int64_t preferred) {
  const std::vector<Value*> inputs = program.user_inputs();
  BatchPlan plan = {.samples_per_call = wanted.value_or(1)};
  if (inputs.empty() || !inputs[0]->is_tensor() || inputs[0]->tensor().rank() == 0) return plan;
  const Sample sample = dataset.sample(0);
  if (sample.inputs[0].dim() == 0) return plan;
  const int64_t rows = std::max<int64_t>(sample.inputs[0].size(0), 1);  // of one sample
  const Dim& batch = inputs[0]->tensor().sizes[0];
  if (const auto* fixed = std::get_if<int64_t>(&batch)) {
    plan.fixed_rows = *fixed;
    if (!wanted) plan.samples_per_call = std::max<int64_t>(*fixed / rows, 1);
    return plan;
  }
  const auto symbol = std::get<SymbolicDim>(batch).expr.symbol_name();
  const auto range = symbol ? program.ranges().find(*symbol) : program.ranges().end();
  if (wanted || range == program.ranges().end()) return plan;
  const int64_t least = (std::max<int64_t>(range->second.min.value_or(1), 1) + rows - 1) / rows;
  plan.samples_per_call = std::max(preferred, least);
  if (const auto most = range->second.max) {
    plan.samples_per_call = std::min(plan.samples_per_call, std::max<int64_t>(*most / rows, 1));
  }
  return plan;
}

Sample padded(Sample batch, int64_t rows) {
  const auto pad = [&](at::Tensor& tensor) {
    if (!tensor.defined() || tensor.dim() == 0 || tensor.size(0) == 0 || tensor.size(0) >= rows) return;
    std::vector<int64_t> sizes = tensor.sizes().vec();
    sizes[0] = rows - tensor.size(0);
    tensor = at::cat({tensor, tensor.narrow(0, tensor.size(0) - 1, 1).expand(sizes)});
  };
  for (at::Tensor& input : batch.inputs) pad(input);
  pad(batch.labels);
  return batch;
}

}  // namespace torquant::cli
