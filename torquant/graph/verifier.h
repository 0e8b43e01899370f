#pragma once

#include "torquant/graph/program.h"

namespace torquant {

// Checks that a program is whole. Throws Error that names what is wrong first:
//   structure   values are defined before they are read, and know their readers;
//   operators   arguments are the schema's, of fitting kinds; no required one is missing; as many results as it says;
//   signature   one spec for each input and output; each stored tensor exists and is what its input says;
//   types       what is recorded of each value against the shape rules (shape_rules.h): dtype, rank, sizes.
// Operators that this process does not know are passed over: whether a program can run is the interpreter's to say.
void verify(const Program& program);

// The part of it without which inputs and outputs cannot be told apart: one spec for each.
void verify_spec_counts(const Program& program);

}  // namespace torquant
