#include "golden_quantizers.h"

#include <fmt/format.h>

#include <map>

#include "torquant/core/error.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/quantizer/arm_inductor_quantizer.h"
#include "torquant/quantizer/composable_quantizer.h"
#include "torquant/quantizer/embedding_quantizer.h"
#include "torquant/quantizer/x86_inductor_quantizer.h"
#include "torquant/quantizer/xnnpack_quantizer.h"

namespace torquant::golden {
namespace {

using Json = nlohmann::json;

XNNPACKQuantizer::Config xnnpack_config(const Json& json) {
  if (json.is_null()) return std::nullopt;
  SymmetricConfigArgs args;
  args.is_per_channel = json.value("is_per_channel", args.is_per_channel);
  args.is_dynamic = json.value("is_dynamic", args.is_dynamic);
  args.act_qmin = json.value("act_qmin", args.act_qmin);
  args.act_qmax = json.value("act_qmax", args.act_qmax);
  args.weight_qmin = json.value("weight_qmin", args.weight_qmin);
  args.weight_qmax = json.value("weight_qmax", args.weight_qmax);
  return get_symmetric_quantization_config(args);
}

PatternQuantizer::Config x86_config(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return get_default_x86_inductor_quantization_config({.is_qat = json.value("is_qat", false),
                                                       .is_dynamic = json.value("is_dynamic", false),
                                                       .reduce_range = json.value("reduce_range", false)});
}

PatternQuantizer::Config arm_config(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return get_default_arm_inductor_quantization_config(
      {.is_qat = json.value("is_qat", false), .is_dynamic = json.value("is_dynamic", false)});
}

std::unique_ptr<Quantizer> make_inductor(std::unique_ptr<PatternQuantizer> quantizer, const Json& calls,
                                         PatternQuantizer::Config (*config_of)(const Json&)) {
  for (const Json& call : calls) {
    const std::string method = call[0];
    const PatternQuantizer::Config config =
        call.back() == "fp16" ? get_x86_inductor_linear_dynamic_fp16_config() : config_of(call.back());
    if (method == "set_global") {
      quantizer->set_global(config);
    } else if (method == "set_function_type_qconfig") {
      quantizer->set_function_type_qconfig(call[1], config);
    } else if (method == "set_module_type_qconfig") {
      quantizer->set_module_type_qconfig(call[1], config);
    } else if (method == "set_module_name_qconfig") {
      quantizer->set_module_name_qconfig(call[1], config);
    } else {
      throw Error({.where = "golden quantizer", .what = "unknown call " + call.dump()});
    }
  }
  return quantizer;
}

std::unique_ptr<Quantizer> make_composable(const Json& parts, const Program& source) {
  std::vector<std::shared_ptr<Quantizer>> quantizers;
  for (const Json& part : parts) {
    quantizers.push_back(make_quantizer(part, source));
  }
  return std::make_unique<ComposableQuantizer>(std::move(quantizers));
}

std::unique_ptr<Quantizer> make_xnnpack(const Json& calls) {
  auto quantizer = std::make_unique<XNNPACKQuantizer>();
  for (const Json& call : calls) {
    const std::string method = call[0];
    const XNNPACKQuantizer::Config config =
        method == "set_filter_function" ? std::nullopt : xnnpack_config(call.back());
    if (method == "set_global") {
      quantizer->set_global(config);
    } else if (method == "set_operator_type") {
      quantizer->set_operator_type(call[1], config);
    } else if (method == "set_module_type") {
      quantizer->set_module_type(call[1], config);
    } else if (method == "set_module_name") {
      quantizer->set_module_name(call[1], config);
    } else if (call[1] == "no second conv") {
      quantizer->set_filter_function([](const Node& node) { return node.name() != "conv2d_1"; });
    } else if (call[1] == "only linears") {
      quantizer->set_filter_function([](const Node& node) { return node.op() == ops::kLinear; });
    } else {
      throw Error({.where = "golden quantizer", .what = "unknown call " + call.dump()});
    }
  }
  return quantizer;
}

// Annotates from JSON rules.
class SpecQuantizer : public Quantizer {
 public:
  SpecQuantizer(Json rules, const Program& source) : rules_(std::move(rules)) {
    for (const Node& node : source.graph()) spelling_[node.name()] = node.op().name();
  }
  std::string name() const override { return "SpecQuantizer"; }

  void annotate(const Program& program, Annotations& annotations) override {
    std::map<std::string, int> seen;
    for (const Node& node : program.graph()) {
      for (const Json& rule : rules_) {
        const std::string target = rule["target"];
        const auto spelling = spelling_.find(node.name());
        if (spelling == spelling_.end() || spelling->second != target) continue;
        const int occurrence = seen.contains(target) ? ++seen[target] : seen[target] = 0;
        if (rule.contains("nth") && rule["nth"] != occurrence) continue;
        QuantizationAnnotation annotation;
        const Json inputs = rule.value("inputs", Json::object());
        for (const auto& [position, spec] : inputs.items()) {
          const Value* value = operand(node, position);
          if (value != nullptr && !spec.is_null()) annotation.set_input(value, make_spec(spec, node));
        }
        if (rule.contains("output") && !rule["output"].is_null()) {
          annotation.output_qspec = make_spec(rule["output"], node);
        }
        annotation.allow_implicit_sharing = rule.value("allow_implicit_sharing", true);
        annotations.annotate(&node) = std::move(annotation);
      }
    }
  }

