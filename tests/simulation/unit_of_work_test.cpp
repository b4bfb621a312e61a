// C1 to C6, strict_order, run, flush, ordering keys, closing: what one
// coordinator does for the units of its process.
#include "simulation/stage.hpp"

namespace write_aside::simulation {
namespace {

using namespace std::chrono_literals;
using Kind = Fault::Kind;
using State = Outcome::State;

class UnitOfWorkTest : public Stage {};

class TwoLanes : public Stage {
 protected:
  TwoLanes() : Stage(2) {}
};

TEST_F(UnitOfWorkTest, C1_RefusesABadEventBeforeABatchSeesIt) {
  Actor a(world, "a");
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      const std::size_t produced = a.count("producer.produce");
      auto unit = coordinator.begin().value();
      ASSERT_TRUE(pair.write_row(unit, 1));
      const auto refusal = [&](Event event) {
        const auto published = unit.publish(std::move(event));
        return published ? ErrorCode::unknown : published.error().code;
      };
      Event headers = event(1);
      headers.headers = {{"h", "1"}, {"h", "2"}};
      Event reserved = event(1);
      reserved.headers = {{"ce_id", "1"}};
      Event large = event(1);
      large.value = std::string(2u << 20, 'x');
      Event nowhere = event(1);
      nowhere.topic = "nowhere";
      Event untyped = event(1);
      untyped.type.clear();
      EXPECT_EQ(refusal(headers), ErrorCode::invalid_argument);
      EXPECT_EQ(refusal(reserved), ErrorCode::invalid_argument);
      EXPECT_EQ(refusal(large), ErrorCode::event_too_large);
      EXPECT_EQ(refusal(nowhere), ErrorCode::unknown_topic);
      EXPECT_EQ(refusal(untyped), ErrorCode::invalid_argument);
      EXPECT_EQ(a.count("producer.produce"), produced);
      Event good = event(1);
      good.headers = {{"a", "1"}, {"b", "2"}};
      ASSERT_TRUE(unit.publish(good));
      EXPECT_EQ(unit.commit(Wait::visible).state(), State::committed) << "the unit itself is unharmed";
    });
  });
  EXPECT_EQ(pair.events(), std::vector{1});
}

TEST_F(UnitOfWorkTest, C1_AProductionThatTheStreamRefusesHarmsNobodyElse) {
  Actor a(world, "a");
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      const std::size_t instances = a.count("stream.transactional_producer");
      a.plan("producer.produce",
             {.kind = Kind::fail, .error = {.code = ErrorCode::storage_full, .effect = Effect::no}});
      EXPECT_EQ(attempt(coordinator, 1).state(), State::aborted);
      EXPECT_EQ(attempt(coordinator, 2, Wait::visible).state(), State::committed);
      EXPECT_EQ(a.count("stream.transactional_producer"), instances) << "the producer instance is as good as before";
    });
  });
  EXPECT_EQ(pair.events(), std::vector{2});
}

TEST_F(UnitOfWorkTest, B4_AProductionThatFailedLeavesNobodyBehind) {
  Actor a(world, "a");
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      a.plan("producer.produce", refused_call);
      EXPECT_EQ(attempt(coordinator, 1).state(), State::aborted);
      const auto begun = world.now();
      EXPECT_EQ(attempt(coordinator, 2, Wait::visible).state(), State::committed);
      EXPECT_LT(world.now() - begun, 1s);
    });
  });
  EXPECT_EQ(pair.events(), std::vector{2});
}

TEST_F(UnitOfWorkTest, C4_WithoutItsAcknowledgementAUnitAborts) {
  Actor a(world, "a");
  options.publish_timeout = 300ms;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      a.plan("producer.delivered", {.kind = Kind::lose_reply});
      const auto begun = world.now();
      const Outcome outcome = attempt(coordinator, 1);
      EXPECT_EQ(outcome.state(), State::aborted);
      EXPECT_EQ(outcome.error()->code, ErrorCode::timeout);
      EXPECT_LT(world.now() - begun, 500ms) << "the wait is bounded, and is one";
      EXPECT_FALSE(has_row(1));
      EXPECT_EQ(attempt(coordinator, 2, Wait::visible).state(), State::committed);
      EXPECT_LT(world.now() - begun, 5s) << "B3: the batch is broken at once, not when it has grown old";
    });
  });
}

