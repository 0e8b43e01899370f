#pragma once

#include "torquant/graph/interpreter.h"

namespace torquant {

// Runs a higher-order operator of torch.export: out_dtype, wrap_with_set_grad_enabled or cond. Its bodies are laid out
// here; they use the same options, which must outlive the handler. On the stack, bodies and operators stand as None.
// Throws Error that names the node, for another operator or wrong arguments.
NodeHandler higher_order_handler(const Node& node, const InterpreterOptions& options);

}  // namespace torquant
