#include "torquant/observer/observer_spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "torquant/core/error.h"
#include "torquant/observer/affine_observer.h"
#include "torquant/observer/fake_quantize.h"
#include "torquant/observer/histogram_observer.h"
#include "torquant/observer/learnable_fake_quantize.h"
#include "torquant/observer/min_max_observer.h"
#include "torquant/observer/passive_observer.h"

namespace torquant {
namespace {

// The observer's name in PyTorch and its own arguments.
struct Description {
  std::string name;
  std::string arguments = {};
};

std::string_view mapping_type_name(MappingType mapping) {
  switch (mapping) {
    case MappingType::kSymmetric:
      return "SYMMETRIC";
    case MappingType::kSymmetricNoClippingErr:
      return "SYMMETRIC_NO_CLIPPING_ERR";
    case MappingType::kAsymmetric:
      return "ASYMMETRIC";
  }
  return "";
}

std::string describe(const AffineSpec& affine) {
  return fmt::format("{}, {}", mapping_type_name(affine.mapping_type), to_string(affine.granularity));
}

struct Describe {
  Description operator()(const MinMaxSpec&) const { return {"MinMaxObserver"}; }
  Description operator()(const MovingAverageMinMaxSpec& s) const {
    return {"MovingAverageMinMaxObserver", fmt::format("averaging_constant={}", s.averaging_constant)};
  }
  Description operator()(const PerChannelMinMaxSpec&) const { return {"PerChannelMinMaxObserver"}; }
  Description operator()(const MovingAveragePerChannelMinMaxSpec& s) const {
    return {"MovingAveragePerChannelMinMaxObserver", fmt::format("averaging_constant={}", s.averaging_constant)};
  }
  Description operator()(const HistogramSpec& s) const { return {"HistogramObserver", fmt::format("bins={}", s.bins)}; }
  Description operator()(const FixedQParamsSpec& s) const {
    return {"FixedQParamsObserver", fmt::format("scale={}, zero_point={}", s.scale, s.zero_point)};
  }
  Description operator()(const PlaceholderSpec&) const { return {"PlaceholderObserver"}; }
  Description operator()(const NoopSpec&) const { return {"NoopObserver"}; }
  Description operator()(const ReuseInputSpec&) const { return {"ReuseInputObserver"}; }
  Description operator()(const RecordingSpec&) const { return {"RecordingObserver"}; }
  Description operator()(const AffineMinMaxSpec& s) const {
    return {"AffineQuantizedMinMaxObserver", describe(s.affine)};
  }
  Description operator()(const AffineMovingAverageMinMaxSpec& s) const {
    return {"AffineQuantizedMovingAverageMinMaxObserver",
            fmt::format("{}, averaging_constant={}", describe(s.affine), s.averaging_constant)};
  }
  Description operator()(const AffineMSESpec& s) const {
    return {"AffineQuantizedMSEObserver",
            fmt::format("{}, steps={}{}", describe(s.affine), s.steps, s.run_once ? ", run_once" : "")};
  }
  Description operator()(const AffineFixedQParamSpec& s) const {
    return {"AffineQuantizedFixedQParamObserver", describe(s.affine)};
  }
  Description operator()(const AffinePlaceholderSpec& s) const {
    return {"AffineQuantizedPlaceholderObserver", describe(s.affine)};
  }
  Description operator()(const CustomObserverSpec& s) const { return {s.name}; }
};

struct Make {
  const ObserverSpec& spec;
  const ObserverOptions& options;

