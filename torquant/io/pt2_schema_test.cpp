#include "torquant/io/pt2_schema.h"

#include <gtest/gtest.h>

#include "tests/support/pt2_test.h"

namespace torquant {
namespace {

using Pt2Schema = Pt2Test;

TEST_F(Pt2Schema, BrokenGraphsNameTheNode) {
  EXPECT_EQ(error_after_model([](Json& model) { node(model, 0)["inputs"][0]["arg"]["as_tensor"]["name"] = "ghost"; }),
            "models/model.json: node %linear (torch.ops.aten.linear.default): %ghost: is read before it is defined");
  EXPECT_EQ(error_after_model([](Json& model) { node(model, 0)["inputs"][0]["arg"] = {{"as_what", 1}}; }),
            "models/model.json: node %linear (torch.ops.aten.linear.default): unknown or unsupported argument kind "
            "\"as_what\"");
  EXPECT_EQ(error_after_model([](Json& model) { node(model, 0)["outputs"][0]["as_tensor"]["name"] = "x"; }),
            "models/model.json: node %linear (torch.ops.aten.linear.default): graph: two values are named %x");
  EXPECT_NE(error_after_model([](Json& model) {
              model["graph_module"]["graph"]["tensor_values"].erase("linear");
            }).find("%linear: tensor_values has no entry for it"),
            std::string::npos);
  EXPECT_NE(error_after_model([](Json& model) {
              model["graph_module"]["graph"]["nodes"][0].erase("target");
            }).find("\"target\" is missing"),
            std::string::npos);
  EXPECT_NE(error_after_model([](Json& model) { model["graph_module"]["graph"]["nodes"] = 3; }), "");
  EXPECT_NE(error_after_model([](Json& model) {
              std::swap(node(model, 0), node(model, 2));
            }).find("is read before it is defined"),
            std::string::npos);
}

TEST_F(Pt2Schema, BrokenInputsAreNamed) {
  EXPECT_EQ(error_after_model([](Json& model) { model["graph_module"]["graph"]["tensor_values"]["x"]["dtype"] = 99; }),
            "models/model.json: %x: unknown dtype code 99");
}

TEST_F(Pt2Schema, SizesOutOfBoundsAreRefused) {
  const auto with_size = [&](const Json& size) {
    return error_after_model(
        [&](Json& model) { model["graph_module"]["graph"]["tensor_values"]["linear"]["sizes"][1] = size; });
  };
  EXPECT_EQ(with_size({{"as_int", -4}}),
            "models/model.json: node %linear (torch.ops.aten.linear.default): %linear: size -4 is negative");
  EXPECT_NE(with_size({{"as_int", 18446744073709551615ULL}}).find("integer 18446744073709551615 does not fit 64 bits"),
            std::string::npos);
  EXPECT_NE(with_size({{"as_int", 1.5}}).find("expected an integer, found 1.5"), std::string::npos);
  EXPECT_NE(with_size({{"as_expr", {{"expr_str", "Add("}, {"hint", nullptr}}}}).find("symbolic expression"),
            std::string::npos);
}

}  // namespace
}  // namespace torquant
