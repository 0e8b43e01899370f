#pragma once

#include <string_view>

#include "torquant/graph/node.h"

namespace c10 {
class OperatorHandle;
struct Argument;
}  // namespace c10

namespace torquant {

// The dispatcher's operator of that name; null when this process has none. Looked up once per OpId.
const c10::OperatorHandle* find_operator(const OpId& op);

// The argument `name` of `node`, or its default from the operator's schema. Throws Error when the schema has no
// such argument, or it is required and left out.
Argument arg_or_default(const Node& node, std::string_view name);

// Typed forms. Throw Error, naming node and argument, when the argument has another type.
int64_t int_arg(const Node& node, std::string_view name);
double double_arg(const Node& node, std::string_view name);
bool bool_arg(const Node& node, std::string_view name);
// A list of integers; one integer stands for a list of `expected` equal ones, as PyTorch reads int[2].
std::vector<int64_t> ints_arg(const Node& node, std::string_view name, size_t expected = 0);

// The name that the schema gives the positional argument `index`; "" when there is none.
std::string schema_arg_name(const OpId& op, size_t index);

// Whether the schema lets the argument be passed by keyword alone.
bool is_keyword_only(const OpId& op, std::string_view name);

}  // namespace torquant
