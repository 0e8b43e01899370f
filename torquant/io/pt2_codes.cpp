#include "torquant/io/pt2_codes.h"

#include <fmt/format.h>

#include "torquant/io/pt2_json.h"

namespace torquant::pt2 {
namespace {

template <class T>
struct Code {
  int64_t code;
  T value;
};

constexpr Code<at::ScalarType> kDTypes[] = {
    {1, at::kByte},
    {2, at::kChar},
    {3, at::kShort},
    {4, at::kInt},
    {5, at::kLong},
    {6, at::kHalf},
    {7, at::kFloat},
    {8, at::kDouble},
    {9, at::kComplexHalf},
    {10, at::kComplexFloat},
    {11, at::kComplexDouble},
    {12, at::kBool},
    {13, at::kBFloat16},
    {28, at::kUInt16},
    {29, at::kFloat8_e4m3fn},
    {30, at::kFloat8_e5m2},
    {31, at::kFloat8_e4m3fnuz},
    {32, at::kFloat8_e5m2fnuz},
    {33, at::kFloat8_e8m0fnu},
    {34, at::kUInt32},
    {35, at::kUInt64},
};

constexpr Code<at::Layout> kLayouts[] = {
    {1, at::kSparse},    {2, at::kSparseCsr}, {3, at::kSparseCsc}, {4, at::kSparseBsr},
    {5, at::kSparseBsc}, {6, at::kMkldnn},    {7, at::kStrided},
};

constexpr Code<at::MemoryFormat> kMemoryFormats[] = {
    {1, at::MemoryFormat::Contiguous},
    {2, at::MemoryFormat::ChannelsLast},
    {3, at::MemoryFormat::ChannelsLast3d},
    {4, at::MemoryFormat::Preserve},
};

template <class T, size_t size>
T value_of(const Code<T> (&codes)[size], int64_t code, const char* what) {
  for (const Code<T>& row : codes) {
    if (row.code == code) return row.value;
  }
  refuse(fmt::format("unknown {} code {}", what, code));
}

template <class T, size_t size>
int64_t code_in(const Code<T> (&codes)[size], T value, const std::string& error) {
  for (const Code<T>& row : codes) {
    if (row.value == value) return row.code;
  }
  refuse(error);
}

}  // namespace

at::ScalarType dtype_from_code(int64_t code) { return value_of(kDTypes, code, "dtype"); }
at::Layout layout_from_code(int64_t code) { return value_of(kLayouts, code, "layout"); }
at::MemoryFormat memory_format_from_code(int64_t code) { return value_of(kMemoryFormats, code, "memory format"); }

int64_t code_of(at::ScalarType dtype) {
  return code_in(
      kDTypes, dtype,
      fmt::format("dtype {} has no code in the .pt2 schema; store it in a byte dtype", c10::toString(dtype)));
}
int64_t code_of(at::Layout layout) {
  return code_in(kLayouts, layout, fmt::format("layout {} has no code in the .pt2 schema", c10::str(layout)));
}
int64_t code_of(at::MemoryFormat format) {
  return code_in(kMemoryFormats, format,
                 fmt::format("memory format {} has no code in the .pt2 schema", c10::str(format)));
}

}  // namespace torquant::pt2
