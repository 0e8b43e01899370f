#include "torquant/quantizer/arm_inductor_quantizer.h"

#include "torquant/graph/ops.h"

namespace torquant {
namespace {

using patterns::Reach;

const patterns::Backend& backend() {
  using namespace activations;
  static const patterns::Backend kBackend{
      .name = "ArmInductorQuantizer",
      .patterns =
          {
              {.op = ops::kConv2d, .add = true, .add_reads_int8 = true},
              {.op = ops::kConv2d},
              {.op = ops::kLinear, .activation = &kRelu},
              {.op = ops::kLinear, .activation = &kLeakyRelu},
              {.op = ops::kLinear, .activation = &kTanh},
              {.op = ops::kLinear, .activation = &kGelu},
              {.op = ops::kLinear},
              {.op = ops::kMatmul, .reach = Reach::kModule},
              {.op = ops::kBmm, .reach = Reach::kOperator},
          },
      .propagated = {},
      .functions = {{"torch.nn.functional.conv2d", ops::kConv2d},
                    {"torch.nn.functional.linear", ops::kLinear},
                    {"torch.matmul", ops::kMatmul},
                    {"torch.bmm", ops::kBmm}},
      .modules = {{"Conv2d", ops::kConv2d}, {"Linear", ops::kLinear}},
      .configs = {get_default_arm_inductor_quantization_config(),
                  get_default_arm_inductor_quantization_config({.is_dynamic = true})}};
  return kBackend;
}

}  // namespace

QuantizationConfig get_default_arm_inductor_quantization_config(const ArmInductorConfigArgs& args) {
  return patterns::make_config({.activation = DType::kInt8,
                                .activation_range = {-128, 127},
                                .weight = QScheme::kPerTensorSymmetric,
                                .is_qat = args.is_qat,
                                .is_dynamic = args.is_dynamic});
}

ArmInductorQuantizer::ArmInductorQuantizer() : PatternQuantizer(backend()) {}

}  // namespace torquant
