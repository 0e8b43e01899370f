#pragma once

#include "torquant/graph/argument.h"

namespace c10 {
struct Type;
}  // namespace c10

namespace torquant {

// Whether an operator whose schema says `type` can be given the argument: as much as its kind tells, so 3 fits float,
// and a value that the graph computes fits where its own kind does. What the archive carries unread fits everywhere.
bool fits(const Argument& argument, const c10::Type& type);

}  // namespace torquant
