// A crash at every port call, on the real embedded pair: of a commit, and of the recovery that follows.
//
// Method: the scenario runs once without a fault and its port calls are counted. Then it runs again for every call,
// crashing before it and after it; a second process takes over, and the oracle reads both files. In the nested tests
// the second process crashes too, at every one of its calls, and a third one takes over.
#include <gtest/gtest.h>

#include "simulation/embedded_crash.hpp"

namespace write_aside::simulation {
namespace {

TEST(EmbeddedCrash, NothingIsWrongWithoutAFault) {
  const CrashRun clean = run_embedded({}, {});
  EXPECT_EQ(clean.wrong, "");
  EXPECT_GT(clean.first_steps.size(), 40u);
}

TEST(EmbeddedCrash, AtEveryPortCallOfACommit) {
  const CrashRun clean = run_embedded({}, {});
  for (std::size_t step = 0; step < clean.first_steps.size(); ++step) {
    for (const Fault::Kind kind : crash_kinds) {
      const Crash crash{step, kind};
      EXPECT_EQ(run_embedded(crash, {}).wrong, "") << "crash " << describe(crash, clean.first_steps);
    }
  }
}

TEST(EmbeddedCrash, AtEveryPortCallOfTheTakeoverThatFollowsACrashAfterTheDecision) {
  const CrashRun clean = run_embedded({}, {});
  for (std::size_t step = 0; step < clean.first_steps.size(); ++step) {
    if (clean.first_steps[step] != "session.commit") continue;
    const Crash first{step, Fault::Kind::crash_after};
    const CrashRun followed = run_embedded(first, {});
    for (const Crash& second : different_crashes(followed.second_steps.size())) {
      EXPECT_EQ(run_embedded(first, second).wrong, "")
          << "crash " << describe(first, clean.first_steps) << ", then " << describe(second, followed.second_steps);
    }
  }
}

}  // namespace
}  // namespace write_aside::simulation
