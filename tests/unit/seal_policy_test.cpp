// B1: when a batch is sealed.
#include "coordination/seal_policy.hpp"

#include <gtest/gtest.h>

namespace write_aside::coordination {
namespace {

using namespace std::chrono_literals;

SealInput under_load() {
  const SealInput::TimePoint begun = SealInput::TimePoint{} + 1h;
  return {.begun = begun,
          .last_activity = begun + 1ms,
          .cost = 2ms,
          .hold_multiple = 4,
          .age_max = 100ms,
          .demand = {.arrival_gap = 1ms, .other_lane_free = true}};
}

TEST(SealPolicy, B1_SealsALoneUnitAtOnce) {
  SealInput in = under_load();
  in.demand.arrival_gap = 500ms;
  EXPECT_EQ(seal_time(in), in.begun);
}

TEST(SealPolicy, B1_HoldsABatchUnderLoadForAMultipleOfTheCostOfEnding) {
  SealInput in = under_load();
  in.last_activity = in.begun + 8ms;
  EXPECT_EQ(seal_time(in), in.begun + 8ms);
}

TEST(SealPolicy, B1_HoldsLongerWhileNoOtherLaneIsFree) {
  SealInput in = under_load();
  in.last_activity = in.begun + 20ms;
  in.demand.other_lane_free = false;
  EXPECT_EQ(seal_time(in), in.begun + 16ms);
}

TEST(SealPolicy, B1_HoldsLongerUnderHeavyLoad) {
  SealInput in = under_load();
  in.last_activity = in.begun + 20ms;
  in.demand.arrival_gap = 400us;
  EXPECT_EQ(seal_time(in), in.begun + 16ms);
}

TEST(SealPolicy, B1_HoldsABatchWhileUnitsWaitForAPlaceHoweverFarApartTheyCome) {
  SealInput in = under_load();
  in.last_activity = in.begun + 20ms;
  in.demand = {.arrival_gap = 500ms, .units_wait = true};
  EXPECT_EQ(seal_time(in), in.begun + 8ms);
}

TEST(SealPolicy, B1_HoldsUnitsThatFollowCloselyAlsoWhereAnEndIsCheap) {
  SealInput in = under_load();
  in.cost = 100us;
  in.last_activity = in.begun + 20ms;
  EXPECT_EQ(seal_time(in), in.begun + 8ms);
  in.demand.arrival_gap = 3ms;
  EXPECT_EQ(seal_time(in), in.begun);
}

TEST(SealPolicy, B1_SealsWhenNobodyJoinsAnyMore) {
  const SealInput in = under_load();
  EXPECT_EQ(seal_time(in), in.last_activity + 2ms);
}

TEST(SealPolicy, B1_SealsAtTheAgeLimit) {
  SealInput in = under_load();
  in.age_max = 5ms;
  in.last_activity = in.begun + 4ms;
  EXPECT_EQ(seal_time(in), in.begun + 5ms);
}

TEST(SealPolicy, B1_SealsAtOnceWhenFullOrWhenSomebodyWaits) {
  SealInput full = under_load();
  full.full = true;
  EXPECT_EQ(seal_time(full), full.begun);
  SealInput awaited = under_load();
  awaited.somebody_waits = true;
  EXPECT_EQ(seal_time(awaited), awaited.begun);
}

}  // namespace
}  // namespace write_aside::coordination