 private:
  // "1" is the second argument, "0.1" the second of the list that is the first.
  static const Value* operand(const Node& node, const std::string& position) {
    const size_t dot = position.find('.');
    const Argument* argument = node.find_arg(schema_arg_name(node.op(), std::stoul(position)));
    if (argument == nullptr) return nullptr;
    if (dot == std::string::npos) return value_of(*argument);
    const auto* list = std::get_if<std::vector<Value*>>(argument);
    const size_t index = std::stoul(position.substr(dot + 1));
    return list == nullptr || index >= list->size() ? nullptr : (*list)[index];
  }

  static const Value* operand(const Node& node, const Json& position) {
    if (position.is_array()) {
      return operand(node, fmt::format("{}.{}", position[0].get<int>(), position[1].get<int>()));
    }
    return operand(node, std::to_string(position.get<int>()));
  }

  static ObserverOptions options(const Json& json) {
    ObserverOptions result{.dtype = dtype_from_name(json.value("dtype", "int32")).value()};
    if (json.contains("quant_min") && !json["quant_min"].is_null()) {
      result.quant_range = QuantRange{json["quant_min"], json["quant_max"]};
    }
    if (json.contains("qscheme") && !json["qscheme"].is_null()) {
      result.qscheme = qscheme_from_name(json["qscheme"].get<std::string>()).value();
    }
    if (json.contains("ch_axis") && !json["ch_axis"].is_null()) result.ch_axis = json["ch_axis"];
    result.is_dynamic = json.value("is_dynamic", false);
    return result;
  }

  static ObserverSpec observer(const Json& json) {
    const std::string name = json["observer"];
    const Json args = json.value("observer_args", Json::object());
    ObserverSpec spec;
    if (args.contains("eps")) spec.eps = args["eps"];
    const double constant = args.value("averaging_constant", 0.01);
    if (name == "MinMaxObserver") spec.type = MinMaxSpec{};
    if (name == "PerChannelMinMaxObserver") spec.type = PerChannelMinMaxSpec{};
    if (name == "MovingAverageMinMaxObserver") spec.type = MovingAverageMinMaxSpec{constant};
    if (name == "MovingAveragePerChannelMinMaxObserver") spec.type = MovingAveragePerChannelMinMaxSpec{constant};
    if (name == "HistogramObserver") spec.type = HistogramSpec{args.value("bins", int64_t{2048})};
    if (name == "PlaceholderObserver") spec.type = PlaceholderSpec{};
    return spec;
  }

  static AnyQuantizationSpec make_spec(const Json& json, const Node& node) {
    const std::string kind = json["kind"];
    if (kind == "spec") return QuantizationSpec{options(json), observer(json)};
    if (kind == "fixed") return FixedQParamsQuantizationSpec{options(json), json["scale"], json["zero_point"]};
    if (kind == "shared") {
      if (json.contains("edge")) return SharedQuantizationSpec{{operand(node, json["edge"]), &node}};
      const std::string place = json["node"];
      if (place == "self") return SharedQuantizationSpec{{node.values()[0], nullptr}};
      return SharedQuantizationSpec{{operand(node, place.substr(place.find(' ') + 1)), nullptr}};
    }
    DerivedQuantizationSpec derived{.derive_qparams = derive_bias_qparams};
    const bool per_channel = json.value("per_channel", false);
    derived.options = {.dtype = DType::kInt32,
                       .qscheme = per_channel ? QScheme::kPerChannelSymmetric : QScheme::kPerTensorSymmetric,
                       .ch_axis = 0};
    for (const Json& index : json["from"]) derived.derived_from.push_back({operand(node, index), &node});
    return derived;
  }

  Json rules_;
  std::map<std::string, std::string> spelling_;  // node name → operator in the source
};

}  // namespace

std::unique_ptr<Quantizer> make_quantizer(const nlohmann::json& json, const Program& source) {
  const std::string name = json["class"];
  if (name == "XNNPACKQuantizer") return make_xnnpack(json["calls"]);
  if (name == "X86InductorQuantizer") {
    return make_inductor(std::make_unique<X86InductorQuantizer>(), json["calls"], x86_config);
  }
  if (name == "ArmInductorQuantizer") {
    return make_inductor(std::make_unique<ArmInductorQuantizer>(), json["calls"], arm_config);
  }
  if (name == "EmbeddingQuantizer") return std::make_unique<EmbeddingQuantizer>();
  if (name == "ComposableQuantizer") return make_composable(json["quantizers"], source);
  if (name == "SpecQuantizer") return std::make_unique<SpecQuantizer>(json["rules"], source);
  throw Error({.where = "golden quantizer", .what = "unknown class " + name});
}

}  // namespace torquant::golden
