// Who waits for visibility, or for the end of a coordinator, is told as soon as there is something to tell.
#include "simulation/stage.hpp"

namespace write_aside::simulation {
namespace {

using namespace std::chrono_literals;
using Kind = Fault::Kind;

class Waiting : public Stage {
 protected:
  Actor a{world, "a"};
};

TEST_F(Waiting, B4_WhoWaitsIsToldWhenTheLedgerShowsThatTheBatchIsThere) {
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      a.plan("producer.end", {.kind = Kind::lose_reply});
      const auto begun = world.now();
      const Outcome outcome = attempt(coordinator, 1, Wait::visible);
      EXPECT_TRUE(outcome.is_committed());
      EXPECT_FALSE(outcome.error()) << outcome.error()->message;
      EXPECT_LT(world.now() - begun, 5s);
    });
  });
}

TEST_F(Waiting, B5_WhoWaitsIsToldWhenTheLaneIsLost) {
  options.batch_age_max = 5s;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      commit_two_at_a_slow_end(a, coordinator);
      a.plan("producer.end", {.kind = Kind::delay, .delay = 10s});
      auto waiting = a.simulated.start_thread("waiting", [&] {
        const auto begun = world.now();
        const Outcome outcome = attempt(coordinator, 3, Wait::visible);
        EXPECT_TRUE(outcome.is_committed());
        EXPECT_LT(world.now() - begun, 5s) << "not only when the stream has answered";
      });
      world.sleep(100ms);
      auto row = lane_row();
      const auto transaction = pair.pair.database(world.outside())->own_transaction(world.now() + 1s).value();
      ASSERT_TRUE(transaction->lock_lane(0));
      ++row.epoch;
      row.owner = row.owner_process = "";
      ASSERT_TRUE(transaction->write_lane(row, false));
      ASSERT_EQ(transaction->commit().state, ports::CommitReply::State::committed);
      waiting.reset();
      world.sleep(15s);
      EXPECT_TRUE(attempt(coordinator, 4).is_committed()) << "the lane is free for this process, too";
    });
  });
}

TEST_F(Waiting, B2_ClosingDeliversWhatIsDecided) {
  options.batch_age_max = 5s;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      commit_two_at_a_slow_end(a, coordinator);
      EXPECT_TRUE(attempt(coordinator, 3).is_committed());
      EXPECT_EQ(events_of(3), 0) << "its batch is held open";
    });
    EXPECT_EQ(events_of(3), 1);
  });
}

}  // namespace
}  // namespace write_aside::simulation
