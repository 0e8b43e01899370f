// Recipe files, and their patterns on the nodes of a program.
#include "tests/fuzz/input.h"
#include "torquant/core/error.h"
#include "torquant/graph/text.h"
#include "torquant/recipe/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace torquant;
  static const Program program = parse_program(R"(
input %x : f32[2, 3]
%relu = aten.relu.default(%x) @ features.0.act(torch.nn.modules.activation.ReLU)
return %relu
)");
  try {
    const Recipe recipe = parse_recipe("fuzz", std::string(fuzz::as_text(data, size)));
    for (const Rule& rule : recipe.rules) {
      rule.select.select(program);
      rule.select.text();
    }
  } catch (const Error&) {
  }
  return 0;
}
