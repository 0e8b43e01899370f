#pragma once

#include <cstdint>
#include <span>

#include "torquant/core/dtype.h"

namespace torquant {

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::kFloat32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::kFloat64;
}
template <>
constexpr DType dtype_of<int8_t>() {
  return DType::kInt8;
}
template <>
constexpr DType dtype_of<uint8_t>() {
  return DType::kUInt8;
}
template <>
constexpr DType dtype_of<int16_t>() {
  return DType::kInt16;
}
template <>
constexpr DType dtype_of<uint16_t>() {
  return DType::kUInt16;
}
template <>
constexpr DType dtype_of<int32_t>() {
  return DType::kInt32;
}
template <>
constexpr DType dtype_of<uint32_t>() {
  return DType::kUInt32;
}
template <>
constexpr DType dtype_of<int64_t>() {
  return DType::kInt64;
}

// A dense run of `size` elements whose dtype is known at run time. Does not own them. Of the integers below eight
// bits each element has a byte of its own; float16, bfloat16 and float8 are bit patterns.
struct ConstArray {
  DType dtype = DType::kFloat32;
  const void* data = nullptr;
  int64_t size = 0;

  ConstArray() = default;
  ConstArray(DType dtype, const void* data, int64_t size) : dtype(dtype), data(data), size(size) {}
  template <class T>
  ConstArray(std::span<const T> values)
      : dtype(dtype_of<T>()), data(values.data()), size(static_cast<int64_t>(values.size())) {}
};

struct Array {
  DType dtype = DType::kFloat32;
  void* data = nullptr;
  int64_t size = 0;

  Array() = default;
  Array(DType dtype, void* data, int64_t size) : dtype(dtype), data(data), size(size) {}
  template <class T>
  Array(std::span<T> values) : dtype(dtype_of<T>()), data(values.data()), size(static_cast<int64_t>(values.size())) {}
  operator ConstArray() const { return {dtype, data, size}; }
};

// Elements [begin, begin + count) as floats or doubles. int32, int64 and float64 elements need doubles to stay exact.
void load(const ConstArray& from, int64_t begin, int64_t count, float* to);
void load(const ConstArray& from, int64_t begin, int64_t count, double* to);

// The way back. To integers: towards zero, and beyond the dtype's range the low bits remain (what PyTorch's casts do
// on x86; NaN gives 0 in dtypes below 32 bits); callers clamp first. To floats: rounded to nearest, ties to even.
void store(const float* from, const Array& to, int64_t begin, int64_t count);
void store(const double* from, const Array& to, int64_t begin, int64_t count);

double element(const ConstArray& from, int64_t index);

// The dtype in which PyTorch computes an operation on elements of both: the wider of two floats (float32 for float16
// with bfloat16), the float of a float and an integer. Of two integers int64, where PyTorch may take a smaller one.
DType promote(DType a, DType b);

}  // namespace torquant
