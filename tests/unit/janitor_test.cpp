// J and D4's purge; heartbeat, release and halt: each is one transaction that checks that the lane is mine.
#include "coordination/janitor.hpp"

#include "unit/database_fixture.hpp"

namespace write_aside::coordination {
namespace {

using namespace std::chrono_literals;
using Kind = support::Fault::Kind;
using Cleared = Clearance::State;

class Janitor : public DatabaseFixture {
 protected:
  Janitor() { owned(3, "me"); }
  Clearance clear(const std::optional<JanitorWork>& work, const std::optional<JanitorWork>& earlier = {}) {
    return clear_settled(*database, mine, work, earlier, deadline).value();
  }
  static JanitorWork work(BatchId settled, std::uint64_t to_delete, std::uint64_t adopted = 0,
                          std::vector<UnitId> ever_in_doubt = {}) {
    return {.settled = settled,
            .ledger_offset = 44,
            .to_delete = to_delete,
            .ever_in_doubt = std::move(ever_in_doubt),
            .adopted = adopted};
  }
  // A row that T4 or the sweep has labelled as `label`.
  void adopted(const UnitId& key, BatchId label) {
    journal(key);
    const auto transaction = plain->own_transaction(deadline).value();
    ASSERT_TRUE(transaction->adopt(key, label).value());
    ASSERT_EQ(transaction->commit().state, ports::CommitReply::State::committed);
  }
  const Ownership mine{0, 3, "me"};
};

TEST_F(Janitor, J_DeletesTheRowsOfSettledBatchesAndWritesWhatIsSettled) {
  for (const std::uint64_t n : {1u, 2u, 3u}) journal({0, 3, n, 1});
  EXPECT_EQ(clear(work({3, 2}, 2)).state, Cleared::done);
  ASSERT_EQ(rows().size(), 1u);
  EXPECT_EQ(rows().front().key, (UnitId{0, 3, 3, 1}));
  EXPECT_EQ(lane_row().settled, (BatchId{3, 2}));
  EXPECT_EQ(lane_row().ledger_offset, 44) << "of S, never higher";
}

TEST_F(Janitor, J_LeavesTheRowsOfAnotherEpoch) {
  journal({0, 2, 1, 1});
  journal({0, 3, 1, 1});
  EXPECT_EQ(clear(work({3, 1}, 1)).state, Cleared::done);
  ASSERT_TRUE(row({0, 2, 1, 1}));
  EXPECT_FALSE(row({0, 2, 1, 1})->delivered);
}

TEST_F(Janitor, J_KeepsAdoptedRowsAsDelivered) {
  adopted({0, 2, 9, 1}, {3, 1});
  journal({0, 3, 1, 1});
  EXPECT_EQ(clear(work({3, 1}, 1, 1)).state, Cleared::done);
  ASSERT_TRUE(row({0, 2, 9, 1}));
  EXPECT_TRUE(row({0, 2, 9, 1})->delivered);
}

TEST_F(Janitor, D4_KeepsARowThatWasEverInDoubtAsDelivered) {
  journal({0, 3, 1, 1});
  journal({0, 3, 1, 2});
  EXPECT_EQ(clear(work({3, 1}, 1, 0, {{0, 3, 1, 2}})).state, Cleared::done);
  EXPECT_FALSE(row({0, 3, 1, 1}));
  ASSERT_TRUE(row({0, 3, 1, 2}));
  EXPECT_TRUE(row({0, 3, 1, 2})->delivered);
}

// Each kind of row is counted for itself: one too many of one kind does not make up for one too few of another.
TEST_F(Janitor, J_SaysDamagedWhenTheNumberOfRowsIsNotTheNumberSettled) {
  journal({0, 3, 1, 1});
  adopted({0, 2, 9, 1}, {3, 1});
  const std::vector<UnitId> doubtful{{0, 3, 1, 2}};
  for (const JanitorWork& wrong : {
           work({3, 1}, 2, 1),
           work({3, 1}, 0, 1),
           work({3, 1}, 1, 0),
           work({3, 1}, 1, 2),
           work({3, 1}, 1, 1, doubtful),
           work({3, 1}, 2, 0),
       }) {
    const Clearance clearance = clear(wrong);
    EXPECT_EQ(clearance.state, Cleared::damaged);
    EXPECT_NE(clearance.reason, "");
    EXPECT_EQ(rows().size(), 2u) << "nothing is changed";
    EXPECT_FALSE(lane_row().settled);
  }
}

TEST_F(Janitor, J_ReportsACallThatFailedAndChangesNothing) {
  journal({0, 3, 1, 1});
  journal({0, 3, 1, 2});
  adopted({0, 2, 9, 1}, {3, 1});
  const JanitorWork all = work({3, 1}, 1, 1, {{0, 3, 1, 2}});
  for (const char* step : {"database.own_transaction", "own.lock_lane", "own.deliver", "own.delete_settled",
                           "own.deliver_covered", "own.write_lane", "own.commit"}) {
    fault(step, Kind::fail);
    EXPECT_FALSE(clear_settled(*database, mine, all, {}, deadline)) << step;
    EXPECT_EQ(rows().size(), 3u) << step;
    EXPECT_FALSE(row({0, 3, 1, 2})->delivered) << step;
    EXPECT_FALSE(lane_row().settled) << step;
  }
  EXPECT_EQ(clear(all).state, Cleared::done);
}

TEST_F(Janitor, J_ReleaseHaltAndPurgeReportACallThatFailed) {
  for (const char* step : {"database.own_transaction", "own.lock_lane", "own.write_lane", "own.commit"}) {
    fault(step, Kind::fail);
    EXPECT_FALSE(release_lane(*database, mine, deadline)) << step;
    fault(step, Kind::fail);
    EXPECT_FALSE(halt_lane(*database, mine, "why", deadline)) << step;
    fault(step, Kind::fail);
    EXPECT_FALSE(purge_lane(*database, mine, 1h, deadline)) << step;
  }
  fault("own.purge", Kind::fail);
  EXPECT_FALSE(purge_lane(*database, mine, 1h, deadline));
  EXPECT_TRUE(mine.holds(lane_row()));
  EXPECT_EQ(lane_row().halted, "");
}

TEST_F(Janitor, J_TouchesNothingOfALaneThatIsNotMine) {
  journal({0, 3, 1, 1});
  for (const auto& [epoch, owner] : {std::pair(4u, "me"), std::pair(3u, "other")}) {
    owned(epoch, owner);
    state->pass_time(1min);
    EXPECT_EQ(clear(work({3, 1}, 1)).state, Cleared::lost);
    EXPECT_EQ(clear({}).state, Cleared::lost) << "the heartbeat";
    EXPECT_TRUE(row({0, 3, 1, 1}));
    EXPECT_GE(lane_row().heartbeat_age, 1min) << "a fenced owner does not keep the lane alive";
  }
}

TEST_F(Janitor, J_BeatsTheHeartWithAndWithoutWork) {
  state->pass_time(1min);
  EXPECT_EQ(clear({}).state, Cleared::done);
  EXPECT_LT(lane_row().heartbeat_age, 1s);
  journal({0, 3, 1, 1});
  state->pass_time(1min);
  EXPECT_EQ(clear(work({3, 1}, 1)).state, Cleared::done);
  EXPECT_LT(lane_row().heartbeat_age, 1s);
}

TEST_F(Janitor, J_WithoutAReplyItAsksTheLaneRowWhatLanded) {
  journal({0, 3, 1, 1});
  const JanitorWork unanswered = work({3, 1}, 1);
  fault("own.commit", Kind::lose_reply);
  EXPECT_EQ(clear(unanswered).state, Cleared::in_doubt);
  EXPECT_FALSE(row({0, 3, 1, 1})) << "it had landed";
  const Clearance again = clear(unanswered, unanswered);
  EXPECT_EQ(again.state, Cleared::done);
  EXPECT_TRUE(again.earlier_had_landed);
}

TEST_F(Janitor, J_WithoutAReplyItIsDoneAgainIfItHasNotLanded) {
  journal({0, 3, 1, 1});
  ports::LaneRow lane = lane_row();
  lane.settled = {3, 0};
  write(lane);
  const JanitorWork unanswered = work({3, 1}, 1);
  const Clearance again = clear(unanswered, unanswered);
  EXPECT_EQ(again.state, Cleared::done);
  EXPECT_FALSE(again.earlier_had_landed);
  EXPECT_FALSE(row({0, 3, 1, 1}));
}

TEST_F(Janitor, J_ReleaseGivesTheLaneBack) {
  ASSERT_TRUE(release_lane(*database, mine, deadline));
  EXPECT_EQ(lane_row().owner, "");
  EXPECT_EQ(lane_row().owner_process, "");
  EXPECT_EQ(lane_row().epoch, 3u) << "the next owner goes on from there";
}

TEST_F(Janitor, J_ReleaseHaltAndPurgeLeaveALaneThatIsNotMine) {
  for (const auto& [epoch, owner] : {std::pair(4u, "me"), std::pair(3u, "other")}) {
    owned(epoch, owner);
    ASSERT_TRUE(release_lane(*database, mine, deadline));
    ASSERT_TRUE(halt_lane(*database, mine, "why", deadline));
    state->pass_time(1min);
    ASSERT_TRUE(purge_lane(*database, mine, 0s, deadline));
    EXPECT_EQ(lane_row().owner, owner);
    EXPECT_EQ(lane_row().halted, "");
    EXPECT_GE(lane_row().heartbeat_age, 1min);
  }
}

TEST_F(Janitor, T4_HaltIsWrittenIntoTheLaneRow) {
  ASSERT_TRUE(halt_lane(*database, mine, "why", deadline));
  EXPECT_EQ(lane_row().halted, "why");
}

TEST_F(Janitor, D4_PurgingMovesTheWatermarkInTheSameTransaction) {
  for (const std::uint64_t n : {1u, 2u}) {
    const auto transaction = plain->own_transaction(deadline).value();
    ASSERT_TRUE(transaction->insert_tombstone({0, 3, n, 1}).value());
    ASSERT_EQ(transaction->commit().state, ports::CommitReply::State::committed);
  }
  state->pass_time(2h);
  fault("own.commit", Kind::fail);
  EXPECT_FALSE(purge_lane(*database, mine, 1h, deadline));
  EXPECT_EQ(rows().size(), 2u);
  EXPECT_EQ(lane_row().purged, BatchId{});
  ASSERT_TRUE(purge_lane(*database, mine, 1h, deadline));
  EXPECT_TRUE(rows().empty());
  EXPECT_EQ(lane_row().purged, (BatchId{3, 2}));
}

TEST_F(Janitor, D4_TheWatermarkNeverFalls) {
  ports::LaneRow lane = lane_row();
  lane.purged = {3, 9};
  write(lane);
  journal({0, 3, 1, 1});
  const auto transaction = plain->own_transaction(deadline).value();
  ASSERT_EQ(transaction->deliver({0, 3, 1, 1}).value(), 1u);
  ASSERT_EQ(transaction->commit().state, ports::CommitReply::State::committed);
  state->pass_time(2h);
  ASSERT_TRUE(purge_lane(*database, mine, 1h, deadline));
  EXPECT_TRUE(rows().empty());
  EXPECT_EQ(lane_row().purged, (BatchId{3, 9}));
}

TEST_F(Janitor, D4_KeepsWhatTheRetentionProtects) {
  journal({0, 3, 1, 1});
  const auto transaction = plain->own_transaction(deadline).value();
  ASSERT_EQ(transaction->deliver({0, 3, 1, 1}).value(), 1u);
  ASSERT_EQ(transaction->commit().state, ports::CommitReply::State::committed);
  state->pass_time(59min);
  ASSERT_TRUE(purge_lane(*database, mine, 1h, deadline));
  EXPECT_EQ(rows().size(), 1u);
}

}  // namespace
}  // namespace write_aside::coordination
