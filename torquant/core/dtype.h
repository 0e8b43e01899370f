#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace torquant {

// The dtypes of quantization. Names are PyTorch's. Sub-byte integers are stored one value a byte
// (int8 or uint8) until they are packed (core/bit_packing.h).
enum class DType : uint8_t {
  kInt1,
  kInt2,
  kInt3,
  kInt4,
  kInt5,
  kInt6,
  kInt7,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUInt1,
  kUInt2,
  kUInt3,
  kUInt4,
  kUInt5,
  kUInt6,
  kUInt7,
  kUInt8,
  kUInt16,
  kUInt32,
  kUInt64,
  kFloat16,
  kBFloat16,
  kFloat32,
  kFloat64,
  kFloat8E4M3FN,
  kFloat8E4M3FNUZ,
  kFloat8E5M2,
  kFloat8E5M2FNUZ,
  kFloat8E8M0FNU,
  kBool,
};

// "int4", "uint8", "bfloat16", "float8_e4m3fn" …; from_name gives nothing for an unknown name.
std::string_view dtype_name(DType dtype);
std::optional<DType> dtype_from_name(std::string_view name);

bool is_integer(DType dtype);  // intN and uintN; bool is none
bool is_signed(DType dtype);   // of an integer dtype
bool is_float8(DType dtype);
int bits_of(DType dtype);  // 4 for int4, 16 for bfloat16

// The dtype that holds one value of `dtype` in memory: int8 for int1…int7, uint8 for uint1…uint7, else itself.
DType storage_dtype(DType dtype);

// The whole range of an integer dtype, both ends included (torchao quant_primitives.py, _DTYPE_TO_QVALUE_BOUNDS).
struct QuantRange {
  int64_t min;
  int64_t max;
  bool operator==(const QuantRange&) const = default;
};
QuantRange quant_range(DType dtype);

}  // namespace torquant
