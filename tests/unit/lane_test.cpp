// The lane's state machine, rule by rule (docs/protocol.md). Pure: time is a
// number that the test moves.
#include "coordination/lane.hpp"

#include <gtest/gtest.h>

namespace write_aside::coordination {
namespace {

using namespace std::chrono_literals;
using State = Member::State;

class LaneTest : public ::testing::Test {
 protected:
  LaneTest() { lane.open(7, "me", BatchId{6, 4}, 40, {}); }

  static std::shared_ptr<const core::Publication> publication() {
    auto one = std::make_shared<core::Publication>();
    one->events.push_back({.topic = "t", .type = "x", .value = "v"});
    return one;
  }

  // A unit joins and its events are produced and acknowledged.
  MemberPointer voted() {
    if (lane.must_begin()) lane.begun(now);
    MemberPointer member = lane.join(publication(), 10, now);
    produce({member});
    return member;
  }

  void produce(const std::vector<MemberPointer>& members) {
    const bool with_ledger = lane.owed_ledger_record().has_value();
    lane.produced(members, with_ledger, ++token);
    lane.delivered(token, true, 100 + static_cast<std::int64_t>(token), now);
  }

  MemberPointer decided() {
    MemberPointer member = voted();
    lane.commit_sent(*member);
    lane.committed(member, now);
    return member;
  }

  Step::Kind step() { return lane.next_step(now, {.other_lane_free = true}, false).kind; }

  void end(ports::Ending ending, bool clean) {
    lane.end_sent();
    lane.ended(ending, clean, 1ms, now, rest);
  }

