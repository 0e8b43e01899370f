#include "torquant/quantizer/sharing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "tests/support/error_text.h"
#include "tests/support/test_program.h"

namespace torquant {
namespace {

QuantizationSpec int8(int64_t min = -128) {
  return {.options = {.dtype = DType::kInt8, .quant_range = QuantRange{min, 127}}, .observer = {.type = MinMaxSpec{}}};
}

// x → a → b → c, and x → d.
class Sharing : public testing::Test {
 protected:
  Sharing() { net.returns({c, d}); }

  SharingGroups resolve() const { return resolve_sharing(net.program().graph(), annotations); }
  std::string failure() const {
    return error_text([&] { resolve(); });
  }
  QuantizationAnnotation& annotate(Value* value) { return annotations.annotate(value->producer()); }
  static EdgeOrNode edge(Value* value, Value* reader) { return {value, reader->producer()}; }
  static EdgeOrNode output(Value* value) { return {value, nullptr}; }

  mutable TestProgram net;
  Value* x = net.input("x", {4});
  Value* a = net.op("aten.neg.default", {{"self", x}});
  Value* b = net.op("aten.abs.default", {{"self", a}});
  Value* c = net.op("aten.exp.default", {{"self", b}});
  Value* d = net.op("aten.sin.default", {{"self", x}});
  Annotations annotations;
};

TEST_F(Sharing, EachSpecHasAGroupOfItsOwn) {
  annotate(a).set_input(x, int8());
  annotate(a).output_qspec = int8();
  const SharingGroups groups = resolve();
  ASSERT_EQ(groups.groups.size(), 2u);
  EXPECT_EQ(groups.groups[0].places, std::vector{edge(x, a)}) << "inputs before the output";
  EXPECT_EQ(groups.groups[1].places, std::vector{output(a)});
}

TEST_F(Sharing, FollowsReferencesInEitherDirectionOfTheGraph) {
  annotate(a).output_qspec = SharedQuantizationSpec{output(c)};  // to a later place
  annotate(c).output_qspec = int8();
  annotate(c).set_input(b, SharedQuantizationSpec{output(a)});  // to an earlier one
  const SharingGroups groups = resolve();
  ASSERT_EQ(groups.groups.size(), 1u);
  EXPECT_EQ(groups.groups[0].places.size(), 3u);
  EXPECT_EQ(std::get<QuantizationSpec>(*groups.groups[0].spec), int8()) << "the one that is no reference";
}

// The partition, as names.
std::set<std::set<std::string>> names(const SharingGroups& sharing) {
  std::set<std::set<std::string>> partition;
  for (const SharingGroup& group : sharing.groups) {
    std::set<std::string> places;
    for (const EdgeOrNode& place : group.places) places.insert(to_string(place));
    partition.insert(places);
  }
  return partition;
}

TEST_F(Sharing, DoesNotDependOnTheOrderOfAnnotation) {
  const std::vector<std::function<void()>> steps = {
      [&] { annotate(a).set_input(x, int8()); },
      [&] { annotate(a).output_qspec = SharedQuantizationSpec{edge(x, a)}; },
      [&] { annotate(b).output_qspec = SharedQuantizationSpec{output(a)}; },
      [&] { annotate(c).output_qspec = int8(-127); },
  };
  std::vector<size_t> order = {0, 1, 2, 3};
  std::set<std::set<std::set<std::string>>> results;
  do {
    annotations = {};
    for (const size_t i : order) steps[i]();
    results.insert(names(resolve()));
  } while (std::next_permutation(order.begin(), order.end()));
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(*results.begin(), (std::set<std::set<std::string>>{{"%x → %neg", "%neg", "%abs"}, {"%exp"}}));
}

TEST_F(Sharing, ReadersOfOneValueShareImplicitly) {
  annotate(a).set_input(x, int8());
  annotate(d).set_input(x, int8());
  EXPECT_EQ(resolve().groups.size(), 1u);
}

TEST_F(Sharing, AReaderSharesWithTheValueImplicitly) {
  annotate(a).output_qspec = int8();
  annotate(b).set_input(a, int8());
  EXPECT_EQ(resolve().groups.size(), 1u);
}

TEST_F(Sharing, NotImplicitlyWhenTheReaderForbidsIt) {
  annotate(a).output_qspec = int8();
  annotate(b).set_input(a, int8());
  annotate(b).allow_implicit_sharing = false;
  EXPECT_EQ(resolve().groups.size(), 2u);
}

TEST_F(Sharing, NotImplicitlyWhenTheSpecsDiffer) {
  annotate(a).set_input(x, int8());
  annotate(d).set_input(x, int8(-127));
  EXPECT_EQ(resolve().groups.size(), 2u);
}

TEST_F(Sharing, FixedQParamsShareOnlyWhenTheyAreEqual) {
  const auto fixed = [](double scale) { return FixedQParamsQuantizationSpec{int8().options, scale, 0}; };
  annotate(a).set_input(x, fixed(0.5));
  annotate(d).set_input(x, fixed(0.5));
  EXPECT_EQ(resolve().groups.size(), 1u);
  annotate(d).set_input(x, fixed(0.25));
  EXPECT_EQ(resolve().groups.size(), 2u);
}

TEST_F(Sharing, AReferenceToAPlaceWithoutSpecIsAnError) {
  annotate(b).set_input(a, SharedQuantizationSpec{output(a)});
  EXPECT_EQ(failure(), "%neg → %abs: shares the observer of %neg, which has no quantization spec");
}

TEST_F(Sharing, ARingOfReferencesIsAnError) {
  annotate(a).output_qspec = SharedQuantizationSpec{output(b)};
  annotate(b).output_qspec = SharedQuantizationSpec{output(a)};
  EXPECT_EQ(failure(), "%neg: its SharedQuantizationSpecs refer to each other in a ring; none says how to quantize");
}

}  // namespace
}  // namespace torquant
