#include <flatbuffers/flatbuffers.h>

#include "torquant/format/tqm_file.h"
#include "torquant/format/tqm_generated.h"
#include "torquant/format/tqm_layout.h"

namespace torquant::format {
namespace {

// Builds the header, and the data segment beside it.
class Writer {
 public:
  std::string write(const Model& model) {
    std::vector<flatbuffers::Offset<wire::Value>> values;
    for (const Value& value : model.values) {
      const auto name = builder_.CreateString(value.name);
      const auto sizes = builder_.CreateVector(std::vector<uint32_t>(value.sizes.begin(), value.sizes.end()));
      const auto type = static_cast<wire::ValueType>(value.type);
      const wire::Span constant = value.is_constant() ? append(value.constant) : wire::Span();
      values.push_back(wire::CreateValue(builder_, name, type, sizes, value.grid.scale, value.grid.zero_point,
                                         value.is_constant() ? &constant : nullptr, growth(value.growth)));
    }
    std::vector<flatbuffers::Offset<wire::Node>> nodes;
    for (const Node& node : model.nodes) {
      const auto [type, operation] = std::visit([&](const auto& op) { return write(op); }, node.operation);
      nodes.push_back(wire::CreateNode(builder_, builder_.CreateString(node.name), type, operation));
    }
    const auto producer = builder_.CreateString(model.producer), source = builder_.CreateString(model.source);
    const auto all_values = builder_.CreateVector(values);
    const auto all_nodes = builder_.CreateVector(nodes);
    const auto inputs = builder_.CreateVector(model.inputs), outputs = builder_.CreateVector(model.outputs);
    builder_.FinishSizePrefixed(
        wire::CreateModel(builder_, kVersion, producer, source, all_values, all_nodes, inputs, outputs,
                          model.least_batch, model.most_batch, model.least_length, model.most_length),
        wire::ModelIdentifier());
    std::string file(reinterpret_cast<const char*>(builder_.GetBufferPointer()), builder_.GetSize());
    file.resize(aligned(file.size()), '\0');
    return file + data_;
  }

 private:
  using Written = std::pair<wire::Operation, flatbuffers::Offset<void>>;

