// Reductions over axes, softmax, scans.
#include "torquant/graph/shape_call.h"

namespace torquant::shape {
namespace {

Dims reduced(const Dims& sizes, const std::vector<bool>& axes, bool keep) {
  Dims result;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (!axes[i]) {
      result.push_back(sizes[i]);
    } else if (keep) {
      result.emplace_back(1);
    }
  }
  return result;
}

// sum and prod of integers are int64.
at::ScalarType sum_dtype(const Call& call) {
  const at::ScalarType dtype = call.tensor("self").dtype;
  if (const auto asked = call.dtype("dtype")) return *asked;
  return c10::isIntegralType(dtype, /*includeBool=*/true) ? at::kLong : dtype;
}

Result reduce_all(const Call& call) { return call.one(sum_dtype(call), {}); }
Result mean_all(const Call& call) { return call.one(call.dtype("dtype").value_or(call.tensor("self").dtype), {}); }
Result reduce_axes_to(const Call& call, at::ScalarType dtype) {
  const TensorMeta& self = call.tensor("self");
  return call.one(dtype, reduced(self.sizes, call.axes("dim", self.rank()), call.boolean("keepdim")));
}
Result sum_axes(const Call& call) { return reduce_axes_to(call, sum_dtype(call)); }
Result mean_axes(const Call& call) {
  return reduce_axes_to(call, call.dtype("dtype").value_or(call.tensor("self").dtype));
}
Result extreme_axes(const Call& call) { return reduce_axes_to(call, call.tensor("self").dtype); }
Result extreme_all(const Call& call) { return call.one(call.tensor("self").dtype, {}); }

Dims without_axis(const Call& call, const TensorMeta& self) {
  std::vector<bool> axes(self.rank(), false);
  if (self.rank() > 0) axes[call.axis("dim", self.rank())] = true;
  return reduced(self.sizes, axes, call.boolean("keepdim"));
}
// max.dim: values and where they stand.
Result extreme_axis_with_indices(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  const Dims sizes = without_axis(call, self);
  return Metas{call.result(self.dtype, sizes), call.result(at::kLong, sizes)};
}
Result argmax(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  if (call.is_none("dim")) {
    return call.one(at::kLong, call.boolean("keepdim") ? Dims(self.rank(), Dim(1)) : Dims{});
  }
  return call.one(at::kLong, without_axis(call, self));
}

Result softmax(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  call.axis("dim", self.rank());
  return call.one(call.dtype("dtype").value_or(self.dtype), self.sizes);
}
// _softmax(self, dim, half_to_float)
Result softmax_kernel(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  call.axis("dim", self.rank());
  return call.one(call.boolean("half_to_float") ? at::kFloat : self.dtype, self.sizes);
}
Result cumulate(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  call.axis("dim", self.rank());
  return call.one(sum_dtype(call), self.sizes);
}

}  // namespace

void add_reduction_rules(RuleTable& table) {
  table["sum.default"] = reduce_all;
  table["prod.default"] = reduce_all;
  table["mean.default"] = mean_all;
  table["sum.dim_IntList"] = sum_axes;
  table["mean.dim"] = mean_axes;
  for (const char* name : {"amax.default", "amin.default"}) table[name] = extreme_axes;
  for (const char* name : {"max.default", "min.default"}) table[name] = extreme_all;
  for (const char* name : {"max.dim", "min.dim"}) table[name] = extreme_axis_with_indices;
  for (const char* name : {"argmax.default", "argmin.default"}) table[name] = argmax;
  for (const char* name : {"softmax.int", "log_softmax.int"}) table[name] = softmax;
  for (const char* name : {"_softmax.default", "_log_softmax.default"}) table[name] = softmax_kernel;
  for (const char* name : {"cumsum.default", "cumprod.default"}) table[name] = cumulate;
}

}  // namespace torquant::shape
