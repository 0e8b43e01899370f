#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace torquant {

// The identity of an operator: an interned name, compared as a pointer.
//
//   aten.conv2d.default           a dispatcher operator: namespace, name, overload
//   higher_order.cond             a higher-order operator of torch.export
//   _operator.mul, math.trunc     arithmetic on symbolic integers
//   torquant.observe.default      an observer of a prepared program (pt2e/)
class OpId {
 public:
  explicit OpId(std::string_view name);

  const std::string& name() const { return *name_; }

  // True for names of the form namespace.name.overload.
  bool is_dispatcher_op() const;

  // "aten::conv2d" and "" (the overload; "default" is the empty one). Only for dispatcher operators.
  std::string qualified_name() const;
  std::string overload() const;

  bool operator==(const OpId&) const = default;

 private:
  friend struct std::hash<OpId>;
  const std::string* name_;  // owned by the intern table, lives as long as the process
};

}  // namespace torquant

template <>
struct std::hash<torquant::OpId> {
  size_t operator()(const torquant::OpId& op) const noexcept { return std::hash<const std::string*>{}(op.name_); }
};
