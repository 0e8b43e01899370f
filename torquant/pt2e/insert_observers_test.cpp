#include "torquant/pt2e/insert_observers.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tests/support/test_program.h"
#include "torquant/graph/operator_schema.h"
#include "torquant/graph/ops.h"

namespace torquant {
namespace {

QuantizationSpec int8(int64_t min = -128) {
  return {.options = {.dtype = DType::kInt8, .quant_range = QuantRange{min, 127}}, .observer = {.type = MinMaxSpec{}}};
}

// x → a → b, x → c.
class InsertObservers : public testing::Test {
 protected:
  std::vector<PlacedObserver> insert() {
    net.returns({b, c});
    Program& program = net.program();
    return insert_observers(program, annotations, resolve_sharing(program.graph(), annotations));
  }
  QuantizationAnnotation& annotate(Value* value) { return annotations.annotate(value->producer()); }
  static bool is_observed(const Value* value) {
    return value->producer() != nullptr && value->producer()->op() == ops::kObserve;
  }
  static int64_t observer(const Value* value) { return int_arg(*value->producer(), "observer"); }

  TestProgram net;
  Value* x = net.input("x", {4});
  Value* a = net.op("aten.neg.default", {{"self", x}});
  Value* b = net.op("aten.abs.default", {{"self", a}});
  Value* c = net.op("aten.sin.default", {{"self", x}});
  Annotations annotations;
};

TEST_F(InsertObservers, OneServesAllReadersOfItsGroup) {
  annotate(a).set_input(x, int8());
  annotate(c).set_input(x, int8());
  EXPECT_EQ(insert().size(), 1u);
  EXPECT_EQ(count_nodes(net.program(), ops::kObserve.name()), 1u);
  EXPECT_TRUE(is_observed(a->producer()->input("self")));
  EXPECT_EQ(a->producer()->input("self"), c->producer()->input("self"));
}

TEST_F(InsertObservers, ReadersWithDifferentSpecsHaveTheirOwn) {
  annotate(a).set_input(x, int8());
  annotate(c).set_input(x, int8(-127));
  EXPECT_EQ(insert().size(), 2u);
  EXPECT_NE(observer(a->producer()->input("self")), observer(c->producer()->input("self")));
}

TEST_F(InsertObservers, AReaderWithoutSpecReadsTheValueItself) {
  annotate(a).set_input(x, int8());
  insert();
  EXPECT_EQ(c->producer()->input("self"), x);
}

TEST_F(InsertObservers, AnObservedOutputIsReadThroughItsObserverByAll) {
  annotate(a).output_qspec = int8();
  annotate(b).set_input(a, int8());
  insert();
  EXPECT_EQ(count_nodes(net.program(), ops::kObserve.name()), 1u) << "the reader's spec is the same one";
  EXPECT_TRUE(is_observed(b->producer()->input("self")));
}

TEST_F(InsertObservers, AProgramOutputIsObservedToo) {
  annotate(b).output_qspec = int8();
  insert();
  EXPECT_TRUE(is_observed(value_of(net.program().graph().outputs()[0])));
}

TEST_F(InsertObservers, ADerivedSpecRefersToItsSources) {
  const DerivedQuantizationSpec derived{
      {{x, a->producer()}, {a, nullptr}}, derive_bias_qparams, {.dtype = DType::kInt32}};
  annotate(a).set_input(x, int8());
  annotate(a).output_qspec = int8(-127);
  annotate(b).output_qspec = derived;
  const std::vector<PlacedObserver> observers = insert();
  ASSERT_EQ(observers.size(), 3u);
  EXPECT_EQ(observers[2].derived_from, (std::vector<size_t>{0, 1}));
}

TEST_F(InsertObservers, ADerivedSpecWithoutSourceIsAnError) {
  annotate(b).output_qspec = DerivedQuantizationSpec{{{a, nullptr}}, derive_bias_qparams, {.dtype = DType::kInt32}};
  EXPECT_EQ(error_text([&] { insert(); }), "%abs: is derived from %neg, which has no quantization spec");
}

TEST_F(InsertObservers, AnImpossibleSpecIsAnErrorThatNamesThePlace) {
  annotate(b).output_qspec = int8(-1000);
  EXPECT_TRUE(error_text([&] { insert(); }).starts_with("%abs: ")) << error_text([&] { insert(); });
}

TEST_F(InsertObservers, ABufferThatIsWrittenInPlaceIsReachedItself) {
  Value* count = net.buffer("count", at::rand({4}));
  Value* written = net.op("aten.add_.Tensor", {{"self", count}, {"other", a}});
  annotate(written).set_input(count, int8());
  annotate(written).set_input(a, int8());
  insert();
  EXPECT_EQ(written->producer()->input("self"), count);
  EXPECT_TRUE(is_observed(written->producer()->input("other")));
}

}  // namespace
}  // namespace torquant
