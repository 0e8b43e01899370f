#pragma once

#include "torquant/graph/op_id.h"

// The operators that passes and quantizers speak of, by their ATen names.
namespace torquant::ops {

inline const OpId kLinear{"aten.linear.default"};
inline const OpId kConv1d{"aten.conv1d.default"};
inline const OpId kConv2d{"aten.conv2d.default"};
inline const OpId kConv3d{"aten.conv3d.default"};
inline const OpId kConv1dPadding{"aten.conv1d.padding"};
inline const OpId kConv2dPadding{"aten.conv2d.padding"};
inline const OpId kConv3dPadding{"aten.conv3d.padding"};
inline const OpId kConvTranspose1d{"aten.conv_transpose1d.default"};
inline const OpId kConvTranspose2d{"aten.conv_transpose2d.input"};
inline const OpId kConvTranspose3d{"aten.conv_transpose3d.input"};
inline const OpId kBatchNorm{"aten.batch_norm.default"};
inline const OpId kRelu{"aten.relu.default"};
inline const OpId kReluInPlace{"aten.relu_.default"};
inline const OpId kHardtanh{"aten.hardtanh.default"};
inline const OpId kAdd{"aten.add.Tensor"};
inline const OpId kAddInPlace{"aten.add_.Tensor"};
inline const OpId kMul{"aten.mul.Tensor"};
inline const OpId kMulInPlace{"aten.mul_.Tensor"};
inline const OpId kCat{"aten.cat.default"};
inline const OpId kAdaptiveAvgPool2d{"aten.adaptive_avg_pool2d.default"};
inline const OpId kMatmul{"aten.matmul.default"};
inline const OpId kBmm{"aten.bmm.default"};
inline const OpId kEmbedding{"aten.embedding.default"};
inline const OpId kScaledDotProductAttention{"aten.scaled_dot_product_attention.default"};

inline const OpId kQuantizePerTensor{"quantized_decomposed.quantize_per_tensor.default"};
inline const OpId kQuantizePerTensorDynamic{"quantized_decomposed.quantize_per_tensor.tensor"};
inline const OpId kQuantizePerChannel{"quantized_decomposed.quantize_per_channel.default"};
inline const OpId kDequantizePerTensor{"quantized_decomposed.dequantize_per_tensor.default"};
inline const OpId kDequantizePerTensorDynamic{"quantized_decomposed.dequantize_per_tensor.tensor"};
inline const OpId kDequantizePerChannel{"quantized_decomposed.dequantize_per_channel.default"};
inline const OpId kChooseQParamsPerTokenAsymmetric{"quantized_decomposed.choose_qparams_per_token_asymmetric.default"};
inline const OpId kQuantizePerToken{"quantized_decomposed.quantize_per_token.default"};
inline const OpId kDequantizePerToken{"quantized_decomposed.dequantize_per_token.default"};
inline const OpId kChooseQParams{"quantized_decomposed.choose_qparams.tensor"};
inline const OpId kChooseQParamsSymmetric{"quantized_decomposed.choose_qparams_symmetric.tensor"};

// An observer of a prepared program: (input, observer: index) → what the observer returns (pt2e/prepare.h).
inline const OpId kObserve{"torquant.observe.default"};

inline bool is_conv(const OpId& op) {
  return op == kConv1d || op == kConv2d || op == kConv3d || op == kConv1dPadding || op == kConv2dPadding ||
         op == kConv3dPadding;
}
inline bool is_conv_transpose(const OpId& op) {
  return op == kConvTranspose1d || op == kConvTranspose2d || op == kConvTranspose3d;
}
inline bool is_relu(const OpId& op) { return op == kRelu || op == kReluInPlace; }
inline bool is_quantize(const OpId& op) {
  return op == kQuantizePerTensor || op == kQuantizePerTensorDynamic || op == kQuantizePerToken ||
         op == kQuantizePerChannel;
}
inline bool is_dequantize(const OpId& op) {
  return op == kDequantizePerTensor || op == kDequantizePerTensorDynamic || op == kDequantizePerToken ||
         op == kDequantizePerChannel;
}
// Gives the scale and zero point of a value when the program runs.
inline bool is_choose_qparams(const OpId& op) {
  return op == kChooseQParams || op == kChooseQParamsSymmetric || op == kChooseQParamsPerTokenAsymmetric;
}

}  // namespace torquant::ops
