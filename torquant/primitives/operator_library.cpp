#include "torquant/primitives/operator_library.h"

#include <ATen/core/dispatch/Dispatcher.h>

namespace torquant {

std::string OperatorLibrary::operator_name(const char* schema) {
  const std::string text = schema;
  return text.substr(0, text.find('('));
}

bool OperatorLibrary::define_schema(const char* schema) {
  const std::string name = operator_name(schema);
  const size_t dot = name.find('.');
  const std::string base = name_ + "::" + name.substr(0, dot);
  const std::string overload = dot == std::string::npos ? "" : name.substr(dot + 1);
  if (c10::Dispatcher::singleton().findSchema({base, overload})) return false;
  library_.def(schema);
  return true;
}

}  // namespace torquant
