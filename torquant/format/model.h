#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "torquant/core/packed_floats.h"
#include "torquant/core/packed_weights.h"
#include "torquant/core/requantize.h"
#include "torquant/core/result.h"

// What a `.tqm` file holds, as plain values: the form between lowering, which makes it, files (tqm_file.h) and the
// runtime, which runs it. docs/file_format.md describes the bytes.

namespace torquant::format {

enum class ValueType : uint8_t { kFloat32, kUint8, kInt64 };

constexpr size_t bytes_of(ValueType type) {
  return type == ValueType::kUint8 ? 1 : type == ValueType::kInt64 ? sizeof(int64_t) : sizeof(float);
}

// What nodes hand on. Sizes are PyTorch's: [N, C], [N, C, L], [N, C, H, W] or [N, C, D, H, W]; N is the model's least
// batch. Floats that the model holds have their own first size.
//
// All numbers of values and nodes are those of the model's least length; a growth is what one more adds to each of
// them, and empty where all stay (at_length.h).
struct Value {
  std::string name;
  ValueType type = ValueType::kUint8;
  std::vector<int64_t> sizes = {};
  TensorGrid grid = {};                  // of uint8
  std::span<const float> constant = {};  // of floats that no node gives; for the most length
  std::vector<int64_t> growth = {};      // of sizes

  bool is_constant() const { return !constant.empty(); }
};

using ValueIndex = uint32_t;

// float32 to codes: code = clamp(rne(x * (1 / scale)) + zero_point, lo, hi), as PyTorch's quantize_per_tensor (Q10).
struct Quantize {
  ValueIndex input, output;
  uint8_t lo = 0, hi = 255;
};

struct Dequantize {
  ValueIndex input, output;
};

// Where the windows of a convolution or pool lie. Those of a pool are of one plane.
struct Windows {
  int64_t kernel[2] = {1, 1};  // rows, columns
  int64_t stride[2] = {1, 1};
  int64_t padding[2] = {0, 0};  // in front; what windows reach behind the image is padding as well
  int64_t dilation[2] = {1, 1};
  struct Axis {
    int64_t kernel = 1, stride = 1, padding = 0, dilation = 1;
  };
  Axis planes = {};

