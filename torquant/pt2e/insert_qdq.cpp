#include "torquant/pt2e/insert_qdq.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include "torquant/core/error.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"
#include "torquant/primitives/tensors.h"

namespace torquant {
namespace {

const OpId kConvertElementType{"quantized_decomposed.convert_element_type.no_fuse"};

// Who computes the observed value, in words: a layer, or an input or parameter.
std::string describe(const Program& program, const Value* value) {
  if (value->producer() != nullptr) return value->producer()->describe();
  const InputSpec* spec = program.spec_of(value);
  return spec == nullptr || spec->target.empty() ? "input " + value->name() : spec->target;
}

class QdqInserter {
 public:
  QdqInserter(Program& program, const std::vector<PlacedObserver>& observers)
      : program_(program), graph_(program.graph()), observers_(observers) {}

  void replace(Node* observe) {
    const auto index = static_cast<size_t>(int_arg(*observe, "observer"));
    const PlacedObserver& placed = observers_[index];
    position_ = observe;
    input_ = observe->input("input");
    options_ = &placed.options;
    const bool rounded = placed.options.dtype == DType::kFloat16;
    Value* result = rounded                     ? to_float16_and_back()
                    : placed.options.is_dynamic ? dynamic(placed)
                                                : fixed(qparams(placed));
    graph_.replace_all_uses(observe->output(), result);
    graph_.erase(observe);
  }

 private:
  TensorQParams qparams(const PlacedObserver& placed) {
    try {
      if (!placed.derive_qparams) return placed.observer->calculate_qparams();
      std::vector<const Observer*> sources;
      for (const size_t source : placed.derived_from) sources.push_back(observers_[source].observer.get());
      return placed.derive_qparams(sources);
    } catch (const Error& error) {
      throw error.within(describe(program_, input_));
    }
  }

  QuantRange range() const { return options_->quant_range.value_or(quant_range(options_->dtype)); }

  Value* fixed(const TensorQParams& qparams) {
    std::vector<NamedArgument> shared;
    const bool per_channel = is_per_channel(options_->qscheme);
    if (!per_channel && qparams.scale.numel() != 1) {
      throw Error({.where = describe(program_, input_),
                   .what = fmt::format("{} scales for {}", qparams.scale.numel(), to_string(*options_)),
                   .allowed = "1"});
    }
    if (per_channel) {
      shared.push_back({"scales", buffer("scale", qparams.scale)});
      shared.push_back({"zero_points", buffer("zero_point", qparams.zero_point)});
      shared.push_back({"axis", options_->ch_axis});
    } else {
      shared.push_back({"scale", qparams.scale.item<double>()});
      shared.push_back({"zero_point", qparams.zero_point.item<int64_t>()});
    }
    return pair(per_channel ? ops::kQuantizePerChannel : ops::kQuantizePerTensor,
                per_channel ? ops::kDequantizePerChannel : ops::kDequantizePerTensor, std::move(shared));
  }

  struct ChosenQParams {
    Value* scale;
    Value* zero_point;
  };

  Value* dynamic(const PlacedObserver& placed) {
    const at::ScalarType dtype = scalar_type_of(options_->dtype);
    if (options_->qscheme == QScheme::kPerTokenAffine) {
      std::vector<Dim> sizes = input_->tensor().sizes;
      if (!sizes.empty()) sizes.back() = int64_t{1};
      const auto [scales, zero_points] =
          choose(ops::kChooseQParamsPerTokenAsymmetric, {{"input", input_}, {"dtype", dtype}}, sizes);
      return pair(ops::kQuantizePerToken, ops::kDequantizePerToken, {{"scales", scales}, {"zero_points", zero_points}});
    }
    const bool symmetric = is_symmetric(options_->qscheme);
    const auto [scale, zero_point] = choose(symmetric ? ops::kChooseQParamsSymmetric : ops::kChooseQParams,
                                            {{"input", input_},
                                             {"quant_min", range().min},
                                             {"quant_max", range().max},
                                             {"eps", static_cast<double>(placed.spec.eps)},
                                             {"dtype", dtype}},
                                            {int64_t{1}});
    return pair(ops::kQuantizePerTensorDynamic, ops::kDequantizePerTensorDynamic,
                {{"scale", scale}, {"zero_point", zero_point}});
  }