  ObserverPtr operator()(const MinMaxSpec&) const { return std::make_shared<MinMaxObserver>(spec, options); }
  ObserverPtr operator()(const MovingAverageMinMaxSpec& s) const {
    return std::make_shared<MovingAverageMinMaxObserver>(s.averaging_constant, spec, options);
  }
  ObserverPtr operator()(const PerChannelMinMaxSpec&) const {
    return std::make_shared<PerChannelMinMaxObserver>(spec, options);
  }
  ObserverPtr operator()(const MovingAveragePerChannelMinMaxSpec& s) const {
    return std::make_shared<MovingAveragePerChannelMinMaxObserver>(s.averaging_constant, spec, options);
  }
  ObserverPtr operator()(const HistogramSpec& s) const {
    return std::make_shared<HistogramObserver>(s.bins, spec, options);
  }
  ObserverPtr operator()(const FixedQParamsSpec& s) const {
    return std::make_shared<FixedQParamsObserver>(s, spec, options);
  }
  ObserverPtr operator()(const PlaceholderSpec&) const {
    return std::make_shared<PassiveObserver>("PlaceholderObserver", options.is_dynamic
                                                                        ? "they are chosen when the program runs"
                                                                        : "it only carries a dtype");
  }
  ObserverPtr operator()(const NoopSpec&) const {
    return std::make_shared<PassiveObserver>("NoopObserver", "it only carries a dtype");
  }
  ObserverPtr operator()(const ReuseInputSpec&) const {
    return std::make_shared<PassiveObserver>("ReuseInputObserver", "they are those of the operator's input");
  }
  ObserverPtr operator()(const RecordingSpec&) const { return std::make_shared<RecordingObserver>(); }
  ObserverPtr operator()(const AffineMinMaxSpec& s) const {
    return std::make_shared<AffineQuantizedMinMaxObserver>(s.affine, options);
  }
  ObserverPtr operator()(const AffineMovingAverageMinMaxSpec& s) const {
    return std::make_shared<AffineQuantizedMovingAverageMinMaxObserver>(s.averaging_constant, s.affine, options);
  }
  ObserverPtr operator()(const AffineMSESpec& s) const {
    return std::make_shared<AffineQuantizedMSEObserver>(s, options);
  }
  ObserverPtr operator()(const AffineFixedQParamSpec& s) const {
    return std::make_shared<AffineQuantizedFixedQParamObserver>(s.affine, options);
  }
  ObserverPtr operator()(const AffinePlaceholderSpec&) const {
    return std::make_shared<PassiveObserver>(
        "AffineQuantizedPlaceholderObserver",
        options.is_dynamic ? "they are chosen when the program runs" : "it only carries a dtype");
  }
  ObserverPtr operator()(const CustomObserverSpec& s) const {
    if (s.make == nullptr || *s.make == nullptr) {
      throw Error({.where = "observer " + s.name, .what = "its CustomObserverSpec has no function to make it"});
    }
    return (*s.make)(spec, options);
  }
};

std::string_view fake_quantize_name(FakeQuantizeType type) {
  switch (type) {
    case FakeQuantizeType::kNone:
      return "";
    case FakeQuantizeType::kPlain:
      return "FakeQuantize";
    case FakeQuantizeType::kFused:
      return "FusedMovingAvgObsFakeQuantize";
    case FakeQuantizeType::kLearnable:
      return "LearnableFakeQuantize";
  }
  return "";
}

}  // namespace

std::string to_string(const ObserverSpec& spec) {
  const Description observer = std::visit(Describe{}, spec.type);
  std::vector<std::string> arguments;
  if (!observer.arguments.empty()) arguments.push_back(observer.arguments);
  if (spec.eps != kObserverEps) arguments.push_back(fmt::format("eps={}", spec.eps));
  if (spec.reduce_range) arguments.emplace_back("reduce_range");
  const std::string inner = fmt::format("{}({})", observer.name, fmt::join(arguments, ", "));
  if (spec.fake_quantize == FakeQuantizeType::kNone) return inner;
  return fmt::format("{}({}{})", fake_quantize_name(spec.fake_quantize), inner,
                     spec.use_grad_scaling ? ", use_grad_scaling" : "");
}

std::string to_string(const ObserverOptions& options) {
  std::string text{dtype_name(options.dtype)};
  if (options.quant_range) text += fmt::format(" [{}, {}]", options.quant_range->min, options.quant_range->max);
  text += fmt::format(", {}", qscheme_name(options.qscheme));
  if (is_per_channel(options.qscheme)) text += fmt::format(" along axis {}", options.ch_axis);
  if (options.is_dynamic) text += ", dynamic";
  return text;
}

ObserverPtr make_observer(const ObserverSpec& spec, const ObserverOptions& options) {
  ObserverPtr observer = std::visit(Make{spec, options}, spec.type);
  switch (spec.fake_quantize) {
    case FakeQuantizeType::kNone:
      return observer;
    case FakeQuantizeType::kPlain:
      return std::make_shared<FakeQuantize>(std::move(observer), spec, options);
    case FakeQuantizeType::kFused:
      return std::make_shared<FusedMovingAvgObsFakeQuantize>(std::move(observer), spec, options);
    case FakeQuantizeType::kLearnable:
      return std::make_shared<LearnableFakeQuantize>(std::move(observer), spec, options);
  }
  return observer;
}

}  // namespace torquant