  Axis rows() const { return {kernel[0], stride[0], padding[0], dilation[0]}; }
  Axis columns() const { return {kernel[1], stride[1], padding[1], dilation[1]}; }
  int64_t taps() const { return planes.kernel * kernel[0] * kernel[1]; }
};

// A convolution or a linear layer, with all that is fused into it (K1 to K3). An output of floats is what is
// there before rounding: the logits of a classifier. Spans are as the kernels read them, group after
// group; [panels * 16] numbers where a panel is 16 output channels of one group.
struct Layer {
  ValueIndex input, output;
  int64_t residual = -1;  // a value that is added, or -1
  Windows windows = {};
  int64_t groups = 1;
  bool depthwise = false;                   // one group, whose output channels read a channel each
  std::span<const int8_t> weights = {};     // core/packed_weights.h
  std::span<const uint8_t> pairs_fit = {};  // [panels]
  std::span<const int32_t> start = {};
  std::span<const float> multiplier = {}, offset = {};
  float residual_multiplier = 0;
  uint8_t lo = 0, hi = 255;
};

// Of codes: the grid of input and output is the same.
struct MaxPool {
  ValueIndex input, output;
  Windows windows = {};
};

// The mean of each channel of an image, on the output's grid (K5).
struct GlobalAveragePool {
  ValueIndex input, output;
  uint8_t lo = 0, hi = 255;
};

// The mean over windows, on the output's grid (K5). Padding counts as zeros.
struct AveragePool {
  ValueIndex input, output;
  Windows windows = {};  // without dilation
  uint8_t lo = 0, hi = 255;
};

// a + b, on the output's grid (K4). b has a's sizes, or is a single pixel for all of an image.
struct Add {
  ValueIndex a, b, output;
  uint8_t lo = 0, hi = 255;
};

// a * b, on the output's grid (K6); sizes as of Add.
struct Multiply {
  ValueIndex a, b, output;
  uint8_t lo = 0, hi = 255;
};

// table[code]: what is done to each number by itself.
struct MapCodes {
  ValueIndex input, output;
  std::span<const uint8_t> table = {};  // [256]
};

// The channels of the inputs behind one another; codes or floats. Codes all have the grid of the output.
struct Concat {
  std::vector<ValueIndex> inputs;
  ValueIndex output;
};

// [N, C, H, W] to [N, C * H * W], in PyTorch's order.
struct Flatten {
  ValueIndex input, output;
};

// Codes or floats that only move: slices, transpositions, repetitions. Element i of an output image, in PyTorch's
// order, is the input's element begin + Σ digit * step, where the digits of i count through `sizes`, the last one
// fastest.
struct Rearrange {
  ValueIndex input, output;
  int64_t begin = 0;
  std::vector<int64_t> sizes = {}, steps = {};
  std::vector<int64_t> growth = {};  // of begin, sizes and steps, one after the other
};

// What a FloatMap makes of a number x; a and b are its parameters. As PyTorch's operators of these names.
enum class FloatFunction : uint8_t {
  kClamp,         // to [a, b]; relu, relu6 and hardtanh are clamps
  kAdd,           // x + a
  kSubtractFrom,  // a - x
  kMultiply,      // x * a
  kDivide,        // x / a
  kDivideInto,    // a / x
  kAbs,
  kExp,
  kLog,
  kSqrt,
  kLeakyRelu,  // x * a below 0
  kElu,        // a * (e^x - 1) below 0
  kSigmoid,
  kHardsigmoid,
  kTanh,
  kSilu,
  kHardswish,
  kGelu,
  kGeluTanh,
  kMish,
  kSoftplus,  // log(1 + e^(a x)) / a, and x where a x > b
  kNotEqual,  // 1 where x is not a, else 0
};
constexpr size_t kFloatFunctions = 22;

// Each number of a float value by itself.
struct FloatMap {
  ValueIndex input, output;
  FloatFunction function = FloatFunction::kClamp;
  float a = 0, b = 0;
};

enum class FloatArithmetic : uint8_t { kAdd, kSubtract, kMultiply, kDivide };
constexpr size_t kFloatArithmetics = 4;

// Of two float values of one rank; a size of 1 is repeated.
struct FloatBinary {
  ValueIndex a, b, output;
  FloatArithmetic arithmetic = FloatArithmetic::kAdd;
};

// Means of floats that lie side by side in PyTorch's order, such as those of an image; the output says of how many.
struct FloatMean {
  ValueIndex input, output;
};

// Of floats, along a dimension other than the first; or its logarithm.
struct Softmax {
  ValueIndex input, output;
  uint32_t dim = 1;
  bool log = false;
};

// The integers as floats, the nearest where they are beyond 2²⁴.
struct FromIntegers {
  ValueIndex input, output;
};

// Row ids[...] of the table: [N, T] integers to [N, T, C] floats. A run whose ids are outside the table is an error.
struct Embedding {
  ValueIndex input, output;
  std::span<const float> table = {};  // [rows, C]
};

// Layer norm over the last dimension, or with `rms` RMS norm, of the input or of its sum with the residual.
struct Normalize {
  ValueIndex input, output;
  int64_t residual = -1;
  std::span<const float> weight = {}, bias = {};  // [C]; empty for none
  float epsilon = 0;
  bool rms = false;
};

// A linear layer on floats, whose rows get codes on a grid of their own at each run (K9). Numbers are as the kernels
// read them: [panels * 16] where a panel is 16 outputs.
struct DynamicLinear {
  ValueIndex input, output;
  std::span<const int8_t> weights = {};     // core/packed_weights.h
  std::span<const uint8_t> pairs_fit = {};  // [panels]
  std::span<const int32_t> column_sum = {};
  std::span<const float> multiplier = {}, offset = {};
};

// Heads in the rows of floats [N, T, ...]: one after the other, from `begin` on.
struct HeadRows {
  ValueIndex of;
  uint32_t begin = 0;
};

// Rotary embedding (K8.7): each head is turned by the angles of its token, and written behind the one before it.
struct Rotate {
  HeadRows input;
  ValueIndex cos, sin;  // constants [1, T, head_size]
  ValueIndex output;    // [N, T, heads * head_size]
  uint32_t heads = 1, head_size = 2;
};

// Scaled dot product attention, on integers (K10) or in float (K13): of floats [N, T, ...] whose rows hold, from
// `begin` on, the heads one after the other. Heads of keys and values are shared by heads / key_heads heads of queries.
struct Attention {
  HeadRows query, key, value;
  ValueIndex output;  // [N, T of queries, heads * head_size]
  int64_t mask = -1;  // [N, heads, queries, keys] floats that are added to the scores; the first three may be 1
  uint32_t heads = 1, key_heads = 1, head_size = 1;
  float scale = 1;
  bool causal = false;
  bool in_float = false;
};

// A convolution, or a linear layer of rows, in float32 with all that is fused into it (K11, K12):
// clamp(bias + Σ x w + residual, lo, hi). Images lie with their channels last, [N, L, C] or [N, H, W, C]; rows are of
// any rank, and have windows of one pixel. Numbers are as the kernels read them, group after group.
struct FloatLayer {
  ValueIndex input, output;
  int64_t residual = -1;  // a value of the output's sizes that is added, or -1
  Windows windows = {};   // of one plane
  int64_t groups = 1;
  bool depthwise = false;               // one group, whose output channels read a channel each
  std::span<const float> weights = {};  // core/packed_floats.h
  std::span<const float> bias = {};     // [panels * 16] where a panel is 16 output channels of one group
  float lo = -std::numeric_limits<float>::infinity(), hi = std::numeric_limits<float>::infinity();
};

enum class FloatPooling : uint8_t { kMax, kMean };
constexpr size_t kFloatPoolings = 2;

// Of images whose channels lie last. The mean is of all numbers of a window, where padding counts as zeros.
struct FloatPool {
  ValueIndex input, output;
  Windows windows = {};
  FloatPooling pooling = FloatPooling::kMax;
};

using Operation =
    std::variant<Quantize, Dequantize, Layer, MaxPool, GlobalAveragePool, AveragePool, Add, Multiply, MapCodes, Concat,
                 Flatten, Rearrange, FloatMap, FloatBinary, FloatMean, Softmax, FromIntegers, Embedding, Normalize,
                 DynamicLinear, Attention, FloatLayer, FloatPool, Rotate>;

struct Node {
  std::string name;  // the layer's path, or %node of the graph where it has none
  Operation operation;
};

struct Model {
  std::vector<Value> values = {};
  std::vector<Node> nodes = {};  // each reads what earlier ones and the inputs give
  std::vector<ValueIndex> inputs = {}, outputs = {};
  int64_t least_batch = 1, most_batch = 1;  // how many images one run may take
  // The one size besides the batch that a run may choose, such as the tokens of a sequence.
  int64_t least_length = 1, most_length = 1;
  std::string producer = {};  // "torquant 0.1.0"
  std::string source = {};    // fingerprint of the program that it was made from

  bool has_length() const { return most_length > least_length; }
};

// How the weights of one group lie, of a layer that is not depthwise. `inputs` and `channels` are the layer's.
PackedShape packed_shape(const Layer& layer, int64_t inputs, int64_t channels);

PackedFloatsShape packed_shape(const FloatLayer& layer, int64_t inputs, int64_t channels);

// What a float image of sizes [N, C], [N, L, C], [N, H, W, C] or [N, D, H, W, C] has.
struct FloatImage {
  int64_t depth, height, width, channels;
};
FloatImage float_image_of(const Value& value);

// The values that an operation reads.
std::vector<ValueIndex> inputs_of(const Operation& operation);
ValueIndex output_of(const Operation& operation);

// What a model may have at most, so that a file made up for the purpose costs no more than a second
// (docs/file_format.md).
constexpr size_t kMostNodes = 1 << 14;   // and values
constexpr size_t kMostOfName = 1 << 10;  // bytes
constexpr size_t kMostSizes = 5;
constexpr int64_t kMostLength = 1 << 24;

// Whether the runtime can run it without leaving any memory: indices, sizes, grids, spans and the order of nodes. The
// error names node and value.
Result<void> check_model(const Model& model);

}  // namespace torquant::format
