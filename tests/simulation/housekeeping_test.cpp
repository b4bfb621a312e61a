// How often the housekeeping does what, and what a coordinator says of its lanes.
#include "simulation/stage.hpp"

namespace write_aside::simulation {
namespace {

using namespace std::chrono_literals;

class Housekeeping : public Stage {
 protected:
  Actor a{world, "a"};
};

// The stream asks for a rest after each end.
class RestingLane : public Stage {
 protected:
  RestingLane() : Stage(1, {.marker_delay_max = 20ms}) {}
  Actor a{world, "a"};
};

TEST_F(Housekeeping, W_SweepsOncePerInterval) {
  options.sweep_interval = 10s;  // the heart beats more often
  play([&] {
    run(a, [&](Coordinator&) {
      const std::size_t before = a.count("database.has_undelivered_below");
      world.sleep(60s);
      const auto sweeps = static_cast<std::int64_t>(a.count("database.has_undelivered_below") - before);
      const auto due = 60s / options.sweep_interval;
      EXPECT_GE(sweeps, due - 1);
      EXPECT_LE(sweeps, due + 1);
    });
  });
}

TEST_F(Housekeeping, W_ASweepThatFailedIsDoneAgain) {
  judged = false;  // the late units are of no process
  play([&] {
    run(a, [&](Coordinator&) {
      int id = 0;
      for (const char* step : {"database.has_undelivered_below", "database.own_transaction", "own.lock_lane",
                               "own.undelivered_below", "own.adopt", "own.commit"}) {
        ++id;
        late_unit({0, 0, static_cast<std::uint64_t>(id), 1}, id);
        for (int times = 0; times < 3; ++times) a.plan(step, {.kind = Fault::Kind::fail});
        world.sleep(10s);
        EXPECT_EQ(events_of(id), 1) << step;
      }
    });
  });
}

TEST_F(Housekeeping, W_AnAdoptionThatIsNotAnsweredIsFoundOut) {
  judged = false;  // the late unit is of no process
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      late_unit({0, 0, 1, 1}, 1);
      const std::size_t commits = a.count("own.commit");
      a.plan("own.adopt", {.kind = Fault::Kind::delay, .delay = 1ms});
      while (a.count("own.adopt") == 0) world.sleep(1ms);
      a.plan("own.commit", {.kind = Fault::Kind::lose_reply});
      world.sleep(10s);
      EXPECT_GT(a.count("own.commit"), commits);
      EXPECT_EQ(events_of(1), 1);
      const auto begun = world.now();
      EXPECT_TRUE(attempt(coordinator, 2, Wait::visible).is_committed());
      EXPECT_LT(world.now() - begun, 1s) << "the batch takes members again";
    });
  });
}

TEST_F(Housekeeping, W_ALateUnitThatCannotBeReadHaltsTheLane) {
  judged = false;
  play([&] {
    run(a, [&](Coordinator&) {
      const auto session = pair.pair.database(world.outside())->session(world.now()).value();
      ASSERT_TRUE(session->begin(world.now()));
      session->send_journal({.key = {0, 0, 1, 1}, .payload = "no payload"});
      ASSERT_TRUE(session->receive_journal());
      ASSERT_EQ(session->commit(world.now()).state, ports::CommitReply::State::committed);
      world.sleep(5s);
      EXPECT_NE(lane_row().halted, "");
    });
  });
}

TEST_F(Housekeeping, J_AJournalThatSomebodyElseClearedHaltsTheLane) {
  judged = false;
  options.janitor_interval = 5s;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      EXPECT_TRUE(attempt(coordinator, 1, Wait::visible).is_committed());
      const auto transaction = pair.pair.database(world.outside())->own_transaction(world.now() + 1s).value();
      ASSERT_TRUE(transaction->lock_lane(0));
      ASSERT_EQ(transaction->delete_settled(0, {lane_row().epoch, 1'000}).value(), 1u);
      ASSERT_EQ(transaction->commit().state, ports::CommitReply::State::committed);
      world.sleep(10s);
      EXPECT_NE(lane_row().halted, "");
      const Outcome outcome = attempt(coordinator, 2);
      EXPECT_EQ(outcome.state(), Outcome::State::aborted);
      EXPECT_EQ(outcome.error()->code, ErrorCode::halted) << outcome.error()->message;
    });
  });
}

TEST_F(Housekeeping, D4_PurgesOnceAMinute) {
  play([&] {
    run(a, [&](Coordinator&) {
      world.sleep(150s);
      EXPECT_EQ(a.count("own.purge"), 3U) << "the first one soon";
    });
  });
}

TEST_F(Housekeeping, J_BeatsTheHeartThreeTimesPerLease) {
  play([&] {
    run(a, [&](Coordinator&) {
      const std::size_t before = a.count("own.write_lane");
      world.sleep(options.lease * 10);
      const std::size_t beats = a.count("own.write_lane") - before;
      EXPECT_GE(beats, 25U);
      EXPECT_LE(beats, 40U);
    });
  });
}

TEST_F(RestingLane, B1_UnitsThatWaitJoinWhenTheRestIsOver) {
  options.join_timeout = 1s;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      for (int id = 1; id < 20; ++id) {
        const auto begun = world.now();
        EXPECT_EQ(attempt(coordinator, id, Wait::visible).state(), Outcome::State::committed);
        EXPECT_LT(world.now() - begun, 100ms) << "nobody else tells it that there is a place";
      }
    });
  });
}

TEST_F(Housekeeping, NamesTheLanesThatItHoldsAndNoOther) {
  options.lanes_max = 2;  // there is one
  play([&] { run(a, [](Coordinator& coordinator) { EXPECT_EQ(coordinator.lanes(), std::vector<LaneNumber>{0}); }); });
}

}  // namespace
}  // namespace write_aside::simulation
