#include "torquant/graph/argument_fits.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <gtest/gtest.h>

#include "torquant/graph/graph.h"
#include "torquant/graph/operator_schema.h"

namespace torquant {
namespace {

// The type that the schema of `op` gives its argument `name`.
const c10::Type& type_of(const char* op, const char* name) {
  const c10::FunctionSchema& schema = find_operator(OpId(op))->schema();
  return *schema.arguments().at(static_cast<size_t>(schema.argumentIndexWithName(name).value())).type();
}

class ArgumentFits : public testing::Test {
 protected:
  Graph graph_;
  Value* tensor_ = graph_.add_input("tensor", TensorMeta{});
  Value* integer_ = graph_.add_input("integer", ScalarMeta{ScalarKind::kInt});
  Value* real_ = graph_.add_input("real", ScalarMeta{ScalarKind::kFloat});
  Value* object_ = graph_.add_input("object", ObjectMeta{});
};

TEST_F(ArgumentFits, Tensors) {
  const c10::Type& tensor = type_of("aten.add.Tensor", "other");
  for (const Argument& fitting : {Argument(tensor_), Argument(integer_), Argument(int64_t{3}), Argument(0.5)}) {
    EXPECT_TRUE(fits(fitting, tensor));
  }
  for (const Argument& other : {Argument(object_), Argument(std::string("x")), Argument(), Argument(at::kFloat)}) {
    EXPECT_FALSE(fits(other, tensor));
  }
  EXPECT_TRUE(fits(std::monostate{}, type_of("aten.linear.default", "bias")));
}

TEST_F(ArgumentFits, Numbers) {
  const c10::Type& integer = type_of("aten.softmax.int", "dim");
  EXPECT_TRUE(fits(int64_t{1}, integer));
  EXPECT_TRUE(fits(integer_, integer));
  EXPECT_FALSE(fits(1.5, integer));
  EXPECT_FALSE(fits(real_, integer));
  EXPECT_FALSE(fits(tensor_, integer));
  const c10::Type& dtype = type_of("aten.softmax.int", "dtype");  // int? to the schema
  EXPECT_TRUE(fits(at::kFloat, dtype));
  EXPECT_TRUE(fits(std::monostate{}, dtype));
  const c10::Type& real = type_of("aten.dropout.default", "p");
  EXPECT_TRUE(fits(0.5, real));
  EXPECT_TRUE(fits(int64_t{1}, real));
  EXPECT_TRUE(fits(real_, real));
  EXPECT_FALSE(fits(std::string("p"), real));
  const c10::Type& flag = type_of("aten.dropout.default", "train");
  EXPECT_TRUE(fits(true, flag));
  EXPECT_FALSE(fits(0.5, flag));
}

TEST_F(ArgumentFits, Lists) {
  const c10::Type& sizes = type_of("aten.view.default", "size");
  EXPECT_TRUE(fits(std::vector<int64_t>{1, 2}, sizes));
  EXPECT_TRUE(fits(std::vector<ScalarOrValue>{int64_t{1}, integer_}, sizes));
  EXPECT_FALSE(fits(std::vector<double>{1}, sizes));
  EXPECT_TRUE(fits(std::vector<double>{}, sizes)) << "an empty list shows no kind";
  const c10::Type& numbers = type_of("onednn.qconv_pointwise.default", "scalars");  // Scalar?[]
  EXPECT_TRUE(fits(std::vector<double>{0.5}, numbers));
  EXPECT_FALSE(fits(std::vector<std::string>{"x"}, numbers));
  const c10::Type& tensors = type_of("aten.cat.default", "tensors");
  EXPECT_TRUE(fits(std::vector<Value*>{tensor_}, tensors));
  EXPECT_FALSE(fits(std::vector<Value*>{tensor_, nullptr}, tensors));
  EXPECT_FALSE(fits(std::vector<Value*>{integer_}, tensors));
  EXPECT_FALSE(fits(tensor_, tensors));
  EXPECT_TRUE(fits(std::vector<Value*>{tensor_, nullptr}, type_of("aten.index.Tensor", "indices")));
}

TEST_F(ArgumentFits, WhatTheArchiveCarriesUnreadFitsEverywhere) {
  EXPECT_TRUE(fits(OpaqueArgument{"{}"}, type_of("aten.softmax.int", "dim")));
}

}  // namespace
}  // namespace torquant
