#pragma once

#include <torch/library.h>

#include <string>

namespace torquant {

// Registers operators of one namespace, each unless the process has it already: Python's torch.ao and torchao register
// the same schemas, and a schema may be registered once. Keep it alive as long as the operators.
class OperatorLibrary {
 public:
  explicit OperatorLibrary(const char* name) : name_(name), library_(torch::Library::FRAGMENT, name, {}, __FILE__, 0) {}

  // schema: "quantize_per_tensor.tensor(Tensor input, …) -> Tensor". `kernel` serves every device and, below
  // autograd, every mode; `meta` gives shape and dtype alone.
  template <class Kernel, class Meta>
  void define(const std::string& schema, Kernel* kernel, Meta* meta) {
    if (!define_schema(schema)) return;
    library_.impl(operator_name(schema).c_str(), c10::DispatchKey::CompositeExplicitAutograd, kernel);
    library_.impl(operator_name(schema).c_str(), c10::DispatchKey::Meta, meta);
  }

  // `kernel` is differentiable by itself: an autograd function, or made of differentiable operators.
  template <class Kernel>
  void define_composite(const std::string& schema, Kernel* kernel) {
    if (!define_schema(schema)) return;
    library_.impl(operator_name(schema).c_str(), c10::DispatchKey::CompositeImplicitAutograd, kernel);
  }

 private:
  static std::string operator_name(const std::string& schema);  // "quantize_per_tensor.tensor"
  bool define_schema(const std::string& schema);                // false: the process has it

  std::string name_;
  torch::Library library_;
};

}  // namespace torquant
