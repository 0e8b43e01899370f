#include <flatbuffers/flatbuffers.h>

#include <algorithm>

#include "torquant/format/tqm_file.h"
#include "torquant/format/tqm_generated.h"
#include "torquant/format/tqm_layout.h"

namespace torquant::format {
namespace {

// Enumerators are numbered alike, so they are cast; numbers that neither has are left to check_model().
static_assert(static_cast<size_t>(wire::FloatFunction::MAX) + 1 == kFloatFunctions);
static_assert(static_cast<size_t>(wire::FloatFunction::Softplus) == static_cast<size_t>(FloatFunction::kSoftplus));
static_assert(static_cast<size_t>(wire::FloatArithmetic::MAX) + 1 == kFloatArithmetics);
static_assert(static_cast<size_t>(wire::FloatPooling::MAX) + 1 == kFloatPoolings);

constexpr uint32_t kMostDepth = 16;  // of tables; ours are 4 deep

// Many tables may name one piece of the header, so no copy is longer than what check_model() accepts, and a bit.
std::string text_of(const flatbuffers::String* text) {
  return text == nullptr ? "" : std::string(text->c_str(), std::min<size_t>(text->size(), kMostOfName + 1));
}

Windows windows_of(const wire::Windows& windows) {
  return {.kernel = {windows.kernel_height(), windows.kernel_width()},
          .stride = {windows.stride_height(), windows.stride_width()},
          .padding = {windows.padding_height(), windows.padding_width()},
          .dilation = {windows.dilation_height(), windows.dilation_width()},
          .planes = {.kernel = windows.kernel_depth(),
                     .stride = windows.stride_depth(),
                     .padding = windows.padding_depth(),
                     .dilation = windows.dilation_depth()}};
}

// Pieces of the data segment, and lists of the header. A piece that leaves the segment or lies askew leaves an error
// behind, and so do pieces, and lists, that are together larger than where they lie: what is read of a file is then
// bounded by its size.
class DataSegment {
 public:
  DataSegment(const uint8_t* data, size_t size, size_t header) : data_(data), size_(size), lists_left_(header) {}

  template <class To = int64_t, class T>
  std::vector<To> list(const flatbuffers::Vector<T>* numbers) {
    const size_t bytes = numbers == nullptr ? 0 : numbers->size() * sizeof(T);
    if (bytes > lists_left_) broken_ = true;
    if (bytes == 0 || broken_) return {};
    lists_left_ -= bytes;
    return {numbers->begin(), numbers->end()};
  }

  template <class T>
  std::span<const T> span(const wire::Span& span) {
    if (span.offset() % kAlignment != 0 || span.bytes() % sizeof(T) != 0 || span.offset() > size_ ||
        span.bytes() > size_ - span.offset() || span.bytes() > size_ - given_) {
      broken_ = true;
      return {};
    }
    given_ += span.bytes();
    return {reinterpret_cast<const T*>(data_ + span.offset()), span.bytes() / sizeof(T)};
  }

  bool broken() const { return broken_; }

