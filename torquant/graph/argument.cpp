#include "torquant/graph/argument.h"

namespace torquant {

void for_each_value(Argument& argument, c10::function_ref<void(Value*&)> visit) {
  if (auto* value = std::get_if<Value*>(&argument)) {
    visit(*value);
  } else if (auto* values = std::get_if<std::vector<Value*>>(&argument)) {
    for (Value*& value : *values) {
      if (value != nullptr) visit(value);
    }
  } else if (auto* items = std::get_if<std::vector<ScalarOrValue>>(&argument)) {
    for (ScalarOrValue& item : *items) {
      if (auto* item_value = std::get_if<Value*>(&item)) visit(*item_value);
    }
  }
}

void for_each_value(const Argument& argument, c10::function_ref<void(Value*)> visit) {
  // The visitor below exchanges nothing.
  for_each_value(const_cast<Argument&>(argument), [&](Value*& value) { visit(value); });
}

}  // namespace torquant