TEST_F(UnitOfWorkTest, C5_SendsNoCommitWithoutTheJournalRow) {
  for (const char* step : {"session.send_journal", "session.receive_journal"}) {
    Actor a(world, "a");
    play([&] {
      run(a, [&](Coordinator& coordinator) {
        a.plan(step, refused_call);
        EXPECT_EQ(attempt(coordinator, 1).state(), State::aborted);
        EXPECT_FALSE(has_row(1));
        EXPECT_EQ(a.count("session.commit"), 0u);
      });
    });
  }
}

TEST_F(UnitOfWorkTest, C5_AProvenRollbackIsAborted) {
  Actor a(world, "a");
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      a.plan("session.commit", refused_call);
      EXPECT_EQ(attempt(coordinator, 1).state(), State::aborted);
      EXPECT_FALSE(has_row(1));
      const auto begun = world.now();
      EXPECT_TRUE(attempt(coordinator, 2, Wait::visible).is_committed());
      EXPECT_LT(world.now() - begun, 1s) << "nobody waits for the one that is gone";
    });
  });
}

TEST_F(UnitOfWorkTest, C5_ALostReplyToACommitThatLandedIsFoundCommitted) {
  Actor a(world, "a");
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      a.plan("session.commit", {.kind = Kind::lose_reply});
      const auto begun = world.now();
      const Outcome outcome = attempt(coordinator, 1);
      EXPECT_EQ(outcome.state(), State::committed);
      EXPECT_TRUE(outcome.unit());
      EXPECT_LT(world.now() - begun, options.doubt_timeout / 2) << "it is told when the tombstone tells";
    });
  });
  EXPECT_EQ(pair.events(), std::vector{1});
}

TEST_F(UnitOfWorkTest, C5_ALostReplyToACommitThatCannotLandAnyMoreIsFoundAborted) {
  Actor a(world, "a");
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      a.plan("session.commit", {.kind = Kind::lose_reply, .delay = 3s});
      const Outcome outcome = attempt(coordinator, 1);
      EXPECT_EQ(outcome.state(), State::aborted);
      EXPECT_EQ(outcome.error()->effect, Effect::no);
      EXPECT_TRUE(outcome.error()->retriable);
      world.sleep(5s);
      EXPECT_FALSE(has_row(1)) << "D2: its session was ended at the server";
    });
  });
}

TEST_F(UnitOfWorkTest, RunTriesAgainWhatWasInDoubtAndIsProvenAborted) {
  Actor a(world, "a");
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      a.plan("session.commit", {.kind = Kind::lose_reply, .delay = 3s});
      const auto work = [&](UnitOfWork& unit) -> Result<void> {
        if (auto written = pair.write_row(unit, 1); !written) return written;
        return unit.publish(event(1));
      };
      EXPECT_TRUE(coordinator.run(work).is_committed());
    });
  });
  EXPECT_EQ(pair.events(), std::vector{1});
}

TEST_F(UnitOfWorkTest, C5_ACallerMayLeaveInDoubtAndAskLater) {
  Actor a(world, "a");
  options.doubt_timeout = 300ms;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      a.plan("session.commit", {.kind = Kind::lose_reply});
      for (int i = 0; i < 8; ++i) a.plan("database.end_session", refused_call);
      const Outcome outcome = attempt(coordinator, 1);
      ASSERT_EQ(outcome.state(), State::in_doubt);
      ASSERT_TRUE(outcome.unit());
      EXPECT_EQ(coordinator.resolve(*outcome.unit()).state(), State::committed);
      ASSERT_TRUE(coordinator.flush(10s));
      EXPECT_EQ(events_of(1), 1);
      EXPECT_EQ(coordinator.resolve(*outcome.unit()).state(), State::committed) << "D4: its row is kept";
    });
  });
}