  ChosenQParams choose(const OpId& op, std::vector<NamedArgument> args, const std::vector<Dim>& sizes) {
    const std::string name = graph_.unique_name("choose_qparams");
    Node* chooser = graph_.insert_before(position_, op, name, std::move(args));
    Value* scale = graph_.add_output(chooser, graph_.unique_name(name + "_scale"), contiguous_meta(at::kDouble, sizes));
    Value* zero_point =
        graph_.add_output(chooser, graph_.unique_name(name + "_zero_point"), contiguous_meta(at::kLong, sizes));
    return {scale, zero_point};
  }

  // float16 has no scale: the value is rounded, and computed with as before.
  Value* to_float16_and_back() {
    TensorMeta half = input_->tensor();
    half.dtype = at::kHalf;
    half.requires_grad = false;
    TensorMeta back = half;
    back.dtype = input_->tensor().dtype;
    Value* rounded = insert(kConvertElementType, input_, {{"dtype", at::kHalf}}, half);
    return insert(kConvertElementType, rounded, {{"dtype", back.dtype}}, back);
  }

  // quantize and dequantize with the same parameters.
  Value* pair(const OpId& quantize, const OpId& dequantize, std::vector<NamedArgument> params) {
    params.push_back({"quant_min", range().min});
    params.push_back({"quant_max", range().max});
    params.push_back({"dtype", scalar_type_of(options_->dtype)});
    TensorMeta codes = input_->tensor();
    codes.dtype = scalar_type_of(options_->dtype);
    codes.requires_grad = false;
    Value* quantized = insert(quantize, input_, params, codes);
    const at::ScalarType dtype = input_->tensor().dtype;
    if (dequantize == ops::kDequantizePerToken) {
      params.push_back({"output_dtype", dtype});
    } else if (dtype != at::kFloat) {
      params.push_back({"out_dtype", dtype, /*keyword=*/true});
    }
    TensorMeta reals = input_->tensor();
    reals.requires_grad = false;
    return insert(dequantize, quantized, params, reals);
  }

  Value* insert(const OpId& op, Value* input, const std::vector<NamedArgument>& params, TensorMeta meta) {
    std::vector<NamedArgument> args = {{"input", input}};
    args.insert(args.end(), params.begin(), params.end());
    // "quantize_per_tensor" of "quantized_decomposed.quantize_per_tensor.default"
    const std::string& full = op.name();
    const size_t first = full.find('.') + 1;
    const std::string name = graph_.unique_name(full.substr(first, full.rfind('.') - first));
    Node* node = graph_.insert_before(position_, op, name, std::move(args));
    if (const Node* producer = input_->producer(); producer != nullptr && input == input_) {
      for (const char* key : {"nn_module_stack", "stack_trace"}) {
        if (const std::string* text = producer->find_metadata(key)) node->set_metadata(key, *text);
      }
    }
    return graph_.add_output(node, name, std::move(meta));
  }

  // "conv.weight_scale" for a weight, "conv2d_scale" for the output of a node; of a shared observer once.
  Value* buffer(const char* what, const at::Tensor& tensor) {
    const InputSpec* spec = program_.spec_of(input_);
    const std::string base = spec == nullptr || spec->target.empty() ? input_->name() : spec->target;
    return program_.add_buffer(program_.unique_state_name(fmt::format("{}_{}", base, what)), tensor.detach().clone());
  }

  Program& program_;
  Graph& graph_;
  const std::vector<PlacedObserver>& observers_;
  Node* position_ = nullptr;
  Value* input_ = nullptr;
  const ObserverOptions* options_ = nullptr;
};

}  // namespace

void insert_quantize_dequantize(Program& program, const std::vector<PlacedObserver>& observers) {
  QdqInserter inserter(program, observers);
  for (Node* node : program.graph().nodes_snapshot()) {
    if (node->op() == ops::kObserve) inserter.replace(node);
  }
}

}  // namespace torquant
