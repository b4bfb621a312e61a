// B1: how fast units come.
#include "coordination/arrivals.hpp"

#include <gtest/gtest.h>

namespace write_aside::coordination {
namespace {

using namespace std::chrono_literals;

constexpr Arrivals::TimePoint begin = Arrivals::TimePoint{} + 1h;

TEST(Arrivals, B1_TellTheDistanceOfASteadyFlow) {
  Arrivals arrivals;
  for (int count = 0; count < 1'000; ++count) arrivals.note(begin + count * 2ms);
  EXPECT_GT(arrivals.gap(), 1'900us);
  EXPECT_LT(arrivals.gap(), 2'100us);
}

TEST(Arrivals, B1_TakeALoneUnitForAStandstill) {
  Arrivals arrivals;
  arrivals.note(begin);
  EXPECT_EQ(arrivals.gap(), Arrivals::time_constant);
  arrivals.note(begin + 1s);
  EXPECT_GT(arrivals.gap(), 49ms);
}

TEST(Arrivals, B1_ForgetABurstAfterAFewTimeConstants) {
  Arrivals arrivals;
  for (int count = 0; count < 100; ++count) arrivals.note(begin);
  EXPECT_LT(arrivals.gap(), 1ms);
  arrivals.note(begin + 10ms);
  EXPECT_LT(arrivals.gap(), 1ms) << "a burst is no standstill when it is just over";
  arrivals.note(begin + 1s);
  EXPECT_GT(arrivals.gap(), 49ms);
}

}  // namespace
}  // namespace write_aside::coordination
