#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include <c10/core/ScalarType.h>

#include "torquant/core/choose_qparams.h"
#include "torquant/core/dtype.h"
#include "torquant/core/granularity.h"
#include "torquant/core/observer_qparams.h"
#include "torquant/core/qscheme.h"
#include "torquant/observer/observer.h"

namespace torquant {

// Which observer to make, as a value: quantizers and recipes hold it, compare it and print it; make_observer builds it.

// What is to be quantized how, in the words of a QuantizationSpec.
struct ObserverOptions {
  DType dtype = DType::kInt8;
  std::optional<QuantRange> quant_range = {};  // nothing: all codes of dtype
  QScheme qscheme = QScheme::kPerTensorAffine;
  int64_t ch_axis = 0;      // per-channel schemes; negative counts from the end
  bool is_dynamic = false;  // the scale is chosen anew for each value when the program runs
  bool operator==(const ObserverOptions&) const = default;
};

// One struct an observer, with the arguments that it alone has.
struct MinMaxSpec {
  bool operator==(const MinMaxSpec&) const = default;
};
struct MovingAverageMinMaxSpec {
  double averaging_constant = 0.01;  // weight of the newest batch, in (0, 1]
  bool operator==(const MovingAverageMinMaxSpec&) const = default;
};
struct PerChannelMinMaxSpec {
  bool operator==(const PerChannelMinMaxSpec&) const = default;
};
struct MovingAveragePerChannelMinMaxSpec {
  double averaging_constant = 0.01;
  bool operator==(const MovingAveragePerChannelMinMaxSpec&) const = default;
};
struct HistogramSpec {
  int64_t bins = 2048;
  bool operator==(const HistogramSpec&) const = default;
};
struct FixedQParamsSpec {
  double scale = 1;
  int64_t zero_point = 0;
  bool operator==(const FixedQParamsSpec&) const = default;
};
struct PlaceholderSpec {
  bool operator==(const PlaceholderSpec&) const = default;
};
struct NoopSpec {
  bool operator==(const NoopSpec&) const = default;
};
struct ReuseInputSpec {
  bool operator==(const ReuseInputSpec&) const = default;
};
struct RecordingSpec {
  bool operator==(const RecordingSpec&) const = default;
};

// Observers at any granularity. They take scale rules, range and eps from here; qscheme and ch_axis do not matter.
struct AffineSpec {
  MappingType mapping_type = MappingType::kAsymmetric;
  Granularity granularity = PerTensor{};
  std::optional<double> eps = {};                  // the least scale; default: smallest_normal of the data's dtype
  std::optional<at::ScalarType> scale_dtype = {};  // default: the data's
  at::ScalarType zero_point_dtype = at::kInt;
  bool operator==(const AffineSpec&) const = default;
};
struct AffineMinMaxSpec {
  AffineSpec affine = {};
  bool operator==(const AffineMinMaxSpec&) const = default;
};
struct AffineMovingAverageMinMaxSpec {
  AffineSpec affine = {};
  double averaging_constant = 0.01;
  bool operator==(const AffineMovingAverageMinMaxSpec&) const = default;
};
struct AffineMSESpec {
  AffineSpec affine = {};
  int64_t steps = 100;
  bool run_once = false;
  bool operator==(const AffineMSESpec&) const = default;
};
struct AffineFixedQParamSpec {
  AffineSpec affine = {};
  bool operator==(const AffineFixedQParamSpec&) const = default;
};
struct AffinePlaceholderSpec {
  AffineSpec affine = {};
  bool operator==(const AffinePlaceholderSpec&) const = default;
};

struct ObserverSpec;
using ObserverFactory = std::function<ObserverPtr(const ObserverSpec&, const ObserverOptions&)>;

// An observer of the user's own. Two are equal if they share the factory.
struct CustomObserverSpec {
  std::string name;
  std::shared_ptr<const ObserverFactory> make;
  bool operator==(const CustomObserverSpec&) const = default;
};

using ObserverType =
    std::variant<MinMaxSpec, MovingAverageMinMaxSpec, PerChannelMinMaxSpec, MovingAveragePerChannelMinMaxSpec,
                 HistogramSpec, FixedQParamsSpec, PlaceholderSpec, NoopSpec, ReuseInputSpec, RecordingSpec,
                 AffineMinMaxSpec, AffineMovingAverageMinMaxSpec, AffineMSESpec, AffineFixedQParamSpec,
                 AffinePlaceholderSpec, CustomObserverSpec>;

enum class FakeQuantizeType : uint8_t {
  kNone,       // the observer alone: calibration
  kPlain,      // FakeQuantize
  kFused,      // FusedMovingAvgObsFakeQuantize
  kLearnable,  // LearnableFakeQuantize
};

struct ObserverSpec {
  ObserverType type = MinMaxSpec{};
  float eps = kObserverEps;   // the least scale
  bool reduce_range = false;  // one bit less (observer_quant_range)
  FakeQuantizeType fake_quantize = FakeQuantizeType::kNone;
  bool use_grad_scaling =
      false;  // kLearnable: scale the gradients of scale and zero point by 1/sqrt(numel * quant_max)
  bool operator==(const ObserverSpec&) const = default;
};

// "HistogramObserver(bins=2048, eps=0.000244141)",
// "FakeQuantize(MovingAverageMinMaxObserver(averaging_constant=0.01))": arguments at their default are left out, except
// those of the observer's own.
std::string to_string(const ObserverSpec& spec);
std::string to_string(const ObserverOptions& options);  // "int8 [-128, 127], per_tensor_affine"

// Throws Error where the parts do not fit: a per-tensor observer with a per-channel scheme, codes outside the dtype,
// scale <= 0 or NaN, eps <= 0, averaging constant outside (0, 1], bins < 1, a dynamic scheme for an observer that has
// none.
ObserverPtr make_observer(const ObserverSpec& spec, const ObserverOptions& options);

}  // namespace torquant
