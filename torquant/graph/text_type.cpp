#include <fmt/format.h>
#include <fmt/ranges.h>

#include "torquant/graph/text.h"
#include "torquant/graph/text_grammar.h"
#include "torquant/graph/text_words.h"

namespace torquant {
namespace {

std::string dims_text(const std::vector<Dim>& dims) {
  std::vector<std::string> texts;
  for (const Dim& dim : dims) texts.push_back(to_string(dim));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

std::string tensor_text(const TensorMeta& tensor) {
  std::string result =
      fmt::format("{}{}", text::word_of(text::kDTypeAbbreviations, tensor.dtype), dims_text(tensor.sizes));
  if (tensor.strides != contiguous_meta(tensor.dtype, tensor.sizes).strides) {
    result += " strides " + dims_text(tensor.strides);
  }
  if (tensor.storage_offset != Dim(0)) result += " offset " + dims_text({tensor.storage_offset});
  if (tensor.layout != at::kStrided) result += fmt::format(" layout {}", text::word_of(text::kLayouts, tensor.layout));
  if (tensor.device != at::kCPU) result += " device " + text::in_quotes(tensor.device.str());
  return result;
}

std::string scalar_text(const ScalarMeta& scalar) {
  std::string value;
  if (const auto* dim = std::get_if<Dim>(&scalar.value)) {
    value = to_string(*dim);
  } else if (const auto* number = std::get_if<double>(&scalar.value)) {
    value = text::float_text(*number);
  } else if (const auto* flag = std::get_if<bool>(&scalar.value)) {
    value = *flag ? "true" : "false";
  } else if (!scalar.raw.empty()) {
    value = text::in_quotes(scalar.raw);
  }
  const std::string_view kind = text::word_of(text::kScalarKinds, scalar.kind);
  return value.empty() ? std::string(kind) : fmt::format("{}({})", kind, value);
}

}  // namespace

std::string to_text(const ValueMeta& meta) {
  if (const auto* tensor = std::get_if<TensorMeta>(&meta)) return tensor_text(*tensor);
  if (const auto* scalar = std::get_if<ScalarMeta>(&meta)) return scalar_text(*scalar);
  return fmt::format("object({})", text::in_quotes(std::get<ObjectMeta>(meta).class_fqn));
}

namespace text {
namespace {

Dim read_dim(Reader& reader) {
  const size_t at = reader.scan.position();
  const std::string_view text = reader.scan.until_separator();
  return at_position(reader.scan, at, [&]() -> Dim {
    const SymExpr expr = SymExpr::parse(text);
    if (const auto value = expr.integer_value()) return *value;
    return SymbolicDim{expr, expr.evaluate(reader.examples)};
  });
}

std::vector<Dim> read_dims(Reader& reader) {
  std::vector<Dim> dims;
  reader.scan.expect('[');
  reader.scan.items_until(']', [&] { dims.push_back(read_dim(reader)); });
  return dims;
}

at::Layout read_layout(Scanner& scan) {
  const size_t at = scan.position();
  const std::string_view word = scan.word();
  if (const at::Layout* layout = find_word(kLayouts, word)) return *layout;
  std::vector<std::string_view> allowed;
  for (const auto& row : kLayouts) allowed.push_back(row.text);
  scan.fail_at(at, fmt::format("unknown word '{}'", word), fmt::format("{}", fmt::join(allowed, ", ")));
}

TensorMeta read_tensor_type(Reader& reader, at::ScalarType dtype) {
  Scanner& scan = reader.scan;
  const size_t at = scan.position();
  TensorMeta meta = contiguous_meta(dtype, read_dims(reader));
  if (scan.take_word("strides")) meta.strides = read_dims(reader);
  if (meta.strides.size() != meta.sizes.size()) {
    scan.fail_at(at, fmt::format("{} strides for {} sizes", meta.strides.size(), meta.sizes.size()));
  }
  for (const Dim& size : meta.sizes) {
    if (is_static(size) && std::get<int64_t>(size) < 0) scan.fail_at(at, fmt::format("size {}", to_string(size)));
  }
  if (scan.take_word("offset")) {
    const std::vector<Dim> offset = read_dims(reader);
    if (offset.size() != 1) scan.fail_at(at, fmt::format("{} offsets", offset.size()), "one: offset [4]");
    meta.storage_offset = offset[0];
  }
  if (scan.take_word("layout")) meta.layout = read_layout(scan);
  if (scan.take_word("device")) meta.device = read_device(scan);
  return meta;
}

ScalarMeta read_scalar_type(Reader& reader, ScalarKind kind) {
  Scanner& scan = reader.scan;
  ScalarMeta meta{.kind = kind};
  if (!scan.take('(')) return meta;
  if (scan.peek() == '"') {
    meta.raw = scan.quoted();
  } else {
    switch (kind) {
      case ScalarKind::kInt:
        meta.value = read_dim(reader);
        break;
      case ScalarKind::kFloat: {
        const auto number = scan.take_number();
        if (!number) scan.fail("expected a number, found " + scan.found());
        meta.value = std::visit([](auto value) { return static_cast<double>(value); }, *number);
        break;
      }
      case ScalarKind::kBool:
        meta.value = scan.boolean();
        break;
    }
  }
  scan.expect(')');
  return meta;
}

}  // namespace

at::Device read_device(Scanner& scan) {
  const size_t at = scan.position();
  const std::string name = scan.quoted();
  try {
    return at::Device(name);
  } catch (const c10::Error&) {
    scan.fail_at(at, fmt::format("unknown device \"{}\"", name));
  }
}

ValueMeta read_type(Reader& reader) {
  const size_t at = reader.scan.position();
  const std::string_view word = reader.scan.word();
  if (const at::ScalarType* dtype = find_word(kDTypeAbbreviations, word)) return read_tensor_type(reader, *dtype);
  if (const ScalarKind* kind = find_word(kScalarKinds, word)) return read_scalar_type(reader, *kind);
  if (word == "object") return ObjectMeta{reader.scan.quoted_in_brackets()};
  std::string allowed;
  for (const auto& row : kDTypeAbbreviations) allowed += fmt::format("{}[...], ", row.text);
  reader.scan.fail_at(at, fmt::format("unknown type '{}'", word), allowed + "int, float, bool, object(...)");
}

}  // namespace text
}  // namespace torquant
