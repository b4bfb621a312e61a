// T6: what others left on lanes that nobody takes, because those who are there hold as many as they may.
#include "simulation/stage.hpp"

namespace write_aside::simulation {
namespace {

using namespace std::chrono_literals;
using Kind = Fault::Kind;

constexpr std::uint32_t lane_count = 3;

class HeirTest : public Stage {
 protected:
  HeirTest() : Stage(lane_count) {
    options.lanes_max = 1;
    options.transaction_timeout = 8s;
  }

  // Dies at the COMMIT of this unit. Its stream transaction stays open. The thread is done when the dead have run out.
  [[nodiscard]] std::unique_ptr<ports::Thread> die_at_commit(Actor& actor, int id, Kind when = Kind::crash_after) {
    actor.plan("session.commit", {.kind = when});
    auto thread = start(actor, [this, id](Coordinator& coordinator) { (void)attempt(coordinator, id); });
    while (!actor.simulated.killed()) world.sleep(1ms);
    return thread;
  }
  // Units 1 and 2, on two lanes.
  [[nodiscard]] std::vector<std::unique_ptr<ports::Thread>> two_die_at_commit() {
    std::vector<std::unique_ptr<ports::Thread>> threads;
    second.plan("session.commit", {.kind = Kind::crash_after});
    threads.push_back(start(second, [this](Coordinator& coordinator) {
      while (!has_row(1)) world.sleep(1ms);
      (void)attempt(coordinator, 2);
    }));
    while (owned_lanes() < 2) world.sleep(1ms);
    threads.push_back(die_at_commit(first, 1));
    while (!second.simulated.killed()) world.sleep(1ms);
    return threads;
  }
  [[nodiscard]] std::size_t owned_lanes() {
    std::size_t count = 0;
    for (LaneNumber lane = 0; lane < lane_count; ++lane) count += lane_row(lane).owner.empty() ? 0 : 1;
    return count;
  }
  void sleep_until_next_look(const Actor& actor) {
    const std::size_t before = actor.count("database.lanes_in_use");
    while (actor.count("database.lanes_in_use") == before) world.sleep(1ms);
  }

