// Every choice of one fault here; every pair of them in `simulate --explore`, which `make test` runs.
#include "simulation/exploration.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace write_aside::simulation {
namespace {

class ExplorationOfUnits : public testing::TestWithParam<int> {};

TEST_P(ExplorationOfUnits, NoChoiceOfOneFaultLeavesTheStoresInDisagreement) {
  Exploration exploration;
  explore(GetParam(), {}, 1, exploration);
  EXPECT_EQ(exploration.wrong, "");
  EXPECT_GT(exploration.runs, 500u);
}

INSTANTIATE_TEST_SUITE_P(OneToThree, ExplorationOfUnits, testing::Values(1, 2, 3));

TEST(Exploration, ChoosesTheSecondFaultAmongTheCallsThatFollowTheFirst) {
  const Choice killed{.process = 0, .step = 20, .way = 0};
  const auto choices = next_choices(play_choices(1, {killed}), {killed});
  EXPECT_FALSE(choices.empty());
  for (const Choice& choice : choices) EXPECT_EQ(choice.process, 1u) << "the first process is dead";
}

TEST(Exploration, LetsOnlyRequestsLandLateThatMayDoSo) {
  EXPECT_EQ(ways_to_fail("session.execute").size(), 6u);
  EXPECT_EQ(ways_to_fail("session.commit").size(), 8u);
}

TEST(Exploration, PlaysTheSameRunForTheSameChoices) {
  const std::vector<Choice> choices{{.process = 0, .step = 30, .way = 6}};
  EXPECT_EQ(play_choices(2, choices).steps, play_choices(2, choices).steps);
}

}  // namespace
}  // namespace write_aside::simulation
