#pragma once

#include <cstdint>
#include <string>

#include "torquant/graph/program.h"

namespace torquant {

// Gives a symbol of the program's sizes a value: sizes that depend on no other one become numbers, and so do the
// integers that the graph computes from them, where nodes read these.
//
//   inputs %x: float32 [1, s]                               inputs %x: float32 [1, 8]
//   %n = aten.sym_size.int(%x, 1)                     ⇒     %n = aten.sym_size.int(%x, 1)
//   %y = aten.view.default(%x, [%n, 1])                     %y = aten.view.default(%x, [8, 1])
//
// Throws Error where the program has no such symbol, or its range does not hold the value.
void fix_symbol(Program& program, const std::string& symbol, int64_t value);

}  // namespace torquant
