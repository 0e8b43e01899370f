#include "torquant/quantizer/x86_inductor_quantizer.h"

#include "torquant/graph/ops.h"

namespace torquant {
namespace {

using patterns::Pattern;
using patterns::Reach;

const patterns::Backend& backend() {
  using namespace activations;
  static const OpId kMaxPool2d{"aten.max_pool2d.default"};
  static const OpId kAvgPool2d{"aten.avg_pool2d.default"};
  static const OpId kFlatten{"aten.flatten.using_ints"};
  static const patterns::Backend kBackend{
      .name = "X86InductorQuantizer",
      .patterns =
          {
              {.op = ops::kConv2d, .add = true, .add_reads_int8 = true, .activation = &kRelu},
              {.op = ops::kConv2d, .add = true, .add_reads_int8 = true},
              {.op = ops::kConv2d, .activation = &kRelu},
              {.op = ops::kConv2d, .activation = &kHardtanh},
              {.op = ops::kConv2d, .activation = &kHardswish},
              {.op = ops::kConv2d, .activation = &kRelu6},
              {.op = ops::kConv2d, .activation = &kSilu},
              {.op = ops::kConv1d, .activation = &kRelu},
              {.op = ops::kConv2d},
              {.op = ops::kLinear, .add = true, .activation = &kRelu},
              {.op = ops::kLinear, .add = true},
              {.op = ops::kLinear, .activation = &kRelu},
              {.op = ops::kLinear, .activation = &kLeakyRelu},
              {.op = ops::kLinear, .activation = &kTanh},
              {.op = ops::kLinear, .activation = &kGelu},
              {.op = ops::kLinear},
              {.op = ops::kMatmul, .reach = Reach::kModule},
              {.op = ops::kBmm, .reach = Reach::kOperator},
              {.op = ops::kMul},
          },
      .propagated = {kMaxPool2d, ops::kCat, kAvgPool2d, ops::kAdaptiveAvgPool2d, kFlatten},
      .functions = {{"torch.nn.functional.conv1d", ops::kConv1d},
                    {"torch.nn.functional.conv2d", ops::kConv2d},
                    {"torch.nn.functional.linear", ops::kLinear},
                    {"torch.nn.functional.max_pool2d", kMaxPool2d},
                    {"torch.nn.functional.avg_pool2d", kAvgPool2d},
                    {"torch.nn.functional.adaptive_avg_pool2d", ops::kAdaptiveAvgPool2d},
                    {"torch.cat", ops::kCat},
                    {"torch.flatten", kFlatten},
                    {"torch.matmul", ops::kMatmul},
                    {"torch.bmm", ops::kBmm},
                    {"torch.mul", ops::kMul}},
      .modules = {{"Conv1d", ops::kConv1d},
                  {"Conv2d", ops::kConv2d},
                  {"Linear", ops::kLinear},
                  {"MaxPool2d", kMaxPool2d},
                  {"AvgPool2d", kAvgPool2d},
                  {"AdaptiveAvgPool2d", ops::kAdaptiveAvgPool2d}},
      .configs = {get_default_x86_inductor_quantization_config(),
                  get_default_x86_inductor_quantization_config({.is_dynamic = true}),
                  get_default_x86_inductor_quantization_config({.reduce_range = true}),
                  get_x86_inductor_linear_dynamic_fp16_config()}};
  return kBackend;
}

}  // namespace

QuantizationConfig get_default_x86_inductor_quantization_config(const X86InductorConfigArgs& args) {
  return patterns::make_config({.activation = DType::kUInt8,
                                .activation_range = {0, args.reduce_range ? 127 : 255},
                                .weight = QScheme::kPerChannelSymmetric,
                                .is_qat = args.is_qat,
                                .is_dynamic = args.is_dynamic});
}

QuantizationConfig get_x86_inductor_linear_dynamic_fp16_config() {
  return {.weight = QuantizationSpec{.options = {.dtype = DType::kFloat16}, .observer = {.type = PlaceholderSpec{}}}};
}

X86InductorQuantizer::X86InductorQuantizer() : PatternQuantizer(backend()) {}

}  // namespace torquant
