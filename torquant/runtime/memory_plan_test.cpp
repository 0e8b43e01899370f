#include "torquant/runtime/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/tiny_floats.h"
#include "tests/support/tiny_model.h"

namespace torquant::runtime {
namespace {

class MemoryPlanTest : public testing::Test {
 protected:
  const Place& place(size_t value) const { return plan_.places[value]; }
  static bool apart(const Place& a, const Place& b) {
    return a.begin + a.bytes() <= b.begin || b.begin + b.bytes() <= a.begin;
  }

  TinyModel tiny_;
  MemoryPlan plan_ = plan_memory(tiny_.model, 2);
};

TEST_F(MemoryPlanTest, GivesABorderWhereOneIsRead) {
  const Place& codes = place(1);
  EXPECT_EQ(codes.pixel_bytes, 3u);
  EXPECT_EQ(codes.top, 1u);
  EXPECT_EQ(codes.left, 1u);
  EXPECT_EQ(codes.bottom, 1u);
  EXPECT_EQ(codes.right, 1u);
  EXPECT_EQ(codes.row_bytes, 10u * 3);
  EXPECT_EQ(codes.plane_bytes, 320u) << "10 rows of 30 bytes, rounded up to lines of 64";
  EXPECT_EQ(codes.first_pixel(1), codes.begin + 320 + 30 + 3);
  EXPECT_FALSE(place(2).has_border()) << "a max-pool clips its windows itself";
}

TEST_F(MemoryPlanTest, KeepsWhatLivesAtATimeApart) {
  EXPECT_TRUE(apart(place(1), place(2))) << "a layer's input and output";
  EXPECT_TRUE(apart(place(2), place(3)));
  EXPECT_TRUE(apart(place(3), place(4))) << "the residual is read again by the sum behind";
  EXPECT_TRUE(apart(place(3), place(5)));
  EXPECT_TRUE(apart(place(4), place(5)));
  for (const Place& each : plan_.places) EXPECT_LE(each.begin + each.bytes(), plan_.arena_bytes);
}

TEST_F(MemoryPlanTest, UsesMemoryAgain) {
  size_t all = 0;
  for (const Place& each : plan_.places) all += each.bytes();
  EXPECT_LT(plan_.arena_bytes, all / 2 + 1000);
  EXPECT_EQ(place(6).begin, place(7).begin) << "flattening single pixels moves nothing";
}

TEST_F(MemoryPlanTest, KeepsWhatNobodyReadsApartFromWhatLives) {
  const auto unread = static_cast<format::ValueIndex>(tiny_.model.values.size());
  tiny_.model.values.push_back(tiny_.model.values[4]);
  tiny_.model.nodes.insert(tiny_.model.nodes.begin() + 4, {"unread", format::Add{3, 3, unread}});
  plan_ = plan_memory(tiny_.model, 2);
  EXPECT_TRUE(apart(place(unread), place(3)));
  EXPECT_TRUE(apart(place(unread), place(4)));
}

TEST_F(MemoryPlanTest, WritesASumOverAResidualThatIsReadForTheLastTime) {
  tiny_.model.nodes.erase(tiny_.model.nodes.begin() + 4);  // the sum behind
  std::get<format::GlobalAveragePool>(tiny_.model.nodes[4].operation).input = 4;
  plan_ = plan_memory(tiny_.model, 2);
  EXPECT_TRUE(apart(place(3), place(4))) << "the residual is also what the layer reads";
  tiny_.layer_of(3).input = 1;  // reads something else of other sizes: only places matter here
  plan_ = plan_memory(tiny_.model, 2);
  EXPECT_EQ(place(3).begin, place(4).begin);
}

TEST(MemoryPlanOfFloats, GivesInnerFloatsAPlaceThatIsUsedAgain) {
  const TinyFloats tiny;
  const MemoryPlan plan = plan_memory(tiny.model, 3);
  size_t all = 0;
  for (format::ValueIndex value = 0; value < tiny.model.values.size(); ++value) {
    EXPECT_EQ(plan.places[value].begin % 64, 0u) << tiny.model.values[value].name;
    all += plan.places[value].bytes();
  }
  EXPECT_EQ(plan.places[2].bytes(), 3 * 8 * 4 * 5 * sizeof(float)) << "one image right behind another";
  EXPECT_GE(plan.arena_bytes, plan.places[6].bytes() + plan.places[7].bytes()) << "turned lives while both is made";
  EXPECT_LT(plan.arena_bytes, all / 2) << "not what the user holds, and the rest used again";
}

}  // namespace
}  // namespace torquant::runtime
