#include "torquant/core/qscheme.h"

#include <array>
#include <cstddef>

namespace torquant {
namespace {

// In the order of the enum.
constexpr std::array<std::string_view, 6> kNames = {"per_tensor_affine",     "per_tensor_symmetric",
                                                    "per_token_affine",      "per_channel_affine",
                                                    "per_channel_symmetric", "per_channel_affine_float_qparams"};

}  // namespace

std::string_view qscheme_name(QScheme qscheme) { return kNames[static_cast<size_t>(qscheme)]; }

std::optional<QScheme> qscheme_from_name(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<QScheme>(i);
  }
  return std::nullopt;
}

bool is_per_channel(QScheme qscheme) { return qscheme >= QScheme::kPerChannelAffine; }

bool is_symmetric(QScheme qscheme) {
  return qscheme == QScheme::kPerTensorSymmetric || qscheme == QScheme::kPerChannelSymmetric;
}

}  // namespace torquant
