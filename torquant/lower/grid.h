#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "torquant/graph/node.h"

namespace torquant {

// What integer codes mean: (code - zero_point) * scale, codes in [min, max]; one scale for the whole tensor.
struct Grid {
  double scale;
  int64_t zero_point;
  int64_t min;
  int64_t max;
  at::ScalarType dtype;  // of the codes

  bool operator==(const Grid&) const = default;
};

// The code of a number other than NaN, as a quantize node computes it (docs/semantics.md, Q10).
int64_t code_of(double number, const Grid& grid);

// A quantize or dequantize node: what it reads, and the grid.
struct OnGrid {
  Value* input;
  Grid grid;
};

// Nothing where `node` is none with a grid of numbers, or where the float side is not float32. Null is allowed.
std::optional<OnGrid> read_quantize(const Node* node);
std::optional<OnGrid> read_dequantize(const Node* node);

// The dequantize node behind a value, read. Nothing where an in-place operator writes over the numbers.
std::optional<OnGrid> dequantized(const Value* value);

// A new node before `position`, with the metadata of that. The codes are named `name`, or NUMBERS_quantized where that
// is empty, which says that they are the program's numbers; with a number behind where the name is taken.
Value* insert_quantize(Node* position, Value* numbers, const Grid& grid, const std::string& name = "");
Value* insert_dequantize(Node* position, Value* codes, const Grid& grid);

// The name of the numbers behind codes that insert_quantize named; "" for another name.
std::string_view quantized_numbers(std::string_view codes);

}  // namespace torquant
