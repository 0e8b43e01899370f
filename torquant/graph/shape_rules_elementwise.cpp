// Operators on each element: unary, binary with broadcasting and type promotion, dtype conversions.
#include "torquant/graph/shape_call.h"

namespace torquant::shape {
namespace {

Result same_as_self(const Call& call) { return call.same("self"); }
// dropout(input), dropout_(self).
Result same_as_first(const Call& call) { return call.same(call.node().find_arg("self") ? "self" : "input"); }

// sigmoid, exp: integers become floats.
Result unary_float(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  return call.one(float_of(self.dtype), self.sizes);
}
Result unary_bool(const Call& call) { return call.one(at::kBool, call.tensor("self").sizes); }

Result binary(const Call& call) {
  return call.one(call.promoted({"self", "other"}), call.broadcast({"self", "other"}));
}
Result binary_float(const Call& call) {
  return call.one(float_of(call.promoted({"self", "other"})), call.broadcast({"self", "other"}));
}
Result binary_bool(const Call& call) { return call.one(at::kBool, call.broadcast({"self", "other"})); }

// rounding_mode None divides truly.
Result divide_with_mode(const Call& call) { return call.is_none("rounding_mode") ? binary_float(call) : binary(call); }

Result power(const Call& call) {
  return call.one(call.promoted({"self", "exponent"}), call.broadcast({"self", "exponent"}));
}

Result clamp(const Call& call) { return call.one(call.promoted({"self", "min", "max"}), call.tensor("self").sizes); }
Result clamp_tensor(const Call& call) {
  return call.one(call.promoted({"self", "min", "max"}), call.broadcast({"self", "min", "max"}));
}
Result clamp_min(const Call& call) { return call.one(call.promoted({"self", "min"}), call.broadcast({"self", "min"})); }
Result clamp_max(const Call& call) { return call.one(call.promoted({"self", "max"}), call.broadcast({"self", "max"})); }

Result where(const Call& call) {
  return call.one(call.promoted({"self", "other"}), call.broadcast({"condition", "self", "other"}));
}
Result masked_fill(const Call& call) { return call.one(call.tensor("self").dtype, call.broadcast({"self", "mask"})); }
Result addcmul(const Call& call) {
  return call.one(call.promoted({"self", "tensor1", "tensor2"}), call.broadcast({"self", "tensor1", "tensor2"}));
}
Result prelu(const Call& call) { return call.same("self"); }

Result convert(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  Metas metas = call.one(call.dtype("dtype").value_or(self.dtype), self.sizes);
  const Argument* device = call.node().find_arg("device");
  if (device != nullptr) {
    if (const auto* given = std::get_if<at::Device>(device)) std::get<TensorMeta>(metas[0]).device = *given;
  }
  return metas;
}
Result convert_like(const Call& call) {
  const TensorMeta& other = call.tensor("other");
  Metas metas = call.one(other.dtype, call.tensor("self").sizes);
  std::get<TensorMeta>(metas[0]).device = other.device;
  return metas;
}

// zeros, full …: a tensor from its sizes.
Result create(const Call& call) {
  std::optional<Dims> sizes = call.dims("size");
  if (!sizes) return std::nullopt;
  return call.one(call.dtype("dtype").value_or(at::kFloat), *std::move(sizes));
}
Result create_full(const Call& call) {
  std::optional<Dims> sizes = call.dims("size");
  if (!sizes) return std::nullopt;
  const at::ScalarType dtype = call.dtype("dtype").value_or(call.promoted({"fill_value"}));
  return call.one(dtype, *std::move(sizes));
}
Result create_new(const Call& call) {
  std::optional<Dims> sizes = call.dims("size");
  if (!sizes) return std::nullopt;
  return call.one(call.dtype("dtype").value_or(call.tensor("self").dtype), *std::move(sizes));
}
Result create_like(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  return call.one(call.dtype("dtype").value_or(self.dtype), self.sizes);
}

Result nothing(const Call&) { return Metas{}; }

}  // namespace

void add_elementwise_rules(RuleTable& table) {
  for (const char* name : {"abs.default",
                           "alias.default",
                           "clone.default",
                           "contiguous.default",
                           "detach.default",
                           "neg.default",
                           "relu.default",
                           "relu6.default",
                           "hardtanh.default",
                           "leaky_relu.default",
                           "elu.default",
                           "selu.default",
                           "celu.default",
                           "gelu.default",
                           "silu.default",
                           "mish.default",
                           "hardswish.default",
                           "hardsigmoid.default",
                           "softplus.default",
                           "softshrink.default",
                           "hardshrink.default",
                           "threshold.default",
                           "log_sigmoid.default",
                           "round.default",
                           "floor.default",
                           "ceil.default",
                           "trunc.default",
                           "sign.default",
                           "square.default",
                           "fill.Scalar",
                           "lift_fresh_copy.default",
                           "bitwise_not.default",
                           "tril.default",
                           "triu.default",
                           "nan_to_num.default"}) {
    table[name] = same_as_self;
  }
  for (const char* name : {"dropout.default", "alpha_dropout.default", "feature_dropout.default"}) {
    table[name] = same_as_first;
  }
  for (const char* name :
       {"sigmoid.default", "tanh.default",       "exp.default",          "exp2.default",  "expm1.default",
        "log.default",     "log2.default",       "log10.default",        "log1p.default", "sqrt.default",
        "rsqrt.default",   "reciprocal.default", "sin.default",          "cos.default",   "tan.default",
        "asin.default",    "acos.default",       "atan.default",         "sinh.default",  "cosh.default",
        "erf.default",     "erfc.default",       "special_expit.default"}) {
    table[name] = unary_float;
  }
  for (const char* name : {"logical_not.default", "isnan.default", "isinf.default", "isfinite.default"}) {
    table[name] = unary_bool;
  }
  for (const char* name :
       {"add.Tensor",          "add.Scalar",         "sub.Tensor",        "sub.Scalar",         "mul.Tensor",
        "mul.Scalar",          "rsub.Tensor",        "rsub.Scalar",       "maximum.default",    "minimum.default",
        "remainder.Tensor",    "remainder.Scalar",   "fmod.Tensor",       "fmod.Scalar",        "floor_divide.default",
        "floor_divide.Scalar", "bitwise_and.Tensor", "bitwise_or.Tensor", "bitwise_xor.Tensor", "bitwise_and.Scalar",
        "bitwise_or.Scalar",   "__and__.Tensor",     "__or__.Tensor",     "__xor__.Tensor",     "__and__.Scalar",
        "__or__.Scalar"}) {
    table[name] = binary;
  }
  for (const char* name : {"div.Tensor", "div.Scalar", "true_divide.Tensor", "atan2.default"})
    table[name] = binary_float;
  for (const char* name : {"div.Tensor_mode", "div.Scalar_mode"}) table[name] = divide_with_mode;
  for (const char* name : {"eq.Tensor", "eq.Scalar", "ne.Tensor", "ne.Scalar", "lt.Tensor", "lt.Scalar", "le.Tensor",
                           "le.Scalar", "gt.Tensor", "gt.Scalar", "ge.Tensor", "ge.Scalar", "logical_and.default",
                           "logical_or.default", "logical_xor.default"}) {
    table[name] = binary_bool;
  }
  for (const char* name : {"pow.Tensor_Tensor", "pow.Tensor_Scalar", "pow.Scalar"}) table[name] = power;
  table["clamp.default"] = clamp;
  table["clip.default"] = clamp;
  table["clamp.Tensor"] = clamp_tensor;
  for (const char* name : {"clamp_min.default", "clamp_min.Tensor"}) table[name] = clamp_min;
  for (const char* name : {"clamp_max.default", "clamp_max.Tensor"}) table[name] = clamp_max;
  for (const char* name : {"where.self", "where.ScalarSelf", "where.ScalarOther", "where.Scalar"}) table[name] = where;
  for (const char* name : {"masked_fill.Scalar", "masked_fill.Tensor"}) table[name] = masked_fill;
  for (const char* name : {"addcmul.default", "addcdiv.default"}) table[name] = addcmul;
  table["prelu.default"] = prelu;
  for (const char* name : {"to.dtype", "to.dtype_layout", "to.device", "_to_copy.default"}) table[name] = convert;
  for (const char* name : {"to.other", "type_as.default"}) table[name] = convert_like;
  for (const char* name : {"zeros.default", "ones.default", "empty.memory_format"}) table[name] = create;
  table["full.default"] = create_full;
  for (const char* name : {"new_zeros.default", "new_ones.default", "new_empty.default", "new_full.default"}) {
    table[name] = create_new;
  }
  for (const char* name : {"zeros_like.default", "ones_like.default", "full_like.default", "empty_like.default"}) {
    table[name] = create_like;
  }
  table["_assert_tensor_metadata.default"] = nothing;
}

}  // namespace torquant::shape
