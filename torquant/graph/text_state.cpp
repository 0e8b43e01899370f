#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>

#include "torquant/graph/made_up_tensor.h"
#include "torquant/graph/text.h"
#include "torquant/graph/text_grammar.h"
#include "torquant/graph/text_words.h"

namespace torquant::text {
namespace {

// Each tensor of the state that is the same memory as an earlier one, with the name of that one.
std::unordered_map<std::string, std::string> tied_names(const Program& program) {
  std::unordered_map<std::string, std::string> tied;
  std::unordered_map<const void*, const StateTensor*> first;
  for (const StateTensor& entry : program.state()) {
    if (!entry.tensor.has_storage() || entry.tensor.numel() == 0) continue;
    const auto [found, fresh] = first.emplace(entry.tensor.const_data_ptr(), &entry);
    const at::Tensor& other = found->second->tensor;
    const bool same = entry.tensor.sizes() == other.sizes() && entry.tensor.strides() == other.strides() &&
                      entry.tensor.scalar_type() == other.scalar_type();
    if (!fresh && same) tied[entry.name] = found->second->name;
  }
  return tied;
}

constexpr size_t kMostMadeUpBytes = size_t{1} << 30;

// no-grad tied "other.weight"
void read_state_tensor(Reader& reader, Program& program, size_t at, const std::string& name, TensorMeta& meta,
                       bool is_parameter) {
  Scanner& scan = reader.scan;
  const bool has_no_grad = is_parameter && scan.take_word("no-grad");
  const bool is_trained = is_parameter && !has_no_grad && c10::isFloatingType(meta.dtype);
  const at::Tensor* existing = program.find_state(name);
  if (scan.take_word("tied")) {
    const std::string other = scan.quoted();
    existing = program.find_state(other);
    if (existing == nullptr) scan.fail_at(at, fmt::format("no tensor \"{}\" stands before", other));
  }
  at_position(scan, at, [&] {
    at::Tensor tensor = existing == nullptr ? made_up_tensor(name, meta) : *existing;
    if (existing == nullptr) reader.made_up_bytes += tensor.nbytes();
    if (reader.made_up_bytes > kMostMadeUpBytes) {
      throw Error({.what = fmt::format("the tensors up to here have {} bytes", reader.made_up_bytes),
                   .allowed = fmt::format("{} in all: a text is for small programs", kMostMadeUpBytes)});
    }
    meta.requires_grad = is_trained;
    if (existing == nullptr && is_trained) tensor.set_requires_grad(true);
    program.set_state({name, std::move(tensor), is_parameter});
  });
}

// unread f32[2] = "name" parameter
void read_unread(Reader& reader, Program& program) {
  Scanner& scan = reader.scan;
  const size_t at = scan.position();
  ValueMeta meta = read_type(reader);
  scan.expect('=');
  const std::string name = scan.quoted();
  if (!std::holds_alternative<TensorMeta>(meta)) scan.fail_at(at, "a stored value that is no tensor");
  const bool is_parameter = scan.take_word("parameter");
  read_state_tensor(reader, program, at, name, std::get<TensorMeta>(meta), is_parameter);
}

// What follows the word of `kind`: %w : f32[8, 3] = "conv.weight" …
void read_program_input(Reader& reader, Program& program, InputKind kind) {
  Scanner& scan = reader.scan;
  InputSpec spec{.kind = kind};
  const size_t at = scan.position();
  Value* value = read_input(reader, program.graph());
  if (kind != InputKind::kUser) {
    scan.expect('=');
    spec.target = scan.quoted();
  }
  const bool is_buffer = kind == InputKind::kBuffer;
  const bool is_saved = kind == InputKind::kParameter || kind == InputKind::kUser;
  spec.persistent = is_saved || (is_buffer && !scan.take_word("non-persistent"));
  if (kind == InputKind::kParameter || is_buffer || kind == InputKind::kTensorConstant) {
    if (value == nullptr || !value->is_tensor()) {
      scan.fail_at(at, fmt::format("a {} that is no tensor", word_of(kInputKinds, kind)));
    }
    read_state_tensor(reader, program, at, spec.target, value->tensor(), kind == InputKind::kParameter);
  }
  program.input_specs().push_back(std::move(spec));
}

}  // namespace

std::string inputs_text(const Program& program) {
  std::string lines;
  const std::unordered_map<std::string, std::string> tied = tied_names(program);
  std::unordered_set<std::string> printed;
  for (size_t i = 0; i < program.input_specs().size(); ++i) {
    const InputSpec& spec = program.input_specs()[i];
    const Argument& input = program.graph().inputs()[i];
    lines += fmt::format("{} {}", word_of(kInputKinds, spec.kind), input_text(input, ""));
    if (spec.kind != InputKind::kUser) lines += " = " + in_quotes(spec.target);
    if (spec.kind == InputKind::kBuffer && !spec.persistent) lines += " non-persistent";
    const Value* value = value_of(input);
    const bool is_parameter = spec.kind == InputKind::kParameter && value != nullptr && value->is_tensor();
    if (is_parameter && !value->tensor().requires_grad) lines += " no-grad";
    const auto same_as = tied.find(spec.target);
    if (same_as != tied.end() && printed.contains(same_as->second)) lines += " tied " + in_quotes(same_as->second);
    printed.insert(spec.target);
    lines += "\n";
  }
  for (const StateTensor& entry : program.state()) {
    if (printed.contains(entry.name)) continue;
    lines += fmt::format("unread {} = {}", to_text(meta_of(entry.tensor)), in_quotes(entry.name));
    if (entry.is_parameter) lines += " parameter";
    lines += "\n";
  }
  return lines;
}

void read_inputs(Reader& reader, Program& program) {
  while (true) {
    const size_t start = reader.scan.position();
    const std::string_view word = reader.scan.word();
    if (word == "unread") {
      read_unread(reader, program);
    } else if (const InputKind* kind = find_word(kInputKinds, word)) {
      read_program_input(reader, program, *kind);
    } else {
      reader.scan.back_to(start);
      return;
    }
  }
}

}  // namespace torquant::text