TEST_F(UnitOfWorkTest, D2_WhoAsksInVainIsToldThatItIsStillInDoubt) {
  Actor a(world, "a");
  options.doubt_timeout = 100ms;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      const Outcome outcome = attempt(coordinator, 1);
      ASSERT_EQ(outcome.state(), State::committed);
      for (int i = 0; i < 50; ++i) a.plan("own.insert_tombstone", {.kind = Kind::lose_reply});
      EXPECT_EQ(coordinator.resolve(*outcome.unit()).state(), State::in_doubt);
    });
  });
}

TEST_F(UnitOfWorkTest, C5_ATransactionThatTheCallerEndedIsInDoubt) {
  judged = false;  // the caller has committed a row without its event
  Actor a(world, "a");
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      auto unit = coordinator.begin().value();
      ASSERT_TRUE(pair.write_row(unit, 1));
      ASSERT_TRUE(unit.publish(event(1)));
      ASSERT_TRUE(unit.execute("commit", {}));
      EXPECT_EQ(unit.commit().state(), State::in_doubt);
    });
  });
  EXPECT_TRUE(pair.events().empty());
}

TEST_F(UnitOfWorkTest, C5_RowsWithoutEventsAreInDoubtWithoutAReply) {
  Actor a(world, "a");
  judged = false;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      a.plan("session.commit", {.kind = Kind::lose_reply});
      auto unit = coordinator.begin().value();
      ASSERT_TRUE(pair.write_row(unit, 1));
      EXPECT_EQ(unit.commit().state(), State::in_doubt);
    });
  });
}

TEST_F(UnitOfWorkTest, C6_WaitsUntilTheEventsCanBeRead) {
  Actor a(world, "a");
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      a.plan("producer.end", {.kind = Kind::delay, .delay = 400ms});
      EXPECT_EQ(attempt(coordinator, 1, Wait::visible).state(), State::committed);
      EXPECT_EQ(events_of(1), 1);
    });
  });
}

TEST_F(UnitOfWorkTest, C6_SaysSoWhenTheEventsAreNotVisibleInTime) {
  Actor a(world, "a");
  options.visible_timeout = 1s;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      a.plan("producer.end", {.kind = Kind::delay, .delay = 3s});
      const Outcome outcome = attempt(coordinator, 1, Wait::visible);
      EXPECT_EQ(outcome.state(), State::committed);
      ASSERT_TRUE(outcome.error());
      EXPECT_EQ(outcome.error()->code, ErrorCode::timeout);
    });
  });
}

TEST_F(UnitOfWorkTest, C6_FlushWaitsForWhatIsDecided) {
  Actor a(world, "a");
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      a.plan("producer.end", {.kind = Kind::delay, .delay = 400ms});
      EXPECT_EQ(attempt(coordinator, 1).state(), State::committed);
      const auto early = coordinator.flush(100ms);
      ASSERT_FALSE(early);
      EXPECT_EQ(early.error().code, ErrorCode::timeout);
      EXPECT_TRUE(coordinator.flush(5s));
      EXPECT_EQ(events_of(1), 1);
    });
  });
}

TEST_F(UnitOfWorkTest, RunTriesAgainOnlyWhatIsWorthIt) {
  Actor a(world, "a");
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      const auto attempts = [&](bool retriable) {
        int count = 0;
        const Outcome outcome = coordinator.run([&](UnitOfWork& unit) -> Result<void> {
          EXPECT_TRUE(pair.write_row(unit, 1));
          if (++count == 3) return {};
          return failure(Error{.effect = Effect::no, .retriable = retriable});
        });
        EXPECT_EQ(outcome.is_committed(), retriable);
        return count;
      };
      EXPECT_EQ(attempts(false), 1);
      EXPECT_FALSE(has_row(1)) << "work that failed is rolled back";
      EXPECT_EQ(attempts(true), 3);
    });
    judged = false;  // rows without events
  });
}

