#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/support/test_program.h"

namespace torquant {

// One of the names under which exporters write a batch norm besides aten.batch_norm.default.
struct BatchNormSpelling {
  std::string op = "aten.native_batch_norm.default";
  bool has_training = true;  // as an argument
  size_t outputs = 3;
};

// Of four channels, in the module "bn", not training: momentum 0.25, eps 1e-3. Its first output.
inline Value* batch_norm_spelled(TestProgram& net, Value* x, const BatchNormSpelling& spelling = {}) {
  std::vector<NamedArgument> args = {{"input", x},
                                     {"weight", net.positive("bn.weight", {4})},
                                     {"bias", net.parameter("bn.bias", {4})},
                                     {"running_mean", net.parameter("bn.mean", {4})},
                                     {"running_var", net.positive("bn.var", {4})}};
  if (spelling.has_training) args.push_back({"training", false});
  args.push_back({"momentum", 0.25});
  args.push_back({"eps", 1e-3});
  return net.op(spelling.op, std::move(args), "bn", "T", spelling.outputs);
}

}  // namespace torquant
