#include "torquant/core/dtype.h"

#include <array>
#include <cassert>
#include <limits>

namespace torquant {
namespace {

enum class Kind : uint8_t { kSigned, kUnsigned, kFloat, kFloat8, kBool };

struct Row {
  std::string_view name;
  int bits;
  Kind kind;
};

// In the order of the enum.
constexpr std::array kRows = {
    Row{"int1", 1, Kind::kSigned},           Row{"int2", 2, Kind::kSigned},
    Row{"int3", 3, Kind::kSigned},           Row{"int4", 4, Kind::kSigned},
    Row{"int5", 5, Kind::kSigned},           Row{"int6", 6, Kind::kSigned},
    Row{"int7", 7, Kind::kSigned},           Row{"int8", 8, Kind::kSigned},
    Row{"int16", 16, Kind::kSigned},         Row{"int32", 32, Kind::kSigned},
    Row{"int64", 64, Kind::kSigned},         Row{"uint1", 1, Kind::kUnsigned},
    Row{"uint2", 2, Kind::kUnsigned},        Row{"uint3", 3, Kind::kUnsigned},
    Row{"uint4", 4, Kind::kUnsigned},        Row{"uint5", 5, Kind::kUnsigned},
    Row{"uint6", 6, Kind::kUnsigned},        Row{"uint7", 7, Kind::kUnsigned},
    Row{"uint8", 8, Kind::kUnsigned},        Row{"uint16", 16, Kind::kUnsigned},
    Row{"uint32", 32, Kind::kUnsigned},      Row{"uint64", 64, Kind::kUnsigned},
    Row{"float16", 16, Kind::kFloat},        Row{"bfloat16", 16, Kind::kFloat},
    Row{"float32", 32, Kind::kFloat},        Row{"float64", 64, Kind::kFloat},
    Row{"float8_e4m3fn", 8, Kind::kFloat8},  Row{"float8_e4m3fnuz", 8, Kind::kFloat8},
    Row{"float8_e5m2", 8, Kind::kFloat8},    Row{"float8_e5m2fnuz", 8, Kind::kFloat8},
    Row{"float8_e8m0fnu", 8, Kind::kFloat8}, Row{"bool", 8, Kind::kBool},
};
static_assert(kRows.size() == static_cast<size_t>(DType::kBool) + 1);

const Row& row(DType dtype) { return kRows[static_cast<size_t>(dtype)]; }

}  // namespace

std::string_view dtype_name(DType dtype) { return row(dtype).name; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

bool is_integer(DType dtype) { return row(dtype).kind == Kind::kSigned || row(dtype).kind == Kind::kUnsigned; }
bool is_signed(DType dtype) { return row(dtype).kind == Kind::kSigned; }
bool is_float8(DType dtype) { return row(dtype).kind == Kind::kFloat8; }
int bits_of(DType dtype) { return row(dtype).bits; }

DType storage_dtype(DType dtype) {
  if (!is_integer(dtype) || bits_of(dtype) >= 8) return dtype;
  return is_signed(dtype) ? DType::kInt8 : DType::kUInt8;
}

QuantRange quant_range(DType dtype) {
  assert(is_integer(dtype));
  const int bits = bits_of(dtype);
  if (is_signed(dtype)) {
    const int64_t max = bits == 64 ? std::numeric_limits<int64_t>::max() : (int64_t{1} << (bits - 1)) - 1;
    return {-max - 1, max};
  }
  // uint64 codes do not occur in quantization; its upper half is out of int64_t.
  return {0, bits == 64 ? std::numeric_limits<int64_t>::max() : (int64_t{1} << bits) - 1};
}

}  // namespace torquant
