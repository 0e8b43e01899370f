#include "torquant/quantizer/quantization_config.h"

namespace torquant {

QuantizationConfig get_symmetric_quantization_config(const SymmetricConfigArgs& args) {
  constexpr float kEps = 0x1p-12f;  // XNNPACK's requantization needs scale ratios that are not smaller
  const QuantizationSpec activation{
      .options = {.dtype = DType::kInt8,
                  .quant_range = QuantRange{args.act_qmin, args.act_qmax},
                  .qscheme = QScheme::kPerTensorAffine,
                  .is_dynamic = args.is_dynamic},
      .observer = {.type = args.is_dynamic ? ObserverType(PlaceholderSpec{}) : HistogramSpec{}, .eps = kEps}};
  const QuantizationSpec weight{
      .options = {.dtype = DType::kInt8,
                  .quant_range = QuantRange{args.weight_qmin, args.weight_qmax},
                  .qscheme = args.is_per_channel ? QScheme::kPerChannelSymmetric : QScheme::kPerTensorSymmetric,
                  .ch_axis = 0},
      .observer = {.type = args.is_per_channel ? ObserverType(PerChannelMinMaxSpec{}) : MinMaxSpec{}, .eps = kEps}};
  QuantizationConfig config{.input_activation = activation, .weight = weight};
  // A dynamic operator gives float: its reader chooses the next scale.
  if (!args.is_dynamic) config.output_activation = activation;
  return config;
}

}  // namespace torquant
