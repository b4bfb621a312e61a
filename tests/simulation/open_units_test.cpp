// Units that their callers keep open, or forget: they have no place in any batch before they commit.
#include "simulation/stage.hpp"

namespace write_aside::simulation {
namespace {

using namespace std::chrono_literals;
using State = Outcome::State;

class OpenUnits : public Stage {
 protected:
  Actor a{world, "a"};
};

TEST_F(OpenUnits, AUnitThatStaysOpenForLongHoldsUpNobody) {
  options.lease = 300ms;
  options.batch_age_max = 30ms;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      auto forgotten = coordinator.begin().value();
      ASSERT_TRUE(pair.write_row(forgotten, 1));
      ASSERT_TRUE(forgotten.publish(event(1)));
      for (int id = 2; id <= 11; ++id) {
        const auto begun = world.now();
        EXPECT_EQ(attempt(coordinator, id, Wait::visible).state(), State::committed);
        EXPECT_LT(world.now() - begun, 100ms) << "it takes its place in a batch when it commits";
        world.sleep(options.lease);
      }
      EXPECT_EQ(lane_row().epoch, 1u) << "nobody else took the lane";
      EXPECT_EQ(forgotten.commit(Wait::visible).state(), State::committed);
    });
    scenario.ordered = false;
  });
}

TEST_F(OpenUnits, AUnitThatIsDestroyedInsteadOfCommittedLeavesNothing) {
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      {
        auto forgotten = coordinator.begin().value();
        ASSERT_TRUE(pair.write_row(forgotten, 1));
        ASSERT_TRUE(forgotten.publish(event(1)));
      }
      const auto begun = world.now();
      EXPECT_EQ(attempt(coordinator, 1, Wait::visible).state(), State::committed) << "the row is free";
      EXPECT_LT(world.now() - begun, 100ms);
    });
  });
  EXPECT_EQ(pair.events(), std::vector{1});
}

}  // namespace
}  // namespace write_aside::simulation
