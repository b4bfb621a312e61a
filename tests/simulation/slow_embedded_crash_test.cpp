// A crash at every port call of a run, and then at every port call of the run that recovers from it, on the real
// embedded pair. embedded_crash_test.cpp does the part of it that is quick.
#include <gtest/gtest.h>

#include "simulation/embedded_crash.hpp"

namespace write_aside::simulation {
namespace {

class SlowEmbeddedCrash : public ::testing::TestWithParam<int> {};

// Sharded by the remainder of the first step, so that several processors can share the work.
TEST_P(SlowEmbeddedCrash, AtEveryPortCallAndAgainAtEveryPortCallOfTheRecovery) {
  const CrashRun clean = run_embedded({}, {});
  for (std::size_t step = 0; step < clean.first_steps.size(); ++step) {
    if (static_cast<int>(step % 4) != GetParam()) continue;
    for (const Fault::Kind kind : crash_kinds) {
      const Crash first{step, kind};
      const std::vector<std::string> recovery = run_embedded(first, {}).second_steps;
      for (std::size_t next = 0; next < recovery.size(); ++next) {
        for (const Fault::Kind next_kind : crash_kinds) {
          const Crash second{next, next_kind};
          EXPECT_EQ(run_embedded(first, second).wrong, "")
              << "crash " << describe(first, clean.first_steps) << ", then " << describe(second, recovery);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Quarter, SlowEmbeddedCrash, ::testing::Range(0, 4));

}  // namespace
}  // namespace write_aside::simulation