 private:
  const uint8_t* data_;
  size_t size_;
  size_t given_ = 0;  // bytes of all pieces so far
  size_t lists_left_;
  bool broken_ = false;
};

Layer layer_of(const wire::Layer& layer, DataSegment& data) {
  return {.input = layer.input(),
          .output = layer.output(),
          .residual = layer.residual(),
          .windows = windows_of(*layer.windows()),
          .groups = layer.groups(),
          .depthwise = layer.depthwise(),
          .weights = data.span<int8_t>(*layer.weights()),
          .pairs_fit = data.span<uint8_t>(*layer.pairs_fit()),
          .start = data.span<int32_t>(*layer.start()),
          .multiplier = data.span<float>(*layer.multiplier()),
          .offset = data.span<float>(*layer.offset()),
          .residual_multiplier = layer.residual_multiplier(),
          .lo = layer.lo(),
          .hi = layer.hi()};
}

FloatLayer float_layer_of(const wire::FloatLayer& layer, DataSegment& data) {
  return {.input = layer.input(),
          .output = layer.output(),
          .residual = layer.residual(),
          .windows = windows_of(*layer.windows()),
          .groups = layer.groups(),
          .depthwise = layer.depthwise(),
          .weights = data.span<float>(*layer.weights()),
          .bias = data.span<float>(*layer.bias()),
          .lo = layer.lo(),
          .hi = layer.hi()};
}

Attention attention_of(const wire::Attention& attention) {
  return {.query = {attention.query(), attention.query_begin()},
          .key = {attention.key(), attention.key_begin()},
          .value = {attention.value(), attention.value_begin()},
          .output = attention.output(),
          .mask = attention.mask(),
          .heads = attention.heads(),
          .key_heads = attention.key_heads(),
          .head_size = attention.head_size(),
          .scale = attention.scale(),
          .causal = attention.causal(),
          .in_float = attention.in_float()};
}

Result<Operation> operation_of(const wire::Node& node, DataSegment& data) {
  switch (node.operation_type()) {
    case wire::Operation::Quantize: {
      const wire::Quantize& op = *node.operation_as_Quantize();
      return Operation(Quantize{op.input(), op.output(), op.lo(), op.hi()});
    }
    case wire::Operation::Dequantize: {
      const wire::Dequantize& op = *node.operation_as_Dequantize();
      return Operation(Dequantize{op.input(), op.output()});
    }
    case wire::Operation::Flatten: {
      const wire::Flatten& op = *node.operation_as_Flatten();
      return Operation(Flatten{op.input(), op.output()});
    }
    case wire::Operation::Add: {
      const wire::Add& op = *node.operation_as_Add();
      return Operation(Add{op.a(), op.b(), op.output(), op.lo(), op.hi()});
    }
    case wire::Operation::GlobalAveragePool: {
      const wire::GlobalAveragePool& op = *node.operation_as_GlobalAveragePool();
      return Operation(GlobalAveragePool{op.input(), op.output(), op.lo(), op.hi()});
    }
    case wire::Operation::MaxPool: {
      const wire::MaxPool& op = *node.operation_as_MaxPool();
      return Operation(MaxPool{op.input(), op.output(), windows_of(*op.windows())});
    }
    case wire::Operation::AveragePool: {
      const wire::AveragePool& op = *node.operation_as_AveragePool();
      return Operation(AveragePool{op.input(), op.output(), windows_of(*op.windows()), op.lo(), op.hi()});
    }
    case wire::Operation::Multiply: {
      const wire::Multiply& op = *node.operation_as_Multiply();
      return Operation(Multiply{op.a(), op.b(), op.output(), op.lo(), op.hi()});
    }
    case wire::Operation::MapCodes: {
      const wire::MapCodes& op = *node.operation_as_MapCodes();
      return Operation(MapCodes{op.input(), op.output(), data.span<uint8_t>(*op.table())});
    }
    case wire::Operation::Concat: {
      const wire::Concat& op = *node.operation_as_Concat();
      return Operation(Concat{data.list<ValueIndex>(op.inputs()), op.output()});
    }
    case wire::Operation::Rearrange: {
      const wire::Rearrange& op = *node.operation_as_Rearrange();
      return Operation(Rearrange{op.input(), op.output(), op.begin(), data.list(op.sizes()), data.list(op.steps()),
                                 data.list(op.growth())});
    }
    case wire::Operation::FloatMap: {
      const wire::FloatMap& op = *node.operation_as_FloatMap();
      return Operation(FloatMap{op.input(), op.output(), static_cast<FloatFunction>(op.function()), op.a(), op.b()});
    }
    case wire::Operation::FloatBinary: {
      const wire::FloatBinary& op = *node.operation_as_FloatBinary();
      return Operation(FloatBinary{op.a(), op.b(), op.output(), static_cast<FloatArithmetic>(op.arithmetic())});
    }
    case wire::Operation::FloatMean: {
      const wire::FloatMean& op = *node.operation_as_FloatMean();
      return Operation(FloatMean{op.input(), op.output()});
    }
    case wire::Operation::Softmax: {
      const wire::Softmax& op = *node.operation_as_Softmax();
      return Operation(Softmax{op.input(), op.output(), op.dim(), op.log()});
    }
    case wire::Operation::FromIntegers: {
      const wire::FromIntegers& op = *node.operation_as_FromIntegers();
      return Operation(FromIntegers{op.input(), op.output()});
    }
    case wire::Operation::Embedding: {
      const wire::Embedding& op = *node.operation_as_Embedding();
      return Operation(Embedding{op.ids(), op.output(), data.span<float>(*op.table())});
    }
    case wire::Operation::Normalize: {
      const wire::Normalize& op = *node.operation_as_Normalize();
      return Operation(Normalize{op.input(), op.output(), op.residual(), data.span<float>(*op.weight()),
                                 data.span<float>(*op.bias()), op.epsilon(), op.rms()});
    }
    case wire::Operation::DynamicLinear: {
      const wire::DynamicLinear& op = *node.operation_as_DynamicLinear();
      return Operation(DynamicLinear{op.input(), op.output(), data.span<int8_t>(*op.weights()),
                                     data.span<uint8_t>(*op.pairs_fit()), data.span<int32_t>(*op.column_sum()),
                                     data.span<float>(*op.multiplier()), data.span<float>(*op.offset())});
    }
    case wire::Operation::Rotate: {
      const wire::Rotate& op = *node.operation_as_Rotate();
      return Operation(Rotate{{op.input(), op.begin()}, op.cos(), op.sin(), op.output(), op.heads(), op.head_size()});
    }
    case wire::Operation::Attention:
      return Operation(attention_of(*node.operation_as_Attention()));
    case wire::Operation::FloatLayer:
      return Operation(float_layer_of(*node.operation_as_FloatLayer(), data));
    case wire::Operation::FloatPool: {
      const wire::FloatPool& op = *node.operation_as_FloatPool();
      return Operation(
          FloatPool{op.input(), op.output(), windows_of(*op.windows()), static_cast<FloatPooling>(op.pooling())});
    }
    case wire::Operation::Layer:
      return Operation(layer_of(*node.operation_as_Layer(), data));
    case wire::Operation::NONE:
      break;
  }
  return ErrorText{.where = "node " + text_of(node.name()), .what = "is of a kind that this version does not know"};
}

ErrorText data_error(const std::string& where) {
  return {.where = where, .what = "has data outside the file, or that another node has"};
}

}  // namespace

Result<Model> read_tqm(const void* data, size_t size) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  const auto error = [](const char* what) { return ErrorText{.where = "", .what = what}; };
  if (size < kSmallestFile || !wire::SizePrefixedModelBufferHasIdentifier(bytes)) return error("is no .tqm file");
  const size_t header = flatbuffers::ReadScalar<uint32_t>(bytes) + sizeof(uint32_t);
  if (header > size) return error("is cut: its header ends behind its end");
  flatbuffers::Verifier verifier(bytes, header, kMostDepth, kMostTables);
  if (!wire::VerifySizePrefixedModelBuffer(verifier)) return error("has a damaged header");
  const wire::Model& stored = *wire::GetSizePrefixedModel(bytes);
  if (stored.version() != kVersion) {
    return ErrorText{.where = "",
                     .what = "has version " + std::to_string(stored.version()) + " of the format",
                     .allowed = std::to_string(kVersion)};
  }
  const size_t begin = std::min(aligned(header), size);
  DataSegment segment(bytes + begin, size - begin, header);
  Model model{.producer = text_of(stored.producer()), .source = text_of(stored.source())};
  for (const wire::Value* value : *stored.values()) {
    if (value->type() > wire::ValueType::MAX)
      return ErrorText{.where = "value " + text_of(value->name()),
                       .what = "has a type that this version does not know"};
    model.values.push_back(
        {.name = text_of(value->name()),
         .type = static_cast<ValueType>(value->type()),
         .sizes = segment.list(value->sizes()),
         .grid = {.scale = value->scale(), .zero_point = value->zero_point()},
         .constant = value->constant() == nullptr ? std::span<const float>() : segment.span<float>(*value->constant()),
         .growth = segment.list(value->growth())});
    if (segment.broken()) return data_error("value " + model.values.back().name);
  }
  for (const wire::Node* node : *stored.nodes()) {
    Result<Operation> operation = operation_of(*node, segment);
    if (!operation.ok()) return operation.error();
    if (segment.broken()) return data_error("node " + text_of(node->name()));
    model.nodes.push_back({.name = text_of(node->name()), .operation = *std::move(operation)});
  }
  model.inputs = segment.list<ValueIndex>(stored.inputs());
  model.outputs = segment.list<ValueIndex>(stored.outputs());
  if (segment.broken()) return data_error("model");
  model.least_batch = stored.least_batch();
  model.most_batch = stored.most_batch();
  model.least_length = stored.least_length();
  model.most_length = stored.most_length();
  if (Result<void> checked = check_model(model); !checked.ok()) return checked.error();
  return model;
}

}  // namespace torquant::format