  TimePoint now = TimePoint{} + 1h;
  std::chrono::nanoseconds rest{0};
  std::uint64_t token = 0;
  LaneLimits limits{.members_max = 3, .bytes_max = 1000, .transaction_timeout = 60s, .doubt_wait = 1s};
  Lane lane{5, limits};
};

TEST_F(LaneTest, C2_GivesMembersTheirKeyInJoinOrder) {
  EXPECT_EQ(voted()->key, (UnitId{5, 7, 1, 1}));
  EXPECT_EQ(voted()->key, (UnitId{5, 7, 1, 2}));
}

TEST_F(LaneTest, C3_OwesTheLedgerRecordUntilTheFirstProduction) {
  lane.begun(now);
  const MemberPointer member = lane.join(publication(), 10, now);
  ASSERT_TRUE(lane.owed_ledger_record());
  EXPECT_EQ(lane.owed_ledger_record()->batch, (BatchId{7, 1}));
  EXPECT_EQ(lane.owed_ledger_record()->first, member->key);
  produce({member});
  EXPECT_FALSE(lane.owed_ledger_record());
}

TEST_F(LaneTest, C4_HasNoVoteBeforeTheAcknowledgement) {
  lane.begun(now);
  const MemberPointer member = lane.join(publication(), 10, now);
  lane.produced({member}, true, 1);
  EXPECT_FALSE(lane.may_send_commit(*member, now));
  lane.delivered(1, true, 5, now);
  EXPECT_TRUE(lane.may_send_commit(*member, now));
}

TEST_F(LaneTest, C5_HasNoVoteInABrokenBatch) {
  const MemberPointer stays = voted();
  const MemberPointer goes = voted();
  lane.aborted(goes);
  EXPECT_FALSE(lane.may_send_commit(*stays, now));
}

TEST_F(LaneTest, C5_HasNoVoteOnceHalfTheTransactionTimeoutIsOver) {
  const MemberPointer member = voted();
  EXPECT_TRUE(lane.may_send_commit(*member, now + 29s));
  EXPECT_FALSE(lane.may_send_commit(*member, now + 30s));
}

TEST_F(LaneTest, B1_TakesNobodyIntoASealedBatch) {
  decided();
  ASSERT_EQ(step(), Step::Kind::commit);  // a lone unit: sealed at once
  EXPECT_FALSE(lane.may_join(now));
}

// The next stream transaction would be slow, and with it every unit that joins.
TEST_F(LaneTest, B1_RestsAfterAnEndAsLongAsTheStreamAsks) {
  decided();
  ASSERT_EQ(step(), Step::Kind::commit);
  rest = 4ms;
  end(ports::Ending::commit, true);
  EXPECT_FALSE(lane.may_join(now + 3ms));
  EXPECT_EQ(lane.next_step(now, {}, false).until, now + 4ms);
  EXPECT_TRUE(lane.may_join(now + 4ms));
}

TEST_F(LaneTest, B1_TellsThatItsRestIsOverOnce) {
  decided();
  ASSERT_EQ(step(), Step::Kind::commit);
  rest = 4ms;
  end(ports::Ending::commit, true);
  EXPECT_EQ(step(), Step::Kind::wait);
  now += 4ms;
  ASSERT_EQ(step(), Step::Kind::offer);
  lane.offered();
  EXPECT_EQ(step(), Step::Kind::wait);
}

// Kafka answers an end in a moment and makes the next transaction wait: what a stream transaction costs shows there.
TEST_F(LaneTest, B1_CountsTheWaitForTheFirstAcknowledgementAsACostOfTheTransaction) {
  const Demand demand{.arrival_gap = 5ms, .other_lane_free = true};
  for (const auto wait : {0ms, 20ms}) {
    lane.begun(now);
    const MemberPointer member = lane.join(publication(), 10, now);
    lane.produced({member}, true, ++token);
    now += wait;
    lane.delivered(token, true, 100, now);
    lane.commit_sent(*member);
    lane.committed(member, now);
    ASSERT_EQ(lane.next_step(now, demand, true).kind, Step::Kind::commit);
    end(ports::Ending::commit, true);
  }
  decided();
  EXPECT_EQ(lane.next_step(now, demand, false).kind, Step::Kind::wait);
}

TEST_F(LaneTest, B1_HoldsTheBatchOpenFromTheLastJoiningOrDecisionOn) {
  const Demand demand{.arrival_gap = 1ms, .other_lane_free = true};
  lane.begun(now);
  now += 1ms;
  const MemberPointer member = lane.join(publication(), 10, now);
  produce({member});
  EXPECT_EQ(lane.next_step(now, demand, false).until, now + 2ms);
  now += 1ms;
  lane.commit_sent(*member);
  lane.committed(member, now);
  EXPECT_EQ(lane.next_step(now, demand, false).until, now + 2ms);
}

TEST_F(LaneTest, B1_IsFullAtItsLimits) {
  for (int i = 0; i < 3; ++i) {
    if (i > 0) {
      ASSERT_TRUE(lane.may_join(now));
    }
    voted();
  }
  EXPECT_FALSE(lane.may_join(now));
}

TEST_F(LaneTest, B1_IsFullAtItsLimitOfBytes) {
  lane.begun(now);
  produce({lane.join(publication(), 999, now)});
  EXPECT_TRUE(lane.may_join(now));
  produce({lane.join(publication(), 1, now)});
  EXPECT_FALSE(lane.may_join(now));
}

TEST_F(LaneTest, B1_GivesBackTheBytesOfWhoeverLeaves) {
  for (int i = 0; i < 3; ++i) {
    if (lane.must_begin()) lane.begun(now);
    const MemberPointer member = lane.join(publication(), 600, now);
    produce({member});
    EXPECT_TRUE(lane.may_join(now)) << i;
    if (i == 0) {
      lane.refused(member, token);
      continue;
    }
    lane.commit_sent(*member);
    lane.committed(member, now);
    ASSERT_EQ(step(), Step::Kind::commit);
    end(ports::Ending::commit, true);
  }
}

TEST_F(LaneTest, B2_DoesNotCommitBeforeEveryMemberIsDecided) {
  decided();
  const MemberPointer undecided = voted();
  EXPECT_EQ(step(), Step::Kind::wait);
  lane.commit_sent(*undecided);
  EXPECT_EQ(step(), Step::Kind::wait);
  lane.committed(undecided, now);
  EXPECT_EQ(step(), Step::Kind::commit);
}

TEST_F(LaneTest, B2_SettlesAfterACleanCommit) {
  const MemberPointer member = decided();
  ASSERT_EQ(step(), Step::Kind::commit);
  end(ports::Ending::commit, true);
  EXPECT_EQ(member->state, State::settled);
  EXPECT_EQ(lane.settled(), (BatchId{7, 1}));
  EXPECT_EQ(lane.ledger_offset(), 101);
  EXPECT_TRUE(lane.is_idle());
}

TEST_F(LaneTest, B3_AbortsTheBatchWhenAMemberDidNotCommit) {
  decided();
  const MemberPointer gone = voted();
  lane.commit_sent(*gone);
  lane.aborted(gone);
  EXPECT_EQ(step(), Step::Kind::abort);
}

TEST_F(LaneTest, B3_AbortsTheBatchWhenItGrewOld) {
  const MemberPointer slow = voted();
  lane.commit_sent(*slow);
  now += 30s;
  EXPECT_EQ(step(), Step::Kind::abort);
}

TEST_F(LaneTest, B3_CarriesEveryOtherMemberIntoTheNextBatchInJoinOrder) {
  const MemberPointer committed = decided();
  const MemberPointer under_way = voted();
  lane.commit_sent(*under_way);
  const MemberPointer gone = voted();
  lane.aborted(gone);
  ASSERT_EQ(step(), Step::Kind::abort);
  end(ports::Ending::abort, true);
  EXPECT_FALSE(lane.may_join(now)) << "the carried members come first";
  ASSERT_EQ(step(), Step::Kind::begin);
  lane.begun(now);
  EXPECT_EQ(lane.batch(), (BatchId{7, 2}));
  EXPECT_EQ(lane.unproduced(), (std::vector{committed, under_way}));
  EXPECT_EQ(committed->key, (UnitId{5, 7, 1, 1})) << "keys stay as they are";
  EXPECT_EQ(lane.owed_ledger_record()->first, committed->key);
}

TEST_F(LaneTest, B3_VotesAgainInTheNextBatch) {
  const MemberPointer member = voted();
  lane.aborted(voted());
  ASSERT_EQ(step(), Step::Kind::abort);
  end(ports::Ending::abort, true);
  EXPECT_FALSE(lane.may_send_commit(*member, now));
  lane.begun(now);
  EXPECT_FALSE(lane.may_send_commit(*member, now)) << "the old acknowledgement does not count";
  produce(lane.unproduced());
  EXPECT_TRUE(lane.may_send_commit(*member, now));
}

TEST_F(LaneTest, B3_TakesAnAcknowledgementOfTheLastTransactionForNoVote) {
  lane.begun(now);
  const MemberPointer stays = lane.join(publication(), 10, now);
  const std::uint64_t late = ++token;
  lane.produced({stays}, true, late);
  lane.aborted(voted());
  ASSERT_EQ(step(), Step::Kind::abort);
  end(ports::Ending::abort, true);
  lane.begun(now);
  lane.produced({stays}, true, ++token);
  EXPECT_TRUE(lane.delivered(late, true, 100, now).empty());
  EXPECT_FALSE(lane.may_send_commit(*stays, now));
}

TEST_F(LaneTest, B3_WaitsForTheAcknowledgementOfWhatItProducedAgain) {
  const MemberPointer committed = decided();
  const MemberPointer member = voted();
  lane.aborted(voted());
  ASSERT_EQ(step(), Step::Kind::abort);
  end(ports::Ending::abort, true);
  lane.begun(now);
  lane.produced({committed, member}, true, 99);
  EXPECT_FALSE(lane.may_send_commit(*member, now)) << "only the acknowledgement of the last batch is there";
  lane.delivered(99, true, 200, now);
  EXPECT_TRUE(lane.may_send_commit(*member, now));
}

TEST_F(LaneTest, B3_UsesNoBatchNumberTwice) {
  lane.aborted(voted());
  ASSERT_EQ(step(), Step::Kind::abort);
  end(ports::Ending::abort, true);
  EXPECT_EQ(voted()->key, (UnitId{5, 7, 2, 1}));
}

TEST_F(LaneTest, B3_UsesNoMemberNumberTwice) {
  voted();
  const MemberPointer refused = lane.join(publication(), 10, now);
  lane.produced({refused}, false, 77);
  lane.refused(refused, 77);
  EXPECT_EQ(voted()->key.member, 3u);
}

TEST_F(LaneTest, C1_ARefusedProductionLeavesTheBatchUnharmed) {
  const MemberPointer good = decided();
  const MemberPointer refused = lane.join(publication(), 10, now);
  lane.produced({refused}, false, 77);
  lane.refused(refused, 77);
  EXPECT_EQ(refused->state, State::aborted);
  EXPECT_EQ(step(), Step::Kind::commit);
  EXPECT_EQ(good->state, State::committed);
}

TEST_F(LaneTest, C3_OwesTheLedgerRecordAgainWhenTheFirstProductionWasRefused) {
  lane.begun(now);
  const MemberPointer refused = lane.join(publication(), 10, now);
  lane.produced({refused}, true, 77);
  lane.refused(refused, 77);
  const MemberPointer next = lane.join(publication(), 10, now);
  ASSERT_TRUE(lane.owed_ledger_record());
  EXPECT_EQ(lane.owed_ledger_record()->first, next->key);
}

TEST_F(LaneTest, B4_DistrustsTheProducerAfterAnUncleanCommit) {
  decided();
  ASSERT_EQ(step(), Step::Kind::commit);
  end(ports::Ending::commit, false);
  EXPECT_EQ(step(), Step::Kind::recover);
  EXPECT_FALSE(lane.may_join(now));
}

TEST_F(LaneTest, B4_DistrustsTheProducerAfterAnUncleanAbort) {
  lane.aborted(voted());
  ASSERT_EQ(step(), Step::Kind::abort);
  end(ports::Ending::abort, false);
  EXPECT_EQ(step(), Step::Kind::recover);
}

TEST_F(LaneTest, B4_DistrustsTheProducerAfterAFailedDelivery) {
  lane.begun(now);
  const MemberPointer member = lane.join(publication(), 10, now);
  lane.produced({member}, true, 1);
  lane.delivered(1, false, 0, now);
  EXPECT_EQ(step(), Step::Kind::recover);
}

TEST_F(LaneTest, B4_SettlesWhatTheLedgerCovers) {
  const MemberPointer member = decided();
  ASSERT_EQ(step(), Step::Kind::commit);
  end(ports::Ending::commit, false);
  EXPECT_FALSE(lane.recovered(core::LedgerRecord{{7, 1}, member->key}, 55));
  EXPECT_EQ(member->state, State::settled);
  EXPECT_EQ(lane.ledger_offset(), 55);
  EXPECT_EQ(lane.janitor_work()->ledger_offset, 55);
}

TEST_F(LaneTest, B4_ProducesAgainWhatTheLedgerDoesNotCover) {
  const MemberPointer member = decided();
  ASSERT_EQ(step(), Step::Kind::commit);
  end(ports::Ending::commit, false);
  EXPECT_FALSE(lane.recovered(core::LedgerRecord{{6, 4}, {5, 6, 4, 1}}, 40));
  EXPECT_EQ(member->state, State::committed);
  EXPECT_EQ(step(), Step::Kind::begin);
}

TEST_F(LaneTest, B4_HaltsWhenTheLedgerIsAheadOfTheDatabase) {
  lane.distrust_producer();
  EXPECT_TRUE(lane.recovered(core::LedgerRecord{{8, 1}, {5, 8, 1, 1}}, 60));
}

TEST_F(LaneTest, B4_HaltsWhenTheLedgerLostASettledBatch) {
  lane.distrust_producer();
  EXPECT_TRUE(lane.recovered(core::LedgerRecord{{6, 3}, {5, 6, 3, 1}}, 30));
  Lane other(5, limits);
  other.open(7, "me", BatchId{6, 4}, 40, {});
  other.distrust_producer();
  EXPECT_TRUE(other.recovered(std::nullopt, 0));
}

TEST_F(LaneTest, B5_AbortsWhatWasNotSentAndLeavesWhatIsDecided) {
  const MemberPointer committed = decided();
  const MemberPointer sent = voted();
  lane.commit_sent(*sent);
  const MemberPointer waiting = voted();
  lane.lost();
  EXPECT_EQ(committed->state, State::left);
  EXPECT_EQ(waiting->state, State::aborted);
  EXPECT_EQ(sent->state, State::sent) << "its outcome is still to be found out and reported here";
  lane.committed(sent, now);
  EXPECT_EQ(sent->state, State::left);
  EXPECT_TRUE(lane.members().empty());
}

TEST_F(LaneTest, B5_KeepsWhoIsInDoubtUntilTheEvidenceIsThere) {
  const MemberPointer doubtful = voted();
  lane.commit_sent(*doubtful);
  lane.doubtful(doubtful, now);
  lane.lost();
  EXPECT_EQ(doubtful->state, State::doubtful);
  lane.committed(doubtful, now);
  EXPECT_EQ(doubtful->state, State::left);
}

TEST_F(LaneTest, D4_WaitsForNobodyWhoseDoubtCanNeverEnd) {
  const MemberPointer doubtful = voted();
  lane.commit_sent(*doubtful);
  lane.doubtful(doubtful, now);
  lane.lost();
  lane.abandon(doubtful);
  EXPECT_EQ(doubtful->state, State::doubtful) << "nothing is said about it";
  EXPECT_TRUE(lane.members().empty());
}

TEST_F(LaneTest, B5_TakesARefusalThatComesAfterTheLaneIsLost) {
  lane.begun(now);
  const MemberPointer member = lane.join(publication(), 10, now);
  lane.produced({member}, true, ++token);
  lane.lost();
  lane.refused(member, token);
  EXPECT_TRUE(lane.members().empty());
}

TEST_F(LaneTest, B5_EndsNothingAfterTheLaneIsLost) {
  decided();
  lane.lost();
  EXPECT_EQ(step(), Step::Kind::wait);
  EXPECT_FALSE(lane.may_join(now));
}

TEST_F(LaneTest, D1_NeitherEndsNorTakesMembersWhileSomebodyIsInDoubt) {
  decided();
  const MemberPointer doubtful = voted();
  lane.commit_sent(*doubtful);
  lane.doubtful(doubtful, now);
  EXPECT_EQ(step(), Step::Kind::wait);
  EXPECT_FALSE(lane.may_join(now));
  lane.committed(doubtful, now);
  EXPECT_EQ(step(), Step::Kind::commit);
}

TEST_F(LaneTest, D1_AbortsAfterABoundedWaitAndKeepsTheDoubtfulMember) {
  const MemberPointer doubtful = voted();
  lane.commit_sent(*doubtful);
  lane.doubtful(doubtful, now);
  now += 1s;
  ASSERT_EQ(step(), Step::Kind::abort);
  end(ports::Ending::abort, true);
  EXPECT_EQ(step(), Step::Kind::wait) << "no end without evidence";
  lane.committed(doubtful, now);
  ASSERT_EQ(step(), Step::Kind::begin);
  lane.begun(now);
  EXPECT_EQ(lane.unproduced(), std::vector{doubtful});
}

TEST_F(LaneTest, D4_KeepsTheRowOfAUnitThatWasEverInDoubt) {
  decided();
  const MemberPointer doubtful = voted();
  lane.commit_sent(*doubtful);
  lane.doubtful(doubtful, now);
  lane.committed(doubtful, now);
  ASSERT_EQ(step(), Step::Kind::commit);
  end(ports::Ending::commit, true);
  const auto work = lane.janitor_work();
  ASSERT_TRUE(work);
  EXPECT_EQ(work->to_delete, 1u);
  EXPECT_EQ(work->ever_in_doubt, std::vector{doubtful->key});
}

TEST_F(LaneTest, J_CountsTheRowsOfSettledBatchesOnce) {
  for (int batch = 0; batch < 2; ++batch) {
    decided();
    ASSERT_EQ(step(), Step::Kind::commit);
    end(ports::Ending::commit, true);
  }
  const auto work = lane.janitor_work();
  ASSERT_TRUE(work);
  EXPECT_EQ(work->settled, (BatchId{7, 2}));
  EXPECT_EQ(work->to_delete, 2u);
  lane.janitor_done(*work);
  EXPECT_FALSE(lane.janitor_work());
}

TEST_F(LaneTest, J_HasNoWorkBeforeAnythingIsSettled) {
  decided();
  EXPECT_FALSE(lane.janitor_work());
}

TEST_F(LaneTest, T5_ProducesAdoptedUnitsAsTheFirstMembersOfBatchOne) {
  auto adopted = std::make_shared<Member>();
  adopted->key = {5, 3, 9, 1};
  adopted->state = State::committed;
  adopted->adopted = true;
  adopted->publication = publication();
  Lane heir(5, limits);
  heir.open(8, "heir", std::nullopt, 0, {adopted});
  EXPECT_FALSE(heir.may_join(now)) << "it opens for new members afterwards";
  ASSERT_EQ(heir.next_step(now, {.other_lane_free = true}, false).kind, Step::Kind::begin);
  heir.begun(now);
  EXPECT_EQ(heir.batch(), (BatchId{8, 1}));
  EXPECT_EQ(heir.unproduced(), std::vector{adopted});
  EXPECT_EQ(heir.owed_ledger_record()->first, adopted->key);
}

TEST_F(LaneTest, W_AnAdoptionHoldsTheBatchUntilItsOutcomeIsKnown) {
  decided();
  const MemberPointer adopted = lane.begin_adoption({5, 6, 9, 1}, publication(), 10, now);
  EXPECT_FALSE(lane.may_join(now)) << "section 6: nobody joins between an "
                                      "adoption's start and its production";
  EXPECT_EQ(step(), Step::Kind::wait);
  lane.adoption_in_doubt(*adopted);
  EXPECT_EQ(step(), Step::Kind::wait);
  lane.adoption_over(adopted, true);
  EXPECT_EQ(step(), Step::Kind::wait) << "its events are still to be produced";
  produce({adopted});
  EXPECT_EQ(step(), Step::Kind::commit);
}

TEST_F(LaneTest, W_AnAdoptionThatChangedNothingIsNoMember) {
  decided();
  const MemberPointer adopted = lane.begin_adoption({5, 6, 9, 1}, publication(), 10, now);
  lane.adoption_over(adopted, false);
  EXPECT_EQ(adopted->state, State::aborted);
  EXPECT_EQ(step(), Step::Kind::commit);
}

TEST_F(LaneTest, W_WithStrictOrderNothingIsAdoptedBehindAMemberWhoseCommitWasNotSent) {
  limits.strict_order = true;
  Lane strict{5, limits};
  strict.open(7, "me", std::nullopt, 0, {});
  strict.begun(now);
  const MemberPointer member = strict.join(publication(), 10, now);
  strict.produced({member}, true, 1);
  strict.delivered(1, true, 0, now);
  EXPECT_FALSE(strict.may_adopt(now)) << "the INSERT of its journal row may be still to come";
  strict.commit_sent(*member);
  EXPECT_TRUE(strict.may_adopt(now));
  voted();
  EXPECT_TRUE(lane.may_adopt(now)) << "without strict_order it does not matter";
}

TEST_F(LaneTest, W_NobodyJoinsWhatIsHeldBackForAnAdoption) {
  lane.hold_back(true);
  EXPECT_FALSE(lane.may_join(now));
  EXPECT_TRUE(lane.may_adopt(now));
  lane.hold_back(false);
  EXPECT_TRUE(lane.may_join(now));
}

TEST_F(LaneTest, AbortsAStreamTransactionThatNobodyIsIn) {
  const MemberPointer member = voted();
  lane.aborted(member);
  ASSERT_EQ(step(), Step::Kind::abort);
  end(ports::Ending::abort, true);
  EXPECT_TRUE(lane.is_idle());
  EXPECT_EQ(step(), Step::Kind::wait);
}

}  // namespace
}  // namespace write_aside::coordination
