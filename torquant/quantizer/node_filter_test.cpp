#include "torquant/quantizer/node_filter.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/test_program.h"

namespace torquant {
namespace {

TEST(NodeFilter, ByModule) {
  TestProgram net;
  Value* x = net.input("x", {2, 4});
  Value* y = net.linear(x, "block.fc", 4);
  Value* z = net.relu(y);
  net.returns({z});
  EXPECT_TRUE(inside_module_named("block.fc")(*y->producer()));
  EXPECT_FALSE(inside_module_named("block")(*y->producer())) << "the path of a module, not a prefix";
  EXPECT_FALSE(inside_module_named("block.fc")(*z->producer()));
  EXPECT_TRUE(inside_module_of_type("Linear")(*y->producer()));
  EXPECT_TRUE(inside_module_of_type("torch.nn.modules.linear.Linear")(*y->producer()));
  EXPECT_FALSE(inside_module_of_type("near")(*y->producer()));
  EXPECT_NO_THROW(check_selects_any(net.program(), "rule", inside_module_of_type("Linear")));
  EXPECT_NE(error_text([&] {
              check_selects_any(net.program(), "the rule", inside_module_named("head"));
            }).find("the rule: selects no node of the program"),
            std::string::npos);
}

TEST(NodeFilter, RulesKeepTheirPlaceWhenGivenAgain) {
  RuleList<std::string, int> rules;
  set_rule(rules, std::string("a"), 1);
  set_rule(rules, std::string("b"), 2);
  set_rule(rules, std::string("a"), 3);
  EXPECT_EQ(rules, (RuleList<std::string, int>{{"a", 3}, {"b", 2}}));
}

}  // namespace
}  // namespace torquant
