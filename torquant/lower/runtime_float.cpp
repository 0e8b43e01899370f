#include "torquant/lower/runtime_float.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "torquant/graph/neighbours.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/lower/clamp_codes.h"
#include "torquant/lower/read_pattern.h"

namespace torquant::runtime_lowering {
namespace {

using format::FloatArithmetic;
using format::FloatFunction;
using format::FloatMap;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

float float_arg(const Node& node, const char* name) { return static_cast<float>(double_arg(node, name)); }

}  // namespace

std::optional<FloatMap> read_map(const Program& program, const Node& node) {
  static const std::unordered_map<OpId, FloatFunction> kPlain = {
      {OpId{"aten.abs.default"}, FloatFunction::kAbs},
      {OpId{"aten.exp.default"}, FloatFunction::kExp},
      {OpId{"aten.log.default"}, FloatFunction::kLog},
      {OpId{"aten.sqrt.default"}, FloatFunction::kSqrt},
      {OpId{"aten.sigmoid.default"}, FloatFunction::kSigmoid},
      {OpId{"aten.hardsigmoid.default"}, FloatFunction::kHardsigmoid},
      {OpId{"aten.tanh.default"}, FloatFunction::kTanh},
      {OpId{"aten.silu.default"}, FloatFunction::kSilu},
      {OpId{"aten.hardswish.default"}, FloatFunction::kHardswish},
      {OpId{"aten.mish.default"}, FloatFunction::kMish},
  };
  static const OpId kClamp{"aten.clamp.default"}, kLeakyRelu{"aten.leaky_relu.default"}, kElu{"aten.elu.default"},
      kGelu{"aten.gelu.default"}, kSoftplus{"aten.softplus.default"}, kNeg{"aten.neg.default"},
      kReciprocal{"aten.reciprocal.default"};
  const OpId& op = node.op();
  const auto map = [](FloatFunction function, float a = 0, float b = 0) { return FloatMap{0, 0, function, a, b}; };
  if (const auto plain = kPlain.find(op); plain != kPlain.end()) return map(plain->second);
  if (const std::optional<Limits> limits = read_limits(node))
    return map(FloatFunction::kClamp, static_cast<float>(limits->least), static_cast<float>(limits->most));
  if (op == kClamp) {
    const std::optional<double> least = constant_number(program, arg_or_default(node, "min")),
                                most = constant_number(program, arg_or_default(node, "max"));
    return map(FloatFunction::kClamp, static_cast<float>(least.value_or(-kInfinity)),
               static_cast<float>(most.value_or(kInfinity)));
  }
  if (op == kLeakyRelu) return map(FloatFunction::kLeakyRelu, float_arg(node, "negative_slope"));
  if (op == kElu && double_arg(node, "scale") == 1 && double_arg(node, "input_scale") == 1)
    return map(FloatFunction::kElu, float_arg(node, "alpha"));
  if (op == kGelu) {
    const bool tanh = std::get<std::string>(arg_or_default(node, "approximate")) == "tanh";
    return map(tanh ? FloatFunction::kGeluTanh : FloatFunction::kGelu);
  }
  if (op == kSoftplus) return map(FloatFunction::kSoftplus, float_arg(node, "beta"), float_arg(node, "threshold"));
  if (op == kNeg) return map(FloatFunction::kMultiply, -1);
  if (op == kReciprocal) return map(FloatFunction::kDivideInto, 1);
  return std::nullopt;
}

std::optional<FloatArithmetic> read_arithmetic(const Node& node) {
  static const std::unordered_map<OpId, FloatArithmetic> kOps = {
      {ops::kAdd, FloatArithmetic::kAdd},
      {OpId{"aten.add.Scalar"}, FloatArithmetic::kAdd},
      {OpId{"aten.sub.Tensor"}, FloatArithmetic::kSubtract},
      {OpId{"aten.sub.Scalar"}, FloatArithmetic::kSubtract},
      {ops::kMul, FloatArithmetic::kMultiply},
      {OpId{"aten.mul.Scalar"}, FloatArithmetic::kMultiply},
      {OpId{"aten.div.Tensor"}, FloatArithmetic::kDivide},
      {OpId{"aten.div.Scalar"}, FloatArithmetic::kDivide},
  };
  const auto found = kOps.find(node.op());
  return found == kOps.end() ? std::nullopt : std::optional(found->second);
}

namespace {

// What a and b are multiplied with before they are added or subtracted.
double alpha_of(const Program& program, const Node& node, FloatArithmetic arithmetic) {
  const bool has_alpha = arithmetic == FloatArithmetic::kAdd || arithmetic == FloatArithmetic::kSubtract;
  return has_alpha ? constant_number(program, arg_or_default(node, "alpha")).value_or(1) : 1;
}

FloatMap with_number(FloatArithmetic arithmetic, double number, bool number_is_first) {
  const auto a = static_cast<float>(number);
  switch (arithmetic) {
    case FloatArithmetic::kAdd:
      return {0, 0, FloatFunction::kAdd, a};
    case FloatArithmetic::kSubtract:
      return number_is_first ? FloatMap{0, 0, FloatFunction::kSubtractFrom, a}
                             : FloatMap{0, 0, FloatFunction::kAdd, -a};
    case FloatArithmetic::kMultiply:
      return {0, 0, FloatFunction::kMultiply, a};
    case FloatArithmetic::kDivide:
      return {0, 0, number_is_first ? FloatFunction::kDivideInto : FloatFunction::kDivide, a};
  }
  return {};
}

class FloatEmitter {
 public:
  FloatEmitter(const Program& program, const Node& node, ModelBuilder& builder)
      : program_(program), node_(node), builder_(builder) {}