  template <class T>
  static Written as(wire::Operation type, flatbuffers::Offset<T> table) {
    return {type, table.Union()};
  }
  Written write(const Quantize& op) {
    return as(wire::Operation::Quantize, wire::CreateQuantize(builder_, op.input, op.output, op.lo, op.hi));
  }
  Written write(const Dequantize& op) {
    return as(wire::Operation::Dequantize, wire::CreateDequantize(builder_, op.input, op.output));
  }
  Written write(const Flatten& op) {
    return as(wire::Operation::Flatten, wire::CreateFlatten(builder_, op.input, op.output));
  }
  Written write(const Add& op) {
    return as(wire::Operation::Add, wire::CreateAdd(builder_, op.a, op.b, op.output, op.lo, op.hi));
  }
  Written write(const GlobalAveragePool& op) {
    return as(wire::Operation::GlobalAveragePool,
              wire::CreateGlobalAveragePool(builder_, op.input, op.output, op.lo, op.hi));
  }
  Written write(const MaxPool& op) {
    return as(wire::Operation::MaxPool, wire::CreateMaxPool(builder_, op.input, op.output, windows(op.windows)));
  }
  Written write(const Layer& op) {
    const auto where = windows(op.windows);
    const wire::Span weights = append(op.weights), fits = append(op.pairs_fit), start = append(op.start),
                     multiplier = append(op.multiplier), offset = append(op.offset);
    return as(wire::Operation::Layer,
              wire::CreateLayer(builder_, op.input, op.output, op.residual, where, op.depthwise, &weights, &fits,
                                &start, &multiplier, &offset, op.residual_multiplier, op.lo, op.hi, op.groups));
  }
  Written write(const AveragePool& op) {
    return as(wire::Operation::AveragePool,
              wire::CreateAveragePool(builder_, op.input, op.output, windows(op.windows), op.lo, op.hi));
  }
  Written write(const Multiply& op) {
    return as(wire::Operation::Multiply, wire::CreateMultiply(builder_, op.a, op.b, op.output, op.lo, op.hi));
  }
  Written write(const MapCodes& op) {
    const wire::Span table = append(op.table);
    return as(wire::Operation::MapCodes, wire::CreateMapCodes(builder_, op.input, op.output, &table));
  }
  Written write(const Concat& op) {
    return as(wire::Operation::Concat, wire::CreateConcat(builder_, builder_.CreateVector(op.inputs), op.output));
  }
  Written write(const Rearrange& op) {
    const auto sizes = builder_.CreateVector(std::vector<int32_t>(op.sizes.begin(), op.sizes.end()));
    const auto steps = builder_.CreateVector(std::vector<int32_t>(op.steps.begin(), op.steps.end()));
    return as(wire::Operation::Rearrange,
              wire::CreateRearrange(builder_, op.input, op.output, op.begin, sizes, steps, growth(op.growth)));
  }
  Written write(const FloatMap& op) {
    const auto function = static_cast<wire::FloatFunction>(op.function);
    return as(wire::Operation::FloatMap, wire::CreateFloatMap(builder_, op.input, op.output, function, op.a, op.b));
  }
  Written write(const FloatBinary& op) {
    const auto arithmetic = static_cast<wire::FloatArithmetic>(op.arithmetic);
    return as(wire::Operation::FloatBinary, wire::CreateFloatBinary(builder_, op.a, op.b, op.output, arithmetic));
  }
  Written write(const FloatMean& op) {
    return as(wire::Operation::FloatMean, wire::CreateFloatMean(builder_, op.input, op.output));
  }
  Written write(const Softmax& op) {
    return as(wire::Operation::Softmax, wire::CreateSoftmax(builder_, op.input, op.output, op.dim, op.log));
  }
  Written write(const FromIntegers& op) {
    return as(wire::Operation::FromIntegers, wire::CreateFromIntegers(builder_, op.input, op.output));
  }
  Written write(const Embedding& op) {
    const wire::Span table = append(op.table);
    return as(wire::Operation::Embedding, wire::CreateEmbedding(builder_, op.input, op.output, &table));
  }
  Written write(const Normalize& op) {
    const wire::Span weight = append(op.weight), bias = append(op.bias);
    return as(wire::Operation::Normalize,
              wire::CreateNormalize(builder_, op.input, op.output, op.residual, &weight, &bias, op.epsilon, op.rms));
  }
  Written write(const DynamicLinear& op) {
    const wire::Span weights = append(op.weights), fits = append(op.pairs_fit), sums = append(op.column_sum),
                     multiplier = append(op.multiplier), offset = append(op.offset);
    return as(wire::Operation::DynamicLinear,
              wire::CreateDynamicLinear(builder_, op.input, op.output, &weights, &fits, &sums, &multiplier, &offset));
  }
  Written write(const Rotate& op) {
    return as(wire::Operation::Rotate, wire::CreateRotate(builder_, op.input.of, op.input.begin, op.cos, op.sin,
                                                          op.output, op.heads, op.head_size));
  }
  Written write(const Attention& op) {
    return as(wire::Operation::Attention,
              wire::CreateAttention(builder_, op.query.of, op.key.of, op.value.of, op.output, op.mask, op.query.begin,
                                    op.key.begin, op.value.begin, op.heads, op.key_heads, op.head_size, op.scale,
                                    op.causal, op.in_float));
  }

  Written write(const FloatLayer& op) {
    const auto where = windows(op.windows);
    const wire::Span weights = append(op.weights), bias = append(op.bias);
    return as(wire::Operation::FloatLayer,
              wire::CreateFloatLayer(builder_, op.input, op.output, op.residual, where, op.groups, op.depthwise,
                                     &weights, &bias, op.lo, op.hi));
  }
  Written write(const FloatPool& op) {
    const auto pooling = static_cast<wire::FloatPooling>(op.pooling);
    return as(wire::Operation::FloatPool,
              wire::CreateFloatPool(builder_, op.input, op.output, windows(op.windows), pooling));
  }

  // None where nothing grows, so that such files are as they were before there was growth.
  flatbuffers::Offset<flatbuffers::Vector<int32_t>> growth(const std::vector<int64_t>& numbers) {
    return numbers.empty() ? 0 : builder_.CreateVector(std::vector<int32_t>(numbers.begin(), numbers.end()));
  }

  flatbuffers::Offset<wire::Windows> windows(const Windows& w) {
    return wire::CreateWindows(builder_, w.kernel[0], w.kernel[1], w.stride[0], w.stride[1], w.padding[0], w.padding[1],
                               w.dilation[0], w.dilation[1], w.planes.kernel, w.planes.stride, w.planes.padding,
                               w.planes.dilation);
  }

  template <class T>
  wire::Span append(std::span<const T> numbers) {
    const size_t offset = data_.size();
    data_.append(reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes());
    data_.resize(aligned(data_.size()), '\0');
    return {offset, numbers.size_bytes()};
  }

  flatbuffers::FlatBufferBuilder builder_;
  std::string data_;
};

}  // namespace

Result<std::string> write_tqm(const Model& model) {
  if (Result<void> checked = check_model(model); !checked.ok()) return checked.error();
  return Writer().write(model);
}

}  // namespace torquant::format
