// The arithmetic of `bench`: percentiles, medians, matching of events with commits, and what counts as durable.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "bench/environment.hpp"
#include "bench/report.hpp"
#include "bench/watcher.hpp"

namespace write_aside::cli::bench {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(BenchPercentiles, AreTheNearestRank) {
  std::vector<double> values(200);
  std::iota(values.begin(), values.end(), 1);

  const Percentiles found = percentiles(values);

  EXPECT_EQ(found.p50, 100);
  EXPECT_EQ(found.p99, 198);
}

TEST(BenchPercentiles, OfOneValueAreThatValue) {
  EXPECT_EQ(percentiles({7}).p50, 7);
  EXPECT_EQ(percentiles({7}).p99, 7);
}

TEST(BenchMedian, IsAValueThatWasMeasured) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2);
}

TEST(BenchMedian, TakesEachFigureOfAPointByItself) {
  std::vector<Sample> rounds(3);
  for (std::uint32_t i = 0; i < 3; ++i) rounds[i].commits_per_second = 10.0 * (i + 1);
  rounds[0].unit_ms.p99 = 9;
  rounds[1].unit_ms.p99 = 1;
  rounds[2].unit_ms.p99 = 5;
  rounds[2].aborted = 4;

  const Sample point = median_of(rounds);

  EXPECT_EQ(point.commits_per_second, 20);
  EXPECT_EQ(point.unit_ms.p99, 5);
  EXPECT_EQ(point.aborted, 4U);
}

TEST(BenchEventId, ComesBackFromTheTextThatItWasMadeInto) {
  const auto name = parse_event_id(event_id("a1.2", {3, 45}), "a1.2");

  ASSERT_TRUE(name);
  EXPECT_EQ(name->worker, 3U);
  EXPECT_EQ(name->count, 45U);
}

TEST(BenchEventId, OfAnotherWindowIsNone) {
  EXPECT_FALSE(parse_event_id("a1.22-3-45", "a1.2"));
  EXPECT_FALSE(parse_event_id("a1.2-3", "a1.2"));
  EXPECT_FALSE(parse_event_id("a1.2-3-45x", "a1.2"));
  EXPECT_FALSE(parse_event_id("", "a1.2"));
}

// Worker 0 committed the units 0 and 2, at 10 ms and 20 ms.
Window two_commits() {
  Window window;
  window.committed = {{{}, {}}};
  window.committed[0][0].returned = window.steady_begun + 10ms;
  window.committed[0][1].returned = window.steady_begun + 20ms;
  window.ids = {{0, 2}};
  return window;
}

TEST(BenchVisibility, IsTheTimeFromTheReturnOfACommitToTheFirstSighting) {
  const Window window = two_commits();
  const auto begun = window.steady_begun;

  const Visibility found =
      match_sightings(window, {{{0, 0}, begun + 15ms}, {{0, 2}, begun + 18ms}, {{0, 0}, begun + 40ms}}, begun + 1s);

  EXPECT_THAT(found.after_ms, testing::ElementsAre(5, 0));
  EXPECT_EQ(found.unseen, 0U);
  EXPECT_NEAR(found.delivered_per_second, 2 / 0.018, 0.01);
}

TEST(BenchVisibility, CountsWhatWasNotSeenWithTheWaitSoFar) {
  const Window window = two_commits();
  const auto begun = window.steady_begun;

  const Visibility found = match_sightings(window, {{{0, 0}, begun + 15ms}, {{0, 1}, begun + 16ms}}, begun + 1020ms);

  EXPECT_THAT(found.after_ms, testing::ElementsAre(5, 1000));
  EXPECT_EQ(found.unseen, 1U);
}

TEST(BenchDurability, NamesTheSettingsThatMayLoseACommit) {
  EXPECT_EQ(unsafe_of_postgresql({{"fsync", "on"}, {"full_page_writes", "on"}, {"synchronous_commit", "on"}}), "");
  EXPECT_EQ(unsafe_of_postgresql({{"fsync", "on"}, {"synchronous_commit", "remote_apply"}}), "");
  EXPECT_EQ(unsafe_of_postgresql({{"fsync", "off"}, {"synchronous_commit", "local"}}),
            "fsync=off, synchronous_commit=local");
}

TEST(BenchReport, LabelsFiguresOfAStoreThatMayLoseCommits) {
  Environment environment;
  environment.unsafe = "fsync=off";

  EXPECT_THAT(to_table(environment, {}, {}), HasSubstr("NOT DURABLE"));
  EXPECT_THAT(to_json(environment, {}, {}), HasSubstr(R"("unsafe":"fsync=off")"));
}

TEST(BenchReport, ShowsEachRateBesideThatOfRowsOnly) {
  std::vector<Sample> samples(2);
  samples[0].threads = samples[1].threads = 8;
  samples[0].commits_per_second = 1'000;
  samples[1].variant = Variant::exactly_once;
  samples[1].commits_per_second = 650;

  EXPECT_THAT(to_table({}, {}, samples), HasSubstr("0.65"));
}

}  // namespace
}  // namespace write_aside::cli::bench
