// Replies that come when the lane that they are about is another owner's.
#include "simulation/stage.hpp"

namespace write_aside::simulation {
namespace {

using namespace std::chrono_literals;
using Kind = Fault::Kind;
using State = Outcome::State;

class HaltCounter final : public Observer {
 public:
  void notice(const Notice& notice) noexcept override {
    if (notice.kind == Notice::Kind::lane_halted) text += notice.text;
    if (notice.kind == Notice::Kind::lane_lost) ++lost;
  }
  std::string text;
  int lost = 0;
};

class LateReply : public Stage {
 protected:
  explicit LateReply(std::uint32_t lanes = 1) : Stage(lanes) { options.observer = &halts; }

  HaltCounter halts;
};

class LateReplyWithTwoLanes : public LateReply {
 protected:
  LateReplyWithTwoLanes() : LateReply(2) { options.lanes_max = 1; }
};

// Readers see what was written only after a while.
class LaggingReaders : public Stage {
 protected:
  LaggingReaders() : Stage(1, {.compacts = false, .reader_lag_max = 500ms}) {}
};

// Found by the simulation: what was read went on behind the fence, where the next owner's records were.
TEST_F(LateReply, B4_WhoReadsTheNextOwnersRecordsHasLostTheLaneAndHaltsNothing) {
  Actor first(world, "first");
  Actor next(world, "next");
  play([&] {
    const auto thread = start(first, [&](Coordinator& coordinator) {
      first.plan("producer.end", {.kind = Kind::lose_reply});
      // The first reading of the ledger is that of opening.
      first.plan("reader.poll", {.kind = Kind::delay, .delay = 10s});
      EXPECT_EQ(attempt(coordinator, 1).state(), State::committed);
      first.plan("own.lock_lane", {.kind = Kind::delay, .delay = 15s});  // no heartbeat meanwhile
      world.sleep(20s);
      EXPECT_EQ(coordinator.run([&](UnitOfWork& unit) -> Result<void> { return unit.publish(event(4)); }).state(),
                State::aborted)
          << "the other process owns the only lane";
    });
    world.sleep(1s);
    run(next, [&](Coordinator& coordinator) {
      EXPECT_EQ(attempt(coordinator, 2, Wait::visible).state(), State::committed);
      EXPECT_EQ(attempt(coordinator, 3, Wait::visible).state(), State::committed);
      world.sleep(70s);
    });
  });
  EXPECT_EQ(halts.text, "");
  EXPECT_EQ(halts.lost, 1);
}

// Found by the simulation: what the janitor had cleared of the old lane was taken off the counts of the new one.
TEST_F(LateReplyWithTwoLanes, J_WhatWasClearedOfALostLaneDoesNotCountForTheNext) {
  Actor first(world, "first");
  Actor next(world, "next");
  play([&] {
    const auto thread = start(first, [&](Coordinator& coordinator) {
      first.plan("own.commit", {.kind = Kind::late_reply, .delay = 8s});  // the janitor's; no heartbeat meanwhile
      EXPECT_EQ(attempt(coordinator, 1, Wait::visible).state(), State::committed);
      world.sleep(5s);
      EXPECT_EQ(attempt(coordinator, 2).state(), State::aborted) << "the lane is the other process's";
      EXPECT_EQ(attempt(coordinator, 3, Wait::visible).state(), State::committed);
      world.sleep(10s);
    });
    world.sleep(1s);
    options.lanes_max = 2;
    run(next, [&](Coordinator&) { world.sleep(5s); });  // and then it leaves both
  });
  EXPECT_EQ(halts.text, "");
  EXPECT_EQ(halts.lost, 1);
}

// Found by the simulation: what was seen to have landed was counted again when the next one was not answered either.
TEST_F(LateReply, J_WhatHadLandedIsCountedOnceAlsoIfTheNextOneIsNotAnsweredEither) {
  Actor owner(world, "owner");
  play([&] {
    run(owner, [&](Coordinator& coordinator) {
      owner.plan("own.commit", {.kind = Kind::lose_reply, .delay = 500ms});
      owner.plan("own.commit", {.kind = Kind::lose_reply});
      EXPECT_EQ(attempt(coordinator, 1, Wait::visible).state(), State::committed);
      world.sleep(1s);
      EXPECT_EQ(attempt(coordinator, 2, Wait::visible).state(), State::committed);
      world.sleep(3s);
    });
  });
  EXPECT_EQ(halts.text, "");
}

TEST_F(LaggingReaders, T3_EveryFenceOfAnOwnerIsReadUpTo) {
  Actor owner(world, "owner");
  play([&] {
    run(owner, [&](Coordinator& coordinator) {
      for (int id = 1; id <= 5; ++id) {
        owner.plan("producer.end", {.kind = Kind::lose_reply});
        owner.plan("producer.delivered", {.kind = Kind::delay, .delay = 10ms}, 1);  // the fence, behind the unit
        EXPECT_TRUE(attempt(coordinator, id, Wait::visible).is_committed());
        EXPECT_EQ(events_of(id), 1) << "the ledger says that it is there";
        world.sleep(1s);  // what is settled is seen at once, what comes next is not
      }
    });
  });
}

class NoDeliveries final : public ports::Deliveries {
 public:
  void delivered(std::uint64_t, Result<std::int64_t>) override {}
};

// Found by the simulation: the initialisation of a dead process's producer arrived late and fenced the lane's owner.
TEST_F(LateReply, AUnitThatMeetsAFencedProducerIsRunAgain) {
  Actor owner(world, "owner");
  play([&] {
    run(owner, [&](Coordinator& coordinator) {
      const std::string database_id = pair.database(world.outside())->schema().value().database_id;
      NoDeliveries nobody;
      const auto late = pair.stream(world.outside())
                            ->transactional_producer("write-aside." + database_id + ".0", 60s, nobody)
                            .value();
      ASSERT_TRUE(late->initialise(world.now() + 1s));
      scenario.commit_unit(coordinator, owner.simulated, 1);
      EXPECT_TRUE(has_row(1));
    });
  });
  EXPECT_EQ(pair.events(), std::vector{1});
}

}  // namespace
}  // namespace write_aside::simulation
