#include "torquant/io/pt2_signature.h"

#include <fmt/format.h>

#include <algorithm>

#include "torquant/core/error.h"
#include "torquant/io/pt2_schema.h"

namespace torquant::pt2 {
namespace {

// A kind of input or output as the schema calls it; `target` is the key of the state's name, null where there is none.
template <class Kind>
struct Word {
  Kind kind;
  const char* tag;
  const char* target;
};

constexpr Word<InputKind> kInputs[] = {
    {InputKind::kUser, "user_input", nullptr},
    {InputKind::kParameter, "parameter", "parameter_name"},
    {InputKind::kBuffer, "buffer", "buffer_name"},
    {InputKind::kTensorConstant, "tensor_constant", "tensor_constant_name"},
    {InputKind::kConstant, "constant_input", "name"},
};

constexpr Word<OutputKind> kOutputs[] = {
    {OutputKind::kUser, "user_output", nullptr},
    {OutputKind::kLoss, "loss_output", nullptr},
    {OutputKind::kBufferMutation, "buffer_mutation", "buffer_name"},
    {OutputKind::kParameterMutation, "parameter_mutation", "parameter_name"},
    {OutputKind::kUserInputMutation, "user_input_mutation", "user_input_name"},
    {OutputKind::kGradientToParameter, "gradient_to_parameter", "parameter_name"},
    {OutputKind::kGradientToUserInput, "gradient_to_user_input", "user_input_name"},
};

template <class Kind, size_t size>
const Word<Kind>& word_of_tag(const Word<Kind> (&words)[size], const std::string& tag, const char* what) {
  const auto* word = std::ranges::find_if(words, [&](const Word<Kind>& w) { return tag == w.tag; });
  if (word != std::end(words)) return *word;
  std::string allowed;
  for (const Word<Kind>& known : words) allowed += (allowed.empty() ? "" : ", ") + std::string(known.tag);
  throw Error({.where = "",
               .what = fmt::format("{} of kind \"{}\" are not supported", what, tag),
               .allowed = std::move(allowed)});
}

template <class Kind, size_t size>
const Word<Kind>& word_of_kind(const Word<Kind> (&words)[size], Kind kind, const std::string& where, const char* what) {
  const auto* word = std::ranges::find(words, kind, &Word<Kind>::kind);
  if (word != std::end(words)) return *word;
  throw Error({.where = where, .what = fmt::format("an {} of this kind cannot be saved", what)});
}

std::string target_at(const Json& value, const char* key) { return key == nullptr ? "" : string_at(value, key); }

InputSpec read_input_spec(const Json& json) {
  const auto [tag, value] = union_of(json);
  const Word<InputKind>& word = word_of_tag(kInputs, tag, "inputs");
  InputSpec spec{.kind = word.kind, .target = target_at(value, word.target)};
  if (word.kind == InputKind::kBuffer) spec.persistent = bool_at(value, "persistent");
  return spec;
}

OutputSpec read_output_spec(const Json& json) {
  const auto [tag, value] = union_of(json);
  const Word<OutputKind>& word = word_of_tag(kOutputs, tag, "outputs");
  return {word.kind, target_at(value, word.target)};
}

// User inputs and outputs are any argument, {"as_tensor": {"name": "x"}}; the others are tensors, {"name": "x"}.
Json argument_json(const Argument& argument, bool is_user) {
  Json json = write_argument(argument);
  return is_user ? json : json.front();
}

Json write_input_spec(const InputSpec& spec, const Argument& input) {
  const Word<InputKind>& word = word_of_kind(kInputs, spec.kind, spec.target, "input");
  Json value = Json::object();
  if (spec.kind == InputKind::kConstant) {
    value["value"] = write_argument(input);
  } else {
    value["arg"] = argument_json(input, spec.kind == InputKind::kUser);
  }
  if (word.target != nullptr) value[word.target] = spec.target;
  if (spec.kind == InputKind::kBuffer) value["persistent"] = spec.persistent;
  return tagged(word.tag, std::move(value));
}

Json write_output_spec(const OutputSpec& spec, const Argument& output) {
  const Word<OutputKind>& word = word_of_kind(kOutputs, spec.kind, spec.target, "output");
  Json value = Json::object();
  value["arg"] = argument_json(output, spec.kind == OutputKind::kUser);
  if (word.target != nullptr) value[word.target] = spec.target;
  return tagged(word.tag, std::move(value));
}

void check_count(size_t specs, size_t values, const char* what) {
  if (specs == values) return;
  throw Error(
      {.where = "signature", .what = fmt::format("{} {} specs for a graph of {} {}s", specs, what, values, what)});
}

}  // namespace

void read_signature(Program& program, const Json& signature) {
  for (const Json& spec : member(signature, "input_specs")) program.input_specs().push_back(read_input_spec(spec));
  for (const Json& spec : member(signature, "output_specs")) program.output_specs().push_back(read_output_spec(spec));
  check_count(program.input_specs().size(), program.graph().inputs().size(), "input");
  check_count(program.output_specs().size(), program.graph().outputs().size(), "output");
}

Json write_signature(const Program& program) {
  Json signature = Json::object();
  signature["input_specs"] = Json::array();
  signature["output_specs"] = Json::array();
  for (size_t i = 0; i < program.input_specs().size(); ++i) {
    signature["input_specs"].push_back(write_input_spec(program.input_specs()[i], program.graph().inputs()[i]));
  }
  const std::vector<Argument> outputs = program.graph().outputs();
  for (size_t i = 0; i < program.output_specs().size(); ++i) {
    signature["output_specs"].push_back(write_output_spec(program.output_specs()[i], outputs[i]));
  }
  return signature;
}

}  // namespace torquant::pt2
