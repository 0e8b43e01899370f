#include "torquant/graph/argument_source.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "torquant/graph/graph.h"
#include "torquant/graph/operator_schema.h"

namespace torquant {
namespace {

using Kind = ArgumentSource::Kind;

const c10::Argument& schema_arg(const char* op, const char* name) {
  const c10::FunctionSchema& schema = find_operator(OpId(op))->schema();
  return schema.arguments().at(static_cast<size_t>(schema.argumentIndexWithName(name).value()));
}

// The constant that an argument becomes.
c10::IValue constant(const Argument& argument, const char* op, const char* name) {
  SlotTable slots;
  const ArgumentSource source = argument_source(argument, &schema_arg(op, name), slots);
  EXPECT_EQ(source.kind, Kind::kConstant);
  EXPECT_EQ(slots.size(), 0u);
  return source.constant;
}

TEST(ArgumentSource, NumbersBecomeWhatTheSchemaWants) {
  const at::Tensor tensor = constant(int64_t{3}, "aten.mul.Tensor", "other").toTensor();
  EXPECT_EQ(tensor.item<int64_t>(), 3);
  EXPECT_TRUE(tensor.unsafeGetTensorImpl()->is_wrapped_number());
  EXPECT_EQ(constant(int64_t{1}, "aten.dropout.default", "p").toDouble(), 1.0);
  EXPECT_TRUE(constant(int64_t{1}, "aten.dropout.default", "train").toBool());
  EXPECT_EQ(constant(int64_t{2}, "aten.conv2d.default", "stride").toIntVector(), (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(constant(std::vector<int64_t>{2, 3}, "aten.upsample_nearest2d.vec", "scale_factors").toDoubleVector(),
            (std::vector<double>{2, 3}));
  EXPECT_EQ(constant(at::kHalf, "aten.to.dtype", "dtype").toInt(), static_cast<int64_t>(at::kHalf));
  EXPECT_TRUE(constant(std::monostate{}, "aten.linear.default", "bias").isNone());
  EXPECT_TRUE(constant(static_cast<Value*>(nullptr), "aten.linear.default", "bias").isNone());
}

TEST(ArgumentSource, ValuesBecomeSlots) {
  Graph graph;
  Value* a = graph.add_input("a", TensorMeta{});
  Value* n = graph.add_input("n", ScalarMeta{});
  SlotTable slots;
  EXPECT_EQ(slots.of(n), 0);
  const auto source = [&](const Argument& argument, const char* op, const char* name) {
    return argument_source(argument, &schema_arg(op, name), slots);
  };
  EXPECT_EQ(source(a, "aten.mul.Tensor", "other").slots, std::vector<int>{1});
  EXPECT_FALSE(source(a, "aten.mul.Tensor", "other").scalar_to_tensor);
  EXPECT_TRUE(source(n, "aten.mul.Tensor", "other").scalar_to_tensor);
  EXPECT_FALSE(source(n, "aten.softmax.int", "dim").scalar_to_tensor);

  const ArgumentSource tensors = source(std::vector<Value*>{a, a}, "aten.cat.default", "tensors");
  EXPECT_EQ(tensors.kind, Kind::kTensorList);
  EXPECT_EQ(tensors.slots, (std::vector<int>{1, 1}));
  const ArgumentSource indices = source(std::vector<Value*>{nullptr, a}, "aten.index.Tensor", "indices");
  EXPECT_EQ(indices.kind, Kind::kOptionalTensorList);
  EXPECT_EQ(indices.slots, (std::vector<int>{SlotTable::kNone, 1}));
  const ArgumentSource sizes = source(std::vector<ScalarOrValue>{n, int64_t{-1}}, "aten.view.default", "size");
  EXPECT_EQ(sizes.kind, Kind::kIntList);
  EXPECT_EQ(sizes.slots, (std::vector<int>{0, SlotTable::kNone}));
  EXPECT_EQ(sizes.integers, (std::vector<int64_t>{0, -1}));
  EXPECT_EQ(slots.size(), 2u);
}

TEST(ArgumentSource, WhatCannotBeRunIsAnError) {
  SlotTable slots;
  const auto error = [&](const Argument& argument) {
    return error_text([&] { argument_source(argument, nullptr, slots); });
  };
  EXPECT_EQ(error(OpaqueArgument{"{}"}), "an argument of a kind that cannot be run (complex or nested list)");
  EXPECT_EQ(error(std::vector<ScalarOrValue>{0.5}),
            "a list of symbolic floats or bools\n  allowed here: symbolic integers");
}

}  // namespace
}  // namespace torquant
