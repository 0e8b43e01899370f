#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace torquant {

// How a range becomes a scale and a zero point (docs/semantics.md, O1). Names are PyTorch's, which has none for tokens.
enum class QScheme : uint8_t {
  kPerTensorAffine,
  kPerTensorSymmetric,
  kPerTokenAffine,  // a scale for each row of the last axis (Q9); chosen when the program runs, never observed
  kPerChannelAffine,
  kPerChannelSymmetric,
  kPerChannelAffineFloatQParams,  // the zero point is a float: embeddings
};

// "per_tensor_affine", "per_channel_symmetric" …; from_name gives nothing for an unknown name.
std::string_view qscheme_name(QScheme qscheme);
std::optional<QScheme> qscheme_from_name(std::string_view name);

bool is_per_channel(QScheme qscheme);
bool is_symmetric(QScheme qscheme);

}  // namespace torquant