TEST_F(UnitOfWorkTest, RunWaitsForALaneWhoseStreamIsAwayForAWhile) {
  Actor a(world, "a");
  options.join_timeout = 50ms;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      // The driver would not send the end again; that says nothing about a unit that has not joined yet.
      const Fault away{.kind = Kind::fail, .error = {.code = ErrorCode::unreachable, .message = "away"}};
      a.plan("producer.end", away);
      for (int count = 0; count < 12; ++count) a.plan("producer.initialise", away);
      EXPECT_EQ(attempt(coordinator, 1).state(), State::committed);
      world.sleep(50ms);
      const std::size_t sessions = a.count("database.session");
      EXPECT_FALSE(coordinator.begin());
      EXPECT_EQ(a.count("database.session"), sessions) << "it could hold up whoever takes the lane";
      const Outcome early = attempt(coordinator, 2);
      EXPECT_EQ(early.state(), State::aborted);
      EXPECT_TRUE(early.error()->retriable) << early.error()->message;
      const auto work = [&](UnitOfWork& unit) -> Result<void> {
        if (auto written = pair.write_row(unit, 3); !written) return written;
        return unit.publish(event(3));
      };
      EXPECT_TRUE(coordinator.run(work).is_committed());
    });
  });
}

TEST_F(UnitOfWorkTest, RunNeverTriesAgainWhatIsInDoubt) {
  Actor a(world, "a");
  options.doubt_timeout = 100ms;
  int count = 0;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      a.plan("session.commit", {.kind = Kind::lose_reply});
      Error retriable{.effect = Effect::no, .retriable = true};
      for (int i = 0; i < 8; ++i) a.plan("database.end_session", {.kind = Kind::fail, .error = retriable});
      const Outcome outcome = coordinator.run([&](UnitOfWork& unit) -> Result<void> {
        const int id = ++count;
        if (auto written = pair.write_row(unit, id); !written) return written;
        return unit.publish(event(id));
      });
      EXPECT_EQ(outcome.state(), State::in_doubt);
      EXPECT_EQ(count, 1);
    });
  });
}

TEST_F(UnitOfWorkTest, ClosingSettlesWhatIsDecidedAndGivesTheLaneBack) {
  Actor a(world, "a");
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      a.plan("producer.end", {.kind = Kind::delay, .delay = 400ms});
      EXPECT_EQ(attempt(coordinator, 1).state(), State::committed);
    });
    EXPECT_EQ(events_of(1), 1);
    EXPECT_EQ(lane_row().owner, "");
    EXPECT_TRUE(journal().empty());
  });
}

TEST_F(UnitOfWorkTest, StrictOrder_RefusesAUnitWhileALateOneIsUndelivered) {
  Actor a(world, "a");
  options.strict_order = true;
  options.sweep_interval = 1h;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      late_unit({0, 0, 1, 1}, 1);
      const Outcome outcome = attempt(coordinator, 2);
      EXPECT_EQ(outcome.state(), State::aborted);
      EXPECT_EQ(outcome.error()->code, ErrorCode::conflict);
      EXPECT_TRUE(outcome.error()->retriable);
      EXPECT_FALSE(has_row(2));
    });
  });
}

TEST_F(UnitOfWorkTest, StrictOrder_RunWaitsUntilTheLateUnitIsDelivered) {
  Actor a(world, "a");
  options.strict_order = true;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      late_unit({0, 0, 1, 1}, 1);
      scenario.commit_unit(coordinator, a.simulated, 2, Wait::visible);
    });
  });
  EXPECT_EQ(pair.events(), (std::vector{1, 2}));
}

