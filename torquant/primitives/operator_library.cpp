#include "torquant/primitives/operator_library.h"

#include <ATen/core/dispatch/Dispatcher.h>

namespace torquant {

std::string OperatorLibrary::operator_name(const std::string& schema) { return schema.substr(0, schema.find('(')); }

bool OperatorLibrary::define_schema(const std::string& schema) {
  const std::string name = operator_name(schema);
  const size_t dot = name.find('.');
  const std::string base = name_ + "::" + name.substr(0, dot);
  const std::string overload = dot == std::string::npos ? "" : name.substr(dot + 1);
  if (c10::Dispatcher::singleton().findSchema({base, overload})) return false;
  library_.def(schema.c_str());
  return true;
}

}  // namespace torquant