  bool run() {
    if (node_.output() == nullptr || !node_.output()->is_tensor() || node_.output()->tensor().dtype != at::kFloat)
      return false;
    if (const std::optional<FloatMap> map = read_map(program_, node_)) return emit_map(*map, first_input(node_));
    if (const std::optional<FloatArithmetic> arithmetic = read_arithmetic(node_)) return emit_arithmetic(*arithmetic);
    return emit_square() || emit_softmax() || emit_mean();
  }

 private:
  std::optional<ValueIndex> floats(const Value* value) {
    return builder_.is_float(value) ? builder_.find(value) : std::nullopt;
  }

  bool emit_map(FloatMap map, const Value* input) {
    const std::optional<ValueIndex> x = floats(input);
    if (!x) return false;
    map.input = *x;
    map.output = builder_.add_floats(*node_.output());
    builder_.add_node(node_, map);
    return true;
  }

  bool emit_arithmetic(FloatArithmetic arithmetic) {
    const Argument *self = node_.find_arg("self"), *other = node_.find_arg("other");
    if (self == nullptr || other == nullptr) return false;
    const double alpha = alpha_of(program_, node_, arithmetic);
    if (const std::optional<double> number = constant_number(program_, *other))
      return emit_map(with_number(arithmetic, *number * alpha, false), node_.input("self"));
    if (const std::optional<double> number = constant_number(program_, *self); number && alpha == 1)
      return emit_map(with_number(arithmetic, *number, true), node_.input("other"));
    const size_t rank = node_.output()->tensor().rank();
    const std::optional<ValueIndex> a = builder_.find_floats(node_.input("self"), rank);
    std::optional<ValueIndex> b = builder_.find_floats(node_.input("other"), rank);
    if (!a || !b) return false;
    if (alpha != 1) {
      const ValueIndex scaled = builder_.add_inner(*b, node_.output()->name() + "_alpha");
      builder_.add_node(node_, FloatMap{*b, scaled, FloatFunction::kMultiply, static_cast<float>(alpha)});
      b = scaled;
    }
    builder_.add_node(node_, format::FloatBinary{*a, *b, builder_.add_floats(*node_.output()), arithmetic});
    return true;
  }

  bool emit_square() {
    static const OpId kPow{"aten.pow.Tensor_Scalar"};
    if (node_.op() != kPow || constant_number(program_, *node_.find_arg("exponent")) != 2.0) return false;
    const std::optional<ValueIndex> x = floats(first_input(node_));
    if (!x) return false;
    builder_.add_node(node_,
                      format::FloatBinary{*x, *x, builder_.add_floats(*node_.output()), FloatArithmetic::kMultiply});
    return true;
  }

  bool emit_softmax() {
    static const OpId kSoftmax{"aten.softmax.int"}, kInner{"aten._softmax.default"}, kLog{"aten.log_softmax.int"},
        kInnerLog{"aten._log_softmax.default"};
    const bool log = node_.op() == kLog || node_.op() == kInnerLog;
    if (!log && node_.op() != kSoftmax && node_.op() != kInner) return false;
    const auto rank = static_cast<int64_t>(node_.output()->tensor().rank());
    const int64_t dim = int_arg(node_, "dim"), from_front = dim < 0 ? dim + rank : dim;
    const std::optional<ValueIndex> x = from_front < 1 ? std::nullopt : floats(first_input(node_));
    if (!x) return false;
    builder_.add_node(
        node_, format::Softmax{*x, builder_.add_floats(*node_.output()), static_cast<uint32_t>(from_front), log});
    return true;
  }

  // Over the last dimensions, whose numbers lie side by side.
  bool emit_mean() {
    static const OpId kMean{"aten.mean.dim"};
    const Value* input = first_input(node_);
    if (node_.op() == kMean) {
      const auto rank = static_cast<int64_t>(input->tensor().rank());
      std::vector<int64_t> dims = ints_arg(node_, "dim");
      for (int64_t& dim : dims) dim += dim < 0 ? rank : 0;
      std::sort(dims.begin(), dims.end());
      const auto count = static_cast<int64_t>(dims.size());
      for (int64_t i = 0; i < count; ++i) {
        if (dims[static_cast<size_t>(i)] != rank - count + i || rank == count) return false;
      }
      if (count == 0) return false;
    } else if (node_.op() != ops::kAdaptiveAvgPool2d || input->tensor().rank() != 4 ||
               ints_arg(node_, "output_size", 2) != std::vector<int64_t>{1, 1}) {
      return false;
    }
    const std::optional<ValueIndex> x = floats(input);
    if (!x) return false;
    builder_.add_node(node_, format::FloatMean{*x, builder_.add_floats(*node_.output())});
    return true;
  }

  const Program& program_;
  const Node& node_;
  ModelBuilder& builder_;
};

}  // namespace

bool emit_on_floats(const Program& program, const Node& node, ModelBuilder& builder) {
  return FloatEmitter(program, node, builder).run();
}

}  // namespace torquant::runtime_lowering
