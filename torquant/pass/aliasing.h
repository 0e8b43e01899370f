#pragma once

#include "torquant/graph/node.h"

// What operators do to memory, as their schemas say.
namespace torquant {

// Whether the node writes one of its arguments: add_, copy_.
bool writes_in_place(const Node& node);

// Whether a result of `node` shares memory with an argument. True for operators that the dispatcher does not know.
bool may_alias(const Node& node);

// Whether some node writes what `value` holds, by its name or through a view: readers may not be told apart by it then.
bool is_written(const Value* value);

}  // namespace torquant
