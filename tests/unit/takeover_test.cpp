// T1, T4, T5: the transactions that take a lane, one by one.
#include "coordination/takeover.hpp"

#include "unit/database_fixture.hpp"

namespace write_aside::coordination {
namespace {

using namespace std::chrono_literals;
using Kind = support::Fault::Kind;

class Takeover : public DatabaseFixture {
 protected:
  Result<std::optional<Ownership>> take() { return take_lane(context(me), 0, attempt, deadline); }
  // T4 with `last` as S.
  Result<Adoption> adopt(std::optional<BatchId> last, const Ownership& mine = {0, 3, "me"}) {
    LedgerReading reading;
    if (last) reading = {core::LedgerRecord{*last, {0, last->epoch, last->n, 1}}, 40};
    return adopt_lane(context(me), mine, reading, deadline);
  }
  static std::vector<UnitId> keys(const Adoption& adoption) {
    std::vector<UnitId> result;
    for (const auto& member : adoption.members) result.push_back(member->key);
    return result;
  }
  std::string attempt;
};

TEST_F(Takeover, T1_RaisesTheEpochByOneAndWritesAFreshOwner) {
  const auto first = take().value();
  ASSERT_TRUE(first);
  EXPECT_EQ(lane_row().epoch, 1u);
  EXPECT_EQ(lane_row().owner, first->owner);
  EXPECT_EQ(lane_row().owner_process, to_string(me.process()));
  EXPECT_TRUE(first->holds(lane_row()));
  state->pass_time(1h);
  const auto second = take().value();
  ASSERT_TRUE(second);
  EXPECT_EQ(lane_row().epoch, 2u);
  EXPECT_NE(second->owner, first->owner);
  EXPECT_FALSE(first->holds(lane_row()));
}

TEST_F(Takeover, T1_BeatsTheHeart) {
  (void)take().value();
  EXPECT_LT(lane_row().heartbeat_age, 1s);
}

TEST_F(Takeover, T1_LooksAtTheOwnerWithTheRowLocked) {
  owned(7, "other");
  EXPECT_FALSE(take().value());
  EXPECT_EQ(lane_row().epoch, 7u);
  EXPECT_EQ(lane_row().owner, "other");
}

TEST_F(Takeover, T1_TakesTheLaneOfADeadProcessAtOnce) {
  owned(7, "other");
  world.kill(other);
  EXPECT_TRUE(take().value());
}

TEST_F(Takeover, T1_WithoutAReplyItIsDoneAgain) {
  fault("own.commit", Kind::lose_reply);
  EXPECT_FALSE(take()) << "nobody knows whether the lane is ours";
  EXPECT_EQ(lane_row().epoch, 1u) << "it had landed";
  const auto again = take().value();
  ASSERT_TRUE(again) << "the lane that carries our attempt is ours to take";
  EXPECT_EQ(again->epoch, 2u);
}

TEST_F(Takeover, T1_ReportsACallThatFailed) {
  for (const char* step : {"database.own_transaction", "own.lock_lane", "own.write_lane", "own.commit"}) {
    fault(step, Kind::fail);
    EXPECT_FALSE(take()) << step;
    EXPECT_EQ(lane_row().epoch, 0u) << step;
  }
  EXPECT_TRUE(take().value());
}

TEST_F(Takeover, T4_ReportsACallThatFailedAndChangesNothing) {
  owned(3, "me");
  journal({0, 2, 1, 1});
  journal({0, 2, 2, 1});
  for (const char* step : {"database.own_transaction", "own.lock_lane", "own.row", "own.deliver_covered",
                           "own.adopt_all", "own.write_lane", "own.commit"}) {
    fault(step, Kind::fail);
    EXPECT_FALSE(adopt(BatchId{2, 1})) << step;
    EXPECT_FALSE(lane_row().settled) << step;
    for (const auto& one : rows()) EXPECT_FALSE(one.delivered || one.adopted) << step;
  }
  EXPECT_EQ(keys(adopt(BatchId{2, 1}).value()), (std::vector<UnitId>{{0, 2, 2, 1}}));
}

TEST_F(Takeover, T5_ReportsThatItCouldNotReadWhatIsAdopted) {
  owned(3, "me");
  journal({0, 2, 2, 1});
  fault("database.own_transaction", Kind::fail, 1);
  EXPECT_FALSE(adopt({}));
  fault("own.undelivered_labelled", Kind::fail);
  EXPECT_FALSE(adopt({}));
  EXPECT_EQ(keys(adopt({}).value()), (std::vector<UnitId>{{0, 2, 2, 1}})) << "the label tells";
}

TEST_F(Takeover, T1_AnAttemptGivesNoRightToTheLaneOfAnotherOwner) {
  fault("own.commit", Kind::lose_reply);
  EXPECT_FALSE(take());
  owned(7, "other");
  EXPECT_FALSE(take().value());
}

TEST_F(Takeover, T4_LeavesALaneThatIsNotMine) {
  owned(4, "other");
  journal({0, 1, 1, 1});
  EXPECT_EQ(adopt(BatchId{1, 1}).value().state, Adoption::State::lost);
  EXPECT_FALSE(row({0, 1, 1, 1})->delivered);
  EXPECT_FALSE(lane_row().settled);
}

TEST_F(Takeover, T4_LeavesALaneOfMyEpochWithAnotherOwner) {
  owned(3, "other");
  EXPECT_EQ(adopt(std::nullopt).value().state, Adoption::State::lost);
  EXPECT_EQ(lane_row().stream_id, "");
}

TEST_F(Takeover, T4_DeliversWhatSCoversAndAdoptsTheRest) {
  owned(3, "me");
  for (const std::uint64_t n : {1u, 2u, 3u}) journal({0, 2, n, 1});
  journal({0, 1, 9, 1});
  const Adoption adoption = adopt(BatchId{2, 2}).value();
  ASSERT_EQ(adoption.state, Adoption::State::done);
  EXPECT_TRUE(row({0, 2, 1, 1})->delivered);
  EXPECT_TRUE(row({0, 2, 2, 1})->delivered);
  EXPECT_FALSE(row({0, 2, 3, 1})->delivered);
  EXPECT_FALSE(row({0, 1, 9, 1})->delivered) << "S covers rows of its own epoch only";
  EXPECT_EQ(keys(adoption), (std::vector<UnitId>{{0, 1, 9, 1}, {0, 2, 3, 1}}));
  EXPECT_EQ(row({0, 2, 3, 1})->adopted, (BatchId{3, 1}));
}

TEST_F(Takeover, T4_WritesSAndTheStoresIntoTheLaneRow) {
  owned(3, "me");
  journal({0, 2, 2, 1});
  const Adoption adoption = adopt(BatchId{2, 2}).value();
  EXPECT_EQ(lane_row().settled, (BatchId{2, 2}));
  EXPECT_EQ(lane_row().ledger_offset, 40) << "of S, never higher: the next owner reads from there";
  EXPECT_EQ(lane_row().stream_id, "stream");
  EXPECT_EQ(lane_row().ledger_id, "ledger id");
  EXPECT_EQ(adoption.settled, (BatchId{2, 2}));
  EXPECT_EQ(adoption.ledger_offset, 40);
}

TEST_F(Takeover, T4_HaltsWithoutChangingAnything) {
  ports::LaneRow lane = owned(3, "me");
  lane.settled = BatchId{2, 2};
  write(lane);
  journal({0, 2, 1, 1});
  const Adoption adoption = adopt(BatchId{2, 1}).value();
  EXPECT_EQ(adoption.state, Adoption::State::halted);
  EXPECT_NE(adoption.reason, "");
  EXPECT_FALSE(row({0, 2, 1, 1})->delivered);
  EXPECT_FALSE(row({0, 2, 1, 1})->adopted);
}

TEST_F(Takeover, T4_HaltsWhenOnlyATombstoneStandsWhereTheFirstMemberShould) {
  owned(3, "me");
  {
    const auto transaction = plain->own_transaction(deadline).value();
    ASSERT_TRUE(transaction->insert_tombstone({0, 2, 1, 1}).value());
    ASSERT_EQ(transaction->commit().state, ports::CommitReply::State::committed);
  }
  EXPECT_EQ(adopt(BatchId{2, 1}).value().state, Adoption::State::halted);
}

TEST_F(Takeover, T5_HaltsWhenAnAdoptedUnitCannotBeRead) {
  owned(3, "me");
  journal({0, 2, 2, 1}, "no payload");
  const Adoption adoption = adopt({}).value();
  EXPECT_EQ(adoption.state, Adoption::State::halted);
  EXPECT_NE(adoption.reason.find("unit 0.2.2.1"), std::string::npos) << adoption.reason;
}

TEST_F(Takeover, T4_WithoutAReplyItIsNotDone) {
  owned(3, "me");
  journal({0, 2, 1, 1});
  fault("own.commit", Kind::lose_reply);
  const Adoption unanswered = adopt(std::nullopt).value();
  EXPECT_EQ(unanswered.state, Adoption::State::in_doubt);
  EXPECT_TRUE(unanswered.members.empty()) << "T5 waits until T4 is known to be committed";
}

TEST_F(Takeover, T5_ReturnsEveryRowOfMyLabelAlsoWhenT4WasDoneTwice) {
  owned(3, "me");
  journal({0, 2, 1, 1});
  fault("own.commit", Kind::lose_reply);
  (void)adopt(std::nullopt).value();
  ASSERT_EQ(row({0, 2, 1, 1})->adopted, (BatchId{3, 1})) << "it had landed";
  EXPECT_EQ(keys(adopt(std::nullopt).value()), (std::vector<UnitId>{{0, 2, 1, 1}}));
}

TEST_F(Takeover, T5_ReturnsTheRowsInTheOrderOfTheirKeys) {
  owned(3, "me");
  const std::vector<UnitId> expected{{0, 1, 2, 1}, {0, 1, 10, 1}, {0, 2, 1, 1}, {0, 2, 1, 2}};
  for (auto key = expected.rbegin(); key != expected.rend(); ++key) journal(*key);
  EXPECT_EQ(keys(adopt(std::nullopt).value()), expected);
}

}  // namespace
}  // namespace write_aside::coordination