// Found by the simulation: the INSERT came when the late unit was swept already, into a place behind this unit's.
TEST_F(UnitOfWorkTest, StrictOrder_NothingIsSweptBehindAUnitThatIsToFollowIt) {
  Actor a(world, "a");
  options.strict_order = true;
  options.sweep_interval = 100ms;
  options.batch_age_max = 5s;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      commit_two_at_a_slow_end(a, coordinator);
      late_unit({0, 0, 1, 1}, 3);
      a.plan("session.send_journal", {.kind = Kind::delay, .delay = 250ms});
      scenario.commit_unit(coordinator, a.simulated, 4, Wait::visible);
    });
  });
  EXPECT_EQ(pair.events(), (std::vector{1, 2, 3, 4}));
}

// Units that come all the time do not keep the sweep out.
TEST_F(UnitOfWorkTest, StrictOrder_UnitsWaitWhileALateOneIsToBeSwept) {
  Actor a(world, "a");
  options.strict_order = true;
  options.sweep_interval = 100ms;
  scenario.ordered = false;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      late_unit({0, 0, 1, 1}, 1);
      std::vector<std::unique_ptr<ports::Thread>> callers;
      for (int caller = 0; caller < 8; ++caller) {
        callers.push_back(a.simulated.start_thread("caller", [&, caller] {
          for (int id = 10 + 10 * caller; id < 20 + 10 * caller; ++id)
            scenario.commit_unit(coordinator, a.simulated, id);
        }));
      }
      world.sleep(500ms);
      EXPECT_EQ(events_of(1), 1);
      callers.clear();
    });
  });
  EXPECT_EQ(pair.events().front(), 1);
  EXPECT_EQ(pair.events().size(), 81u);
}

TEST_F(UnitOfWorkTest, StrictOrder_IsNotAskedForByDefault) {
  Actor a(world, "a");
  options.sweep_interval = 1h;
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      late_unit({0, 0, 1, 1}, 1);
      EXPECT_EQ(attempt(coordinator, 2).state(), State::committed);
    });
    scenario.ordered = false;
  });
}

TEST_F(TwoLanes, UnitsWithTheSameOrderingKeyTakeTheSameLane) {
  Actor a(world, "a");
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      std::set<LaneNumber> lanes;
      for (int id = 1; id <= 6; ++id) lanes.insert(attempt(coordinator, id, Wait::visible, "key").unit()->lane);
      EXPECT_EQ(lanes.size(), 1u);
    });
  });
}

TEST_F(TwoLanes, AUnitTakesTheLaneThatItNamesOrNone) {
  Actor a(world, "a");
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      world.sleep(5s);  // both lanes are taken
      const std::vector<LaneNumber> lanes = coordinator.lanes();
      ASSERT_EQ(lanes.size(), 2u);
      const auto attempt_on = [&](LaneNumber lane, int id) {
        auto unit = coordinator.begin({.lane = lane}).value();
        EXPECT_TRUE(pair.write_row(unit, id));
        EXPECT_TRUE(unit.publish(event(id)));
        return unit.commit(Wait::visible);
      };
      for (int id = 1; id <= 6; ++id) EXPECT_EQ(attempt_on(lanes[id % 2], id).unit()->lane, lanes[id % 2]);
      const Outcome elsewhere = attempt_on(lanes[0] + lanes[1] + 1, 7);
      ASSERT_EQ(elsewhere.state(), Outcome::State::aborted);
      EXPECT_EQ(elsewhere.error()->code, ErrorCode::lane_unavailable);
      EXPECT_TRUE(elsewhere.error()->retriable);
      EXPECT_FALSE(has_row(7));
    });
  });
}

TEST_F(TwoLanes, B1_LanesTakeTurns) {
  Actor a(world, "a");
  play([&] {
    run(a, [&](Coordinator& coordinator) {
      world.sleep(5s);  // both lanes are taken
      std::vector<LaneNumber> lanes;
      for (int id = 1; id <= 4; ++id) lanes.push_back(attempt(coordinator, id, Wait::visible).unit()->lane);
      EXPECT_NE(lanes[0], lanes[1]);
      EXPECT_EQ(lanes[0], lanes[2]);
      EXPECT_EQ(lanes[1], lanes[3]);
    });
  });
}

}  // namespace
}  // namespace write_aside::simulation
