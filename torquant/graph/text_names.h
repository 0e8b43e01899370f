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

// PyTorch's abbreviations (torch/utils/_dtype_abbrs.py) and names.
struct DTypeWord {
  std::string_view abbreviation;
  std::string_view name;
  at::ScalarType value;
};
inline constexpr std::array kDTypes = {
    DTypeWord{"f32", "torch.float32", at::kFloat},
    DTypeWord{"f64", "torch.float64", at::kDouble},
    DTypeWord{"f16", "torch.float16", at::kHalf},
    DTypeWord{"bf16", "torch.bfloat16", at::kBFloat16},
    DTypeWord{"i8", "torch.int8", at::kChar},
    DTypeWord{"i16", "torch.int16", at::kShort},
    DTypeWord{"i32", "torch.int32", at::kInt},
    DTypeWord{"i64", "torch.int64", at::kLong},
    DTypeWord{"u8", "torch.uint8", at::kByte},
    DTypeWord{"u16", "torch.uint16", at::kUInt16},
    DTypeWord{"u32", "torch.uint32", at::kUInt32},
    DTypeWord{"u64", "torch.uint64", at::kUInt64},
    DTypeWord{"b8", "torch.bool", at::kBool},
    DTypeWord{"c32", "torch.complex32", at::kComplexHalf},
    DTypeWord{"c64", "torch.complex64", at::kComplexFloat},
    DTypeWord{"c128", "torch.complex128", at::kComplexDouble},
    DTypeWord{"f8e4m3fn", "torch.float8_e4m3fn", at::kFloat8_e4m3fn},
    DTypeWord{"f8e5m2", "torch.float8_e5m2", at::kFloat8_e5m2},
    DTypeWord{"f8e4m3fnuz", "torch.float8_e4m3fnuz", at::kFloat8_e4m3fnuz},
    DTypeWord{"f8e5m2fnuz", "torch.float8_e5m2fnuz", at::kFloat8_e5m2fnuz},
    DTypeWord{"f8e8m0fnu", "torch.float8_e8m0fnu", at::kFloat8_e8m0fnu},
};

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

template <typename Table, typename T>
std::string_view word_of(const Table& table, T value) {
  for (const auto& row : table) {
    if (row.value == value) return row.text;
  }
  return "?";
}

// Whether a name can stand bare; others are quoted.
constexpr bool is_bare(std::string_view name) {
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && c != '_' && c != '.') return false;
  }
  return !name.empty();
}

}  // namespace torquant::text