  Actor survivor{world, "survivor"};
  Actor first{world, "first"};
  Actor second{world, "second"};
};

TEST_F(HeirTest, T6_SettlesTheLanesOfTheDeadAndReleasesThem) {
  scenario.ordered = false;  // three lanes
  play([&] {
    run(survivor, [&](Coordinator& coordinator) {
      const auto dead = two_die_at_commit();
      ASSERT_EQ(pair.pair.stream_state().open_transactions(), 2U);
      world.sleep(options.sweep_interval + 500ms);
      EXPECT_EQ(events_of(1), 1);
      EXPECT_EQ(events_of(2), 1);
      EXPECT_EQ(pair.pair.stream_state().open_transactions(), 0U);
      EXPECT_EQ(coordinator.lanes().size(), 1U);
      EXPECT_EQ(owned_lanes(), 1U);
      EXPECT_TRUE(attempt(coordinator, 3, Wait::visible).is_committed());
    });
  });
}

TEST_F(HeirTest, T6_EndsWhatADeadOwnerLeftOpenAlsoIfNothingIsUndelivered) {
  play([&] {
    run(survivor, [&](Coordinator&) {
      const auto thread = die_at_commit(first, 1, Kind::crash_before);
      ASSERT_EQ(pair.pair.stream_state().open_transactions(), 1U);
      world.sleep(options.sweep_interval + 500ms);
      EXPECT_EQ(pair.pair.stream_state().open_transactions(), 0U) << "readers stand behind it";
    });
  });
}

TEST_F(HeirTest, T6_SettlesForAnOwnerThatIsSilentUntilItsTransactionWouldHaveTimedOut) {
  play([&] {
    const auto thread = start(survivor, [&](Coordinator&) { world.sleep(30s); });
    const auto other = start(first, [&](Coordinator& coordinator) {
      first.plan("producer.end", {.kind = Kind::delay, .delay = 400ms});
      EXPECT_TRUE(attempt(coordinator, 1).is_committed());
      world.sleep(1s);
    });
    while (!has_row(1)) world.sleep(1ms);
    world.pause(first.simulated);
    world.sleep(options.transaction_timeout - 1s);
    EXPECT_EQ(owned_lanes(), 2U) << "it may be back";
    world.sleep(1s + 3 * options.sweep_interval);
    EXPECT_EQ(events_of(1), 1);
    EXPECT_EQ(owned_lanes(), 1U);
    world.resume(first.simulated);
  });
}

TEST_F(HeirTest, T6_OneLookDoesNotTellThatASilentOwnerIsGone) {
  play([&] {
    LaneNumber lane = 0;
    const auto thread = start(survivor, [&](Coordinator&) { world.sleep(20s); });
    const auto other = start(first, [&](Coordinator& coordinator) {
      lane = coordinator.lanes().at(0);
      world.sleep(20s);
    });
    while (owned_lanes() < 2) world.sleep(1ms);
    world.sleep(100ms);
    const ports::LaneRow row = lane_row(lane);
    world.pause(first.simulated);
    while (lane_row(lane).heartbeat_age <= options.transaction_timeout) world.sleep(1ms);
    sleep_until_next_look(survivor);
    world.resume(first.simulated);  // as after an outage of the database: its heart beats before the next look
    world.sleep(5s);
    EXPECT_EQ(lane_row(lane).owner, row.owner);
    EXPECT_EQ(lane_row(lane).epoch, row.epoch);
  });
}

TEST_F(HeirTest, T6_SettlesWhatWasReleasedUndelivered) {
  judged = false;  // the late unit is of no process
  play([&] {
    run(survivor, [&](Coordinator& coordinator) {
      const LaneNumber other = coordinator.lanes().at(0) == 0 ? 1 : 0;
      late_unit({other, 0, 1, 1}, 1);
      world.sleep(options.sweep_interval + 500ms);
      EXPECT_EQ(events_of(1), 1);
      EXPECT_EQ(lane_row(other).epoch, 1U);
      world.sleep(10s);
      EXPECT_EQ(lane_row(other).epoch, 1U) << "and leaves it alone then";
      late_unit({other, 0, 1, 2}, 2);
      world.sleep(options.sweep_interval + 500ms);
      EXPECT_EQ(events_of(2), 1) << "until there is something again";
    });
  });
}

TEST_F(HeirTest, T6_LooksOncePerInterval) {
  options.sweep_interval = 10s;  // the heart beats more often
  play([&] {
    run(survivor, [&](Coordinator&) {
      const std::size_t before = survivor.count("database.lanes_in_use");
      world.sleep(6 * options.sweep_interval);
      const std::size_t looks = survivor.count("database.lanes_in_use") - before;
      EXPECT_GE(looks, 5U);
      EXPECT_LE(looks, 7U);
    });
  });
}

TEST_F(HeirTest, T6_TriesAgainWhatDidNotWork) {
  play([&] {
    run(survivor, [&](Coordinator&) {
      for (const char* step : {"database.lanes_in_use", "producer.initialise", "producer.begin", "reader.poll"}) {
        survivor.plan(step, {.kind = Kind::fail});
      }
      const auto dead = die_at_commit(first, 1);
      world.sleep(3 * options.sweep_interval);
      EXPECT_EQ(events_of(1), 1);
      EXPECT_EQ(owned_lanes(), 1U);
    });
  });
}

TEST_F(HeirTest, T6_KeepsWhatItFindsWhileItHasTooFewLanes) {
  options.lanes_max = 2;
  play([&] {
    const auto thread = start(first, [&](Coordinator&) { world.sleep(2s); });
    const auto other = start(second, [&](Coordinator&) { world.sleep(4s); });
    while (owned_lanes() < lane_count) world.sleep(1ms);
    world.sleep(3s);  // whoever has one lane wants the two that are released now
    EXPECT_EQ(owned_lanes(), 2U);
  });
}

TEST_F(HeirTest, T6_SeveralThatLookDeliverOnce) {
  play([&] {
    const auto thread = start(second, [&](Coordinator&) { world.sleep(10s); });
    run(survivor, [&](Coordinator&) {
      const auto dead = die_at_commit(first, 1);
      world.sleep(5s);
      EXPECT_EQ(events_of(1), 1);
      EXPECT_EQ(owned_lanes(), 2U);
    });
  });
}

TEST_F(HeirTest, T6_EndsInTimeAndBeginsNothingNewWhenItsCoordinatorIsClosed) {
  options.close_timeout = 1s;
  scenario.ordered = false;  // three lanes
  play([&] {
    std::chrono::steady_clock::time_point closed;
    std::vector<std::unique_ptr<ports::Thread>> dead;
    run(survivor, [&](Coordinator& coordinator) {
      dead = two_die_at_commit();
      survivor.plan("producer.begin", {.kind = Kind::delay, .delay = 300ms});
      const std::size_t begun = survivor.count("producer.begin");
      while (survivor.count("producer.begin") == begun) world.sleep(1ms);
      // Its own batch takes longer to end than what is settled for the others.
      survivor.plan("producer.end", {.kind = Kind::delay, .delay = 800ms});
      EXPECT_TRUE(attempt(coordinator, 3).is_committed());
      closed = world.now();
    });
    EXPECT_LT(world.now() - closed, options.close_timeout + 100ms);
    EXPECT_EQ(lane_row(0).epoch + lane_row(1).epoch + lane_row(2).epoch, 4U) << "one of the two lanes was taken";
    EXPECT_EQ(owned_lanes(), 1U);
  });
}

}  // namespace
}  // namespace write_aside::simulation
