#include "torquant/quantizer/torquant_quantizer.h"

#include "torquant/core/error.h"
#include "torquant/graph/ops.h"
#include "torquant/quantizer/batch_norms_to_convolutions.h"
#include "torquant/quantizer/splits_to_slices.h"

namespace torquant {
namespace {

Activation however_written(Activation activation) {
  activation.module = nullptr;
  return activation;
}

const patterns::Backend& backend() {
  using namespace activations;
  static const Activation kRelu = however_written(activations::kRelu),
                          kHardtanh = however_written(activations::kHardtanh),
                          kRelu6 = however_written(activations::kRelu6),
                          kHardswish = however_written(activations::kHardswish),
                          kSilu = however_written(activations::kSilu),
                          kLeakyRelu = however_written(activations::kLeakyRelu),
                          kTanh = however_written(activations::kTanh), kGelu = however_written(activations::kGelu);
  static const OpId kMaxPool2d{"aten.max_pool2d.default"};
  static const OpId kAvgPool2d{"aten.avg_pool2d.default"};
  static const OpId kMean{"aten.mean.dim"};
  static const OpId kFlatten{"aten.flatten.using_ints"};
  static const patterns::Backend kBackend{
      .name = "TorquantQuantizer",
      .patterns =
          {
              {.op = ops::kConv2d, .add = true, .add_reads_int8 = true, .activation = &kRelu},
              {.op = ops::kConv2d, .add = true, .add_reads_int8 = true},
              {.op = ops::kConv2d, .activation = &kRelu},
              {.op = ops::kConv2d, .activation = &kRelu6},
              {.op = ops::kConv2d, .activation = &kHardtanh},
              {.op = ops::kConv2d},
              {.op = ops::kConv1d, .activation = &kRelu},
              {.op = ops::kConv1d, .activation = &kRelu6},
              {.op = ops::kConv1d, .activation = &kHardtanh},
              {.op = ops::kConv1d},
              {.op = ops::kConv3d, .activation = &kRelu},
              {.op = ops::kConv3d, .activation = &kRelu6},
              {.op = ops::kConv3d, .activation = &kHardtanh},
              {.op = ops::kConv3d},
              {.op = ops::kConvTranspose1d, .activation = &kRelu},
              {.op = ops::kConvTranspose1d, .activation = &kRelu6},
              {.op = ops::kConvTranspose1d, .activation = &kHardtanh},
              {.op = ops::kConvTranspose1d},
              {.op = ops::kConvTranspose2d, .activation = &kRelu},
              {.op = ops::kConvTranspose2d, .activation = &kRelu6},
              {.op = ops::kConvTranspose2d, .activation = &kHardtanh},
              {.op = ops::kConvTranspose2d},
              {.op = ops::kConvTranspose3d, .activation = &kRelu},
              {.op = ops::kConvTranspose3d, .activation = &kRelu6},
              {.op = ops::kConvTranspose3d, .activation = &kHardtanh},
              {.op = ops::kConvTranspose3d},
              {.op = ops::kLinear, .add = true, .add_reads_int8 = true, .activation = &kRelu},
              {.op = ops::kLinear, .add = true, .add_reads_int8 = true},
              {.op = ops::kLinear, .activation = &kRelu},
              {.op = ops::kLinear, .activation = &kRelu6},
              {.op = ops::kLinear, .activation = &kHardtanh},
              {.op = ops::kLinear},
              {.op = ops::kAdd, .activation = &kRelu},
              {.op = ops::kAdd},
              {.op = ops::kMul, .activation = &kRelu},
              {.op = ops::kMul},
              {.op = kAvgPool2d},
              {.op = ops::kAdaptiveAvgPool2d},
              {.op = kMean},
              // On integers these are tables of 256 codes.
              {.op = OpId{"aten.relu.default"}},
              {.op = OpId{"aten.relu6.default"}},
              {.op = OpId{"aten.hardtanh.default"}},
              {.op = OpId{"aten.hardswish.default"}},
              {.op = OpId{"aten.hardsigmoid.default"}},
              {.op = OpId{"aten.silu.default"}},
              {.op = OpId{"aten.mish.default"}},
              {.op = OpId{"aten.sigmoid.default"}},
              {.op = OpId{"aten.tanh.default"}},
              {.op = OpId{"aten.gelu.default"}},
              {.op = OpId{"aten.elu.default"}},
              {.op = OpId{"aten.leaky_relu.default"}},
          },
      .propagated = {kMaxPool2d, ops::kCat, kFlatten, OpId{"aten.reshape.default"}, OpId{"aten.view.default"},
                     OpId{"aten.permute.default"}, OpId{"aten.transpose.int"}, OpId{"aten.slice.Tensor"},
                     OpId{"aten.select.int"}, OpId{"aten.pixel_shuffle.default"}, OpId{"aten.upsample_nearest2d.vec"},
                     OpId{"aten.contiguous.default"}, OpId{"aten.clone.default"}, OpId{"aten.squeeze.dim"},
                     OpId{"aten.squeeze.dims"}, OpId{"aten.unsqueeze.default"}, OpId{"aten.unflatten.int"}},
      .functions = {{"torch.nn.functional.conv1d", ops::kConv1d},
                    {"torch.nn.functional.conv2d", ops::kConv2d},
                    {"torch.nn.functional.conv3d", ops::kConv3d},
                    {"torch.nn.functional.conv_transpose1d", ops::kConvTranspose1d},
                    {"torch.nn.functional.conv_transpose2d", ops::kConvTranspose2d},
                    {"torch.nn.functional.conv_transpose3d", ops::kConvTranspose3d},
                    {"torch.nn.functional.linear", ops::kLinear},
                    {"torch.nn.functional.max_pool2d", kMaxPool2d},
                    {"torch.nn.functional.avg_pool2d", kAvgPool2d},
                    {"torch.nn.functional.adaptive_avg_pool2d", ops::kAdaptiveAvgPool2d},
                    {"torch.add", ops::kAdd},
                    {"torch.mul", ops::kMul},
                    {"torch.cat", ops::kCat},
                    {"torch.flatten", kFlatten},
                    {"torch.mean", kMean}},
      .modules = {{"Conv1d", ops::kConv1d},
                  {"Conv2d", ops::kConv2d},
                  {"Conv3d", ops::kConv3d},
                  {"ConvTranspose1d", ops::kConvTranspose1d},
                  {"ConvTranspose2d", ops::kConvTranspose2d},
                  {"ConvTranspose3d", ops::kConvTranspose3d},
                  {"Linear", ops::kLinear},
                  {"MaxPool2d", kMaxPool2d},
                  {"AvgPool2d", kAvgPool2d},
                  {"AdaptiveAvgPool2d", ops::kAdaptiveAvgPool2d}},
      .configs = {get_default_torquant_quantization_config(),
                  get_default_torquant_quantization_config({.reduce_range = true})},
      .equal_sizes_only = false};
  return kBackend;
}

const patterns::Backend& dynamic_backend() {
  static const patterns::Backend kBackend{.name = "TorquantQuantizer",
                                          .patterns = {{.op = ops::kLinear}},
                                          .propagated = {},
                                          .functions = {{"torch.nn.functional.linear", ops::kLinear}},
                                          .modules = {{"Linear", ops::kLinear}},
                                          .configs = {get_default_torquant_quantization_config({.is_dynamic = true})},
                                          .equal_sizes_only = false};
  return kBackend;
}

}  // namespace

QuantizationConfig get_default_torquant_quantization_config(const TorquantConfigArgs& args) {
  const QuantizationSpec activation{.options = {.dtype = DType::kUInt8,
                                                .quant_range = QuantRange{0, args.reduce_range ? 127 : 255},
                                                .qscheme = QScheme::kPerTensorAffine},
                                    .observer = {.type = HistogramSpec{}}};
  const QuantizationSpec per_token{.options = {.dtype = DType::kInt8,
                                               .quant_range = QuantRange{-128, 127},
                                               .qscheme = QScheme::kPerTokenAffine,
                                               .is_dynamic = true},
                                   .observer = {.type = PlaceholderSpec{}}};
  const QuantizationSpec weight{.options = {.dtype = DType::kInt8,
                                            .quant_range = QuantRange{-127, 127},
                                            .qscheme = QScheme::kPerChannelSymmetric},
                                .observer = {.type = PerChannelMinMaxSpec{}}};
  if (!args.is_dynamic) return {.input_activation = activation, .output_activation = activation, .weight = weight};
  if (args.reduce_range) {
    throw Error({.where = "get_default_torquant_quantization_config",
                 .what = "reduce_range with is_dynamic",
                 .allowed = "one of them: scales per token are for all codes of int8"});
  }
  return {.input_activation = per_token, .weight = weight};
}

TorquantQuantizer::TorquantQuantizer() : PatternQuantizer(backend(), dynamic_backend()) {}

void TorquantQuantizer::transform_for_annotation(Program& program) {
  if (is_dynamic()) return;
  splits_to_slices(program);
  batch_norms_to_convolutions(program);
}

}  // namespace torquant
