// A crash at every port call of a run, and then at every port call of the run that recovers from it, on the real
// embedded pair. embedded_crash_test.cpp does the part of it that is quick.
#include <gtest/gtest.h>

#include "simulation/embedded_crash.hpp"

namespace write_aside::simulation {
namespace {

class SlowEmbeddedCrash : public ::testing::TestWithParam<int> {};

// Sharded, so that several processors can share the work.
TEST_P(SlowEmbeddedCrash, AtEveryPortCallAndAgainAtEveryPortCallOfTheRecovery) {
  const CrashRun clean = run_embedded({}, {});
  const std::vector<Crash> crashes = different_crashes(clean.first_steps.size());
  for (std::size_t number = 0; number < crashes.size(); ++number) {
    if (static_cast<int>(number % 4) != GetParam()) continue;
    const Crash& first = crashes[number];
    const std::vector<std::string> recovery = run_embedded(first, {}).second_steps;
    for (const Crash& second : different_crashes(recovery.size())) {
      EXPECT_EQ(run_embedded(first, second).wrong, "")
          << "crash " << describe(first, clean.first_steps) << ", then " << describe(second, recovery);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Quarter, SlowEmbeddedCrash, ::testing::Range(0, 4));

}  // namespace
}  // namespace write_aside::simulation
