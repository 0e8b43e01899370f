#pragma once

#include <c10/core/Layout.h>
#include <c10/core/MemoryFormat.h>
#include <c10/core/ScalarType.h>

#include <array>
#include <string_view>

#include "torquant/graph/program.h"

// The words of the text form (text.h), each in one table for printer and parser.
namespace torquant::text {

template <typename T>
struct Word {
  std::string_view text;
  T value;
};

// PyTorch's names of dtypes, and its abbreviations (torch/utils/_dtype_abbrs.py).
struct DTypeRow {
  std::string_view abbreviation;
  std::string_view name;
  at::ScalarType value;
};
inline constexpr std::array kDTypeRows = {
    DTypeRow{"f32", "torch.float32", at::kFloat},
    DTypeRow{"f64", "torch.float64", at::kDouble},
    DTypeRow{"f16", "torch.float16", at::kHalf},
    DTypeRow{"bf16", "torch.bfloat16", at::kBFloat16},
    DTypeRow{"i8", "torch.int8", at::kChar},
    DTypeRow{"i16", "torch.int16", at::kShort},
    DTypeRow{"i32", "torch.int32", at::kInt},
    DTypeRow{"i64", "torch.int64", at::kLong},
    DTypeRow{"u8", "torch.uint8", at::kByte},
    DTypeRow{"u16", "torch.uint16", at::kUInt16},
    DTypeRow{"u32", "torch.uint32", at::kUInt32},
    DTypeRow{"u64", "torch.uint64", at::kUInt64},
    DTypeRow{"b8", "torch.bool", at::kBool},
    DTypeRow{"c32", "torch.complex32", at::kComplexHalf},
    DTypeRow{"c64", "torch.complex64", at::kComplexFloat},
    DTypeRow{"c128", "torch.complex128", at::kComplexDouble},
    DTypeRow{"f8e4m3fn", "torch.float8_e4m3fn", at::kFloat8_e4m3fn},
    DTypeRow{"f8e5m2", "torch.float8_e5m2", at::kFloat8_e5m2},
    DTypeRow{"f8e4m3fnuz", "torch.float8_e4m3fnuz", at::kFloat8_e4m3fnuz},
    DTypeRow{"f8e5m2fnuz", "torch.float8_e5m2fnuz", at::kFloat8_e5m2fnuz},
    DTypeRow{"f8e8m0fnu", "torch.float8_e8m0fnu", at::kFloat8_e8m0fnu},
};
constexpr auto dtype_words(std::string_view DTypeRow::* column) {
  std::array<Word<at::ScalarType>, kDTypeRows.size()> words{};
  for (size_t i = 0; i < words.size(); ++i) words[i] = {kDTypeRows[i].*column, kDTypeRows[i].value};
  return words;
}
inline constexpr std::array kDTypeAbbreviations = dtype_words(&DTypeRow::abbreviation);
inline constexpr std::array kDTypeNames = dtype_words(&DTypeRow::name);

inline constexpr std::array kLayouts = {
    Word<at::Layout>{"torch.strided", at::kStrided},      Word<at::Layout>{"torch.sparse_coo", at::kSparse},
    Word<at::Layout>{"torch.sparse_csr", at::kSparseCsr}, Word<at::Layout>{"torch.sparse_csc", at::kSparseCsc},
    Word<at::Layout>{"torch.sparse_bsr", at::kSparseBsr}, Word<at::Layout>{"torch.sparse_bsc", at::kSparseBsc},
    Word<at::Layout>{"torch._mkldnn", at::kMkldnn},
};

inline constexpr std::array kMemoryFormats = {
    Word<at::MemoryFormat>{"torch.contiguous_format", at::MemoryFormat::Contiguous},
    Word<at::MemoryFormat>{"torch.preserve_format", at::MemoryFormat::Preserve},
    Word<at::MemoryFormat>{"torch.channels_last", at::MemoryFormat::ChannelsLast},
    Word<at::MemoryFormat>{"torch.channels_last_3d", at::MemoryFormat::ChannelsLast3d},
};

inline constexpr std::array kInputKinds = {
    Word<InputKind>{"input", InputKind::kUser},      Word<InputKind>{"parameter", InputKind::kParameter},
    Word<InputKind>{"buffer", InputKind::kBuffer},   Word<InputKind>{"constant", InputKind::kTensorConstant},
    Word<InputKind>{"scalar", InputKind::kConstant}, Word<InputKind>{"object", InputKind::kCustomObject},
    Word<InputKind>{"token", InputKind::kToken},
};

// Before an output that the caller does not see.
inline constexpr std::array kOutputKinds = {
    Word<OutputKind>{"user", OutputKind::kUser},
    Word<OutputKind>{"loss", OutputKind::kLoss},
    Word<OutputKind>{"buffer_mutation", OutputKind::kBufferMutation},
    Word<OutputKind>{"parameter_mutation", OutputKind::kParameterMutation},
    Word<OutputKind>{"user_input_mutation", OutputKind::kUserInputMutation},
    Word<OutputKind>{"gradient_to_parameter", OutputKind::kGradientToParameter},
    Word<OutputKind>{"gradient_to_user_input", OutputKind::kGradientToUserInput},
    Word<OutputKind>{"token", OutputKind::kToken},
};

inline constexpr std::array kScalarKinds = {
    Word<ScalarKind>{"int", ScalarKind::kInt},
    Word<ScalarKind>{"float", ScalarKind::kFloat},
    Word<ScalarKind>{"bool", ScalarKind::kBool},
};

// Lists whose kind their items do not show: "tensors[]", "floats[]". `sizes` are computed ones.
inline constexpr std::string_view kTensors = "tensors";
inline constexpr std::string_view kBools = "bools";
inline constexpr std::string_view kFloats = "floats";
inline constexpr std::string_view kStrings = "strings";
inline constexpr std::string_view kSizes = "sizes";

template <typename T, size_t N>
constexpr std::string_view word_of(const std::array<Word<T>, N>& table, T value) {
  for (const Word<T>& row : table) {
    if (row.value == value) return row.text;
  }
  return "?";
}

// The value of a word; null for a word that the table lacks.
template <typename T, size_t N>
constexpr const T* find_word(const std::array<Word<T>, N>& table, std::string_view word) {
  for (const Word<T>& row : table) {
    if (row.text == word) return &row.value;
  }
  return nullptr;
}

}  // namespace torquant::text
