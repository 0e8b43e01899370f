#include "torquant/core/array.h"

#include <cassert>
#include <limits>

#include "torquant/core/float_formats.h"

namespace torquant {
namespace {

template <class From, class To>
void load_as(const void* data, int64_t begin, int64_t count, To* to) {
  const From* from = static_cast<const From*>(data) + begin;
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<To>(from[i]);
}

template <class To, class Decode>
void decode(const uint16_t* from, int64_t count, To* to, Decode decode_one) {
  for (int64_t i = 0; i < count; ++i) to[i] = decode_one(from[i]);
}

template <class To>
void load_any(const ConstArray& from, int64_t begin, int64_t count, To* to) {
  assert(begin >= 0 && begin + count <= from.size);
  const auto* halves = static_cast<const uint16_t*>(from.data) + begin;
  const auto* bytes = static_cast<const uint8_t*>(from.data) + begin;
  switch (storage_dtype(from.dtype)) {
    case DType::kFloat32:
      return load_as<float>(from.data, begin, count, to);
    case DType::kFloat64:
      return load_as<double>(from.data, begin, count, to);
    case DType::kBFloat16:
      return decode(halves, count, to, bfloat16_to_float);
    case DType::kFloat16:
      return decode(halves, count, to, float16_to_float);
    case DType::kInt8:
      return load_as<int8_t>(from.data, begin, count, to);
    case DType::kUInt8:
    case DType::kBool:
      return load_as<uint8_t>(from.data, begin, count, to);
    case DType::kInt16:
      return load_as<int16_t>(from.data, begin, count, to);
    case DType::kUInt16:
      return load_as<uint16_t>(from.data, begin, count, to);
    case DType::kInt32:
      return load_as<int32_t>(from.data, begin, count, to);
    case DType::kUInt32:
      return load_as<uint32_t>(from.data, begin, count, to);
    case DType::kInt64:
      return load_as<int64_t>(from.data, begin, count, to);
    case DType::kUInt64:
      return load_as<uint64_t>(from.data, begin, count, to);
    default:  // the float8 formats
      for (int64_t i = 0; i < count; ++i) to[i] = float8_to_float(bytes[i], from.dtype);
  }
}

// Through a wider integer: a cast straight to a narrow one is undefined for values outside it.
template <class To, class Wide, class From>
void store_as(const From* from, void* data, int64_t begin, int64_t count) {
  To* to = static_cast<To*>(data) + begin;
  // Half of the range of Wide: its own maximum is no float.
  constexpr auto kLimit = static_cast<From>(Wide{1} << (8 * sizeof(Wide) - 2));
  for (int64_t i = 0; i < count; ++i) {
    const bool fits = from[i] >= -2 * kLimit && from[i] < 2 * kLimit;
    const Wide wide = static_cast<Wide>(fits ? from[i] : From{0});
    to[i] = static_cast<To>(fits ? wide : std::numeric_limits<Wide>::min());
  }
}

template <class From>
void store_any(const From* from, const Array& to, int64_t begin, int64_t count) {
  assert(begin >= 0 && begin + count <= to.size);
  auto* halves = static_cast<uint16_t*>(to.data) + begin;
  auto* bytes = static_cast<uint8_t*>(to.data) + begin;
  switch (storage_dtype(to.dtype)) {
    case DType::kFloat32:
      return load_as<From>(from, 0, count, static_cast<float*>(to.data) + begin);
    case DType::kFloat64:
      return load_as<From>(from, 0, count, static_cast<double*>(to.data) + begin);
    case DType::kBFloat16:
      for (int64_t i = 0; i < count; ++i) halves[i] = bfloat16_from_float(static_cast<float>(from[i]));
      return;
    case DType::kFloat16:
      for (int64_t i = 0; i < count; ++i) halves[i] = float16_from_float(static_cast<float>(from[i]));
      return;
    case DType::kInt8:
      return store_as<int8_t, int32_t>(from, to.data, begin, count);
    case DType::kUInt8:
      return store_as<uint8_t, int32_t>(from, to.data, begin, count);
    case DType::kInt16:
      return store_as<int16_t, int32_t>(from, to.data, begin, count);
    case DType::kUInt16:
      return store_as<uint16_t, int32_t>(from, to.data, begin, count);
    case DType::kInt32:
      return store_as<int32_t, int32_t>(from, to.data, begin, count);
    case DType::kUInt32:
      return store_as<uint32_t, int64_t>(from, to.data, begin, count);
    case DType::kInt64:
    case DType::kUInt64:
      return store_as<int64_t, int64_t>(from, to.data, begin, count);
    case DType::kBool:
      for (int64_t i = 0; i < count; ++i) bytes[i] = from[i] != 0 ? 1 : 0;
      return;
    default:  // the float8 formats
      for (int64_t i = 0; i < count; ++i) bytes[i] = float8_from_float(static_cast<float>(from[i]), to.dtype);
  }
}

}  // namespace

void load(const ConstArray& from, int64_t begin, int64_t count, float* to) { load_any(from, begin, count, to); }
void load(const ConstArray& from, int64_t begin, int64_t count, double* to) { load_any(from, begin, count, to); }
void store(const float* from, const Array& to, int64_t begin, int64_t count) { store_any(from, to, begin, count); }
void store(const double* from, const Array& to, int64_t begin, int64_t count) { store_any(from, to, begin, count); }

double element(const ConstArray& from, int64_t index) {
  double value = 0;
  load(from, index, 1, &value);
  return value;
}

DType promote(DType a, DType b) {
  if (a == b) return a;
  if (is_integer(a) && is_integer(b)) return DType::kInt64;  // differences of codes and zero points stay exact
  if (is_integer(a)) return b;
  if (is_integer(b)) return a;
  if (bits_of(a) == bits_of(b)) return DType::kFloat32;
  return bits_of(a) > bits_of(b) ? a : b;
}

}  // namespace torquant
