// Convolutions, matrix products, normalizations, attention, embeddings.
#include <fmt/format.h>

#include "torquant/graph/shape_call.h"

namespace torquant::shape {
namespace {

void check_equal(const Call& call, const Dim& a, const Dim& b, std::string_view what) {
  if (contradict(a, b)) call.fail(fmt::format("{}: {} and {}", what, to_string(a), to_string(b)));
}

void check_result_size(const Call& call, const Dim& size, size_t axis) {
  if (is_static(size) && std::get<int64_t>(size) < 1) {
    call.fail(fmt::format("result size {} on spatial axis {}: the kernel is larger than the padded input",
                          to_string(size), axis));
  }
}

// [N, C, spatial...] or [C, spatial...] and the weight [O, C/groups, kernel...].
struct ConvShape {
  const TensorMeta& input;
  const TensorMeta& weight;
  size_t spatial;  // how many spatial axes
  size_t channel;  // the axis of the channels in the input
};

ConvShape conv_shape(const Call& call) {
  const TensorMeta& input = call.tensor("input");
  const TensorMeta& weight = call.tensor("weight");
  call.check(weight.rank() >= 3, fmt::format("weight of rank {}", weight.rank()));
  const size_t spatial = weight.rank() - 2;
  if (input.rank() != spatial + 1 && input.rank() != spatial + 2) {
    call.fail(fmt::format("input of rank {} for a weight of rank {}", input.rank(), weight.rank()),
              fmt::format("{} or {}", spatial + 1, spatial + 2));
  }
  return {input, weight, spatial, input.rank() - spatial - 1};
}

int64_t positive(const Call& call, int64_t value, const char* what) {
  if (value < 1) call.fail(fmt::format("{} {}", what, value), "1 or more");
  return value;
}

Metas conv_result(const Call& call, const ConvShape& shape, Dim channels, const Dims& spatial) {
  Dims sizes(shape.input.sizes.begin(), shape.input.sizes.begin() + static_cast<std::ptrdiff_t>(shape.channel));
  if (const TensorMeta* bias = call.optional_tensor("bias")) {
    call.check(bias->rank() == 1, fmt::format("bias of rank {}", bias->rank()));
    check_equal(call, bias->sizes[0], channels, "bias and output channels differ");
  }
  sizes.push_back(std::move(channels));
  sizes.insert(sizes.end(), spatial.begin(), spatial.end());
  call.check(
      shape.input.dtype == shape.weight.dtype,
      fmt::format("input is {}, weight {}", c10::toString(shape.input.dtype), c10::toString(shape.weight.dtype)));
  return call.one(shape.input.dtype, std::move(sizes));
}

void check_channels(const Call& call, const ConvShape& shape) {
  const int64_t groups = positive(call, call.integer("groups"), "groups");
  check_equal(call, shape.input.sizes[shape.channel], mul(shape.weight.sizes[1], groups),
              fmt::format("input channels and weight channels times {} groups differ", groups));
}

// (in + 2 padding - dilation (kernel - 1) - 1) / stride + 1, rounded down.
Result conv_with(const Call& call, const ConvShape& shape, const std::vector<int64_t>& padding) {
  check_channels(call, shape);
  const std::vector<int64_t> stride = call.integers("stride", shape.spatial);
  const std::vector<int64_t> dilation = call.integers("dilation", shape.spatial);
  Dims spatial;
  for (size_t i = 0; i < shape.spatial; ++i) {
    if (padding[i] < 0) call.fail(fmt::format("padding {}", padding[i]), "0 or more");
    const Dim reach = add(mul(positive(call, dilation[i], "dilation"), sub(shape.weight.sizes[2 + i], 1)), 1);
    const Dim room = sub(add(shape.input.sizes[shape.channel + 1 + i], mul(2, padding[i])), reach);
    spatial.push_back(add(floor_div(room, positive(call, stride[i], "stride")), 1));
    check_result_size(call, spatial.back(), i);
  }
  return conv_result(call, shape, shape.weight.sizes[0], spatial);
}

Result conv(const Call& call) {
  const ConvShape shape = conv_shape(call);
  return conv_with(call, shape, call.integers("padding", shape.spatial));
}

// padding = "same" or "valid".
Result conv_padding_mode(const Call& call) {
  const ConvShape shape = conv_shape(call);
  const Argument* padding = call.node().find_arg("padding");
  const auto* mode = padding == nullptr ? nullptr : std::get_if<std::string>(padding);
  if (mode == nullptr || *mode == "valid") return conv_with(call, shape, std::vector<int64_t>(shape.spatial, 0));
  if (*mode != "same") call.fail(fmt::format("padding \"{}\"", *mode), "same, valid");
  check_channels(call, shape);
  for (const int64_t stride : call.integers("stride", shape.spatial)) {
    if (stride != 1) call.fail(fmt::format("padding \"same\" with a stride of {}", stride), "stride 1");
  }
  const auto input = shape.input.sizes.begin() + static_cast<std::ptrdiff_t>(shape.channel) + 1;
  return conv_result(call, shape, shape.weight.sizes[0], Dims(input, shape.input.sizes.end()));
}

// (in - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1; the weight is [C, O/groups, kernel...].
Result conv_transpose(const Call& call) {
  const ConvShape shape = conv_shape(call);
  const std::vector<int64_t> stride = call.integers("stride", shape.spatial);
  const std::vector<int64_t> padding = call.integers("padding", shape.spatial);
  const std::vector<int64_t> extra = call.integers("output_padding", shape.spatial);
  const std::vector<int64_t> dilation = call.integers("dilation", shape.spatial);
  check_equal(call, shape.input.sizes[shape.channel], shape.weight.sizes[0], "input and weight channels differ");
  Dims spatial;
  for (size_t i = 0; i < shape.spatial; ++i) {
    const Dim steps = mul(sub(shape.input.sizes[shape.channel + 1 + i], 1), positive(call, stride[i], "stride"));
    const Dim reach = mul(positive(call, dilation[i], "dilation"), sub(shape.weight.sizes[2 + i], 1));
    spatial.push_back(add(add(steps, reach), sub(add(extra[i], 1), mul(2, padding[i]))));
    check_result_size(call, spatial.back(), i);
  }
  return conv_result(call, shape, mul(shape.weight.sizes[1], Dim(call.integer("groups"))), spatial);
}

// input [..., K] and weight [N, K] → [..., N].
Result linear(const Call& call) {
  const TensorMeta& input = call.tensor("input");
  const TensorMeta& weight = call.tensor("weight");
  call.check(input.rank() >= 1, "input of rank 0");
  call.check(weight.rank() == 1 || weight.rank() == 2, fmt::format("weight of rank {}", weight.rank()));
  check_equal(call, input.sizes.back(), weight.sizes.back(), "input features and weight columns differ");
  call.check(input.dtype == weight.dtype,
             fmt::format("input is {}, weight {}", c10::toString(input.dtype), c10::toString(weight.dtype)));
  Dims sizes(input.sizes.begin(), input.sizes.end() - 1);
  if (weight.rank() == 2) {
    sizes.push_back(weight.sizes[0]);
    if (const TensorMeta* bias = call.optional_tensor("bias"); bias != nullptr && bias->rank() == 1) {
      check_equal(call, bias->sizes[0], weight.sizes[0], "bias and weight rows differ");
    }
  }
  return call.one(input.dtype, std::move(sizes));
}

Result product_of(const Call& call, const TensorMeta& a, const TensorMeta& b) {
  call.check(a.rank() >= 1 && b.rank() >= 1, "a factor of rank 0");
  call.check(a.dtype == b.dtype, fmt::format("factors are {} and {}", c10::toString(a.dtype), c10::toString(b.dtype)));
  const Dim& inner = b.rank() == 1 ? b.sizes[0] : b.sizes[b.rank() - 2];
  check_equal(call, a.sizes.back(), inner, "inner sizes differ");
  const auto batch = [](const TensorMeta& meta) {
    return meta.rank() <= 2 ? Dims{} : Dims(meta.sizes.begin(), meta.sizes.end() - 2);
  };
  Dims sizes = call.broadcast(batch(a), batch(b));
  if (a.rank() >= 2) sizes.push_back(a.sizes[a.rank() - 2]);
  if (b.rank() >= 2) sizes.push_back(b.sizes.back());
  return call.one(a.dtype, std::move(sizes));
}

Result matmul(const Call& call) { return product_of(call, call.tensor("self"), call.tensor("other")); }
Result mm(const Call& call) {
  const TensorMeta& self = call.tensor("self");
  const TensorMeta& mat2 = call.tensor("mat2");
  const size_t rank = call.node().op().name() == "aten.mm.default" ? 2 : 3;
  if (self.rank() != rank || mat2.rank() != rank) {
    call.fail(fmt::format("factors of rank {} and {}", self.rank(), mat2.rank()), fmt::format("rank {}", rank));
  }
  return product_of(call, self, mat2);
}
Result addmm(const Call& call) { return product_of(call, call.tensor("mat1"), call.tensor("mat2")); }
Result baddbmm(const Call& call) { return product_of(call, call.tensor("batch1"), call.tensor("batch2")); }

Result batch_norm(const Call& call) {
  const TensorMeta& input = call.tensor("input");
  call.check(input.rank() >= 2, fmt::format("input of rank {}", input.rank()));
  for (const char* name : {"weight", "bias", "running_mean", "running_var"}) {
    if (const TensorMeta* meta = call.optional_tensor(name)) {
      call.check(meta->rank() == 1, fmt::format("{} of rank {}", name, meta->rank()));
      check_equal(call, meta->sizes[0], input.sizes[1], fmt::format("{} and input channels differ", name));
    }
  }
  return call.same("input");
}

// The last axes must be normalized_shape.
Result layer_norm(const Call& call) {
  const TensorMeta& input = call.tensor("input");
  const std::optional<Dims> normalized = call.dims("normalized_shape");
  if (normalized) {
    call.check(normalized->size() <= input.rank(),
               fmt::format("normalized_shape {} of an input of rank {}", text_of(*normalized), input.rank()));
    for (size_t i = 0; i < normalized->size(); ++i) {
      check_equal(call, (*normalized)[i], input.sizes[input.rank() - normalized->size() + i],
                  "normalized_shape and input differ");
    }
  }
  return call.same("input");
}
Result same_as_input(const Call& call) { return call.same("input"); }

// query [..., L, E], key [..., S, E], value [..., S, Ev] → [..., L, Ev].
Result attention(const Call& call) {
  const TensorMeta& query = call.tensor("query");
  const TensorMeta& key = call.tensor("key");
  const TensorMeta& value = call.tensor("value");
  call.check(query.rank() >= 2 && key.rank() == query.rank() && value.rank() == query.rank(),
             "query, key and value differ in rank, or have less than two axes");
  check_equal(call, query.sizes.back(), key.sizes.back(), "the features of query and key differ");
  check_equal(call, key.sizes[key.rank() - 2], value.sizes[value.rank() - 2], "the lengths of key and value differ");
  Dims sizes = query.sizes;
  sizes.back() = value.sizes.back();
  return call.one(query.dtype, std::move(sizes));
}

Result embedding(const Call& call) {
  const TensorMeta& weight = call.tensor("weight");
  const TensorMeta& indices = call.tensor("indices");
  call.check(weight.rank() == 2, fmt::format("weight of rank {}", weight.rank()));
  if (indices.dtype != at::kLong && indices.dtype != at::kInt) {
    call.fail(fmt::format("indices are {}", c10::toString(indices.dtype)), "Int, Long");
  }
  Dims sizes = indices.sizes;
  sizes.push_back(weight.sizes[1]);
  return call.one(weight.dtype, std::move(sizes));
}

}  // namespace

void add_layer_rules(RuleTable& table) {
  for (const char* name : {"conv1d.default", "conv2d.default", "conv3d.default"}) table[name] = conv;
  for (const char* name : {"conv1d.padding", "conv2d.padding", "conv3d.padding"}) table[name] = conv_padding_mode;
  for (const char* name : {"conv_transpose1d.default", "conv_transpose2d.input", "conv_transpose3d.input"}) {
    table[name] = conv_transpose;
  }
  table["linear.default"] = linear;
  table["matmul.default"] = matmul;
  for (const char* name : {"mm.default", "bmm.default"}) table[name] = mm;
  table["addmm.default"] = addmm;
  table["baddbmm.default"] = baddbmm;
  table["batch_norm.default"] = batch_norm;
  for (const char* name : {"layer_norm.default", "rms_norm.default"}) table[name] = layer_norm;
  for (const char* name : {"group_norm.default", "instance_norm.default"}) table[name] = same_as_input;
  table["scaled_dot_product_attention.default"] = attention;
  table["embedding.default"] = embedding;
}

}  // namespace torquant::shape
