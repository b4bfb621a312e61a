// Random runs (random_run.hpp). A failure names its seed; the same seed plays the same run again: WRITE_ASIDE_SEED=N.
// More runs: WRITE_ASIDE_SEEDS=N, or `make simulate SEEDS=N`, which plays them several times as fast.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "simulation/parallel.hpp"
#include "simulation/random_run.hpp"

namespace write_aside::simulation {
namespace {

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(RandomFaults, NeverLeaveTheStoresInDisagreement) {
  if (const std::uint64_t seed = number_from_environment("WRITE_ASIDE_SEED", 0); seed != 0) {
    EXPECT_EQ(play_random_run(seed).wrong, "") << "seed " << seed;
    return;
  }
  const std::uint64_t count = number_from_environment("WRITE_ASIDE_SEEDS", 3000);
  Counts counts;
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    const RunReport report = play_random_run(seed);
    counts.add(report.counts);
    ASSERT_EQ(report.wrong, "") << "play it again with WRITE_ASIDE_SEED=" << seed;
  }
  for (std::size_t i = 0; count >= 3000 && i < counts.values.size(); ++i) {
    EXPECT_GT(counts.values[i], 0u) << "the runs do not reach: " << to_string(static_cast<Count>(i));
  }
}

std::string trace_of(std::uint64_t seed) {
  std::string text;
  const RunReport report = play_random_run(seed, {.trace = [&text](const std::string& line) { text += line + '\n'; }});
  return text + std::to_string(report.fingerprint);
}

TEST(RandomFaults, AreTheSameByteForByteUnderTheSameSeed) {
  for (const std::uint64_t seed : {1, 2, 3, 77, 200}) {  // 200 is a large one
    const std::string trace = trace_of(seed);
    EXPECT_GT(trace.size(), 1000u);
    EXPECT_EQ(trace, trace_of(seed)) << "seed " << seed;
    EXPECT_NE(trace, trace_of(seed + 1));
  }
}

TEST(RandomFaults, AreTheSameWithATraceAndWithout) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const auto traced = play_random_run(seed, {.trace = [](const std::string&) {}});
    EXPECT_EQ(play_random_run(seed).fingerprint, traced.fingerprint) << "seed " << seed;
  }
}

TEST(ManyRuns, CountTheSameOnOneProcessAndOnSeveral) {
  const auto play = [](std::uint64_t seed) { return play_random_run(seed); };
  const ManyRuns alone = play_many(1, 60, 1, "seeds", play);
  const ManyRuns together = play_many(1, 60, 3, "seeds", play);
  EXPECT_EQ(alone.wrong, "");
  EXPECT_EQ(alone.runs, 60u);
  EXPECT_EQ(together.runs, 60u);
  EXPECT_EQ(alone.fingerprint, together.fingerprint);
  EXPECT_EQ(alone.counts.values, together.counts.values);
}

TEST(ManyRuns, NameTheRunThatIsWrong) {
  const ManyRuns many = play_many(1, 1000, 2, "seeds",
                                  [](std::uint64_t number) { return RunReport{.wrong = number == 123 ? "lost" : ""}; });
  EXPECT_EQ(many.wrong, "lost");
  EXPECT_EQ(many.wrong_number, 123u);
  EXPECT_LT(many.runs, 1000u);
}

TEST(ManyRuns, NameTheRunThatCrashes) {
  const ManyRuns many = play_many(1, 1000, 2, "seeds", [](std::uint64_t number) {
    if (number == 123) ::_exit(1);
    return RunReport{};
  });
  EXPECT_EQ(many.wrong_number, 123u);
  EXPECT_NE(many.wrong, "");
}

}  // namespace
}  // namespace write_aside::simulation
