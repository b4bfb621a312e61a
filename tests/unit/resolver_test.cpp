// D2, D3, D4: one attempt to end a doubt, with everything that can go wrong in it.
#include "coordination/resolver.hpp"

#include "support/forwarding_ports.hpp"
#include "unit/database_fixture.hpp"

namespace write_aside::coordination {
namespace {

using Kind = support::Fault::Kind;
using Verdict = Resolution::Verdict;

class Resolver : public DatabaseFixture {
 protected:
  Resolver() { owned(3, "other"); }
  Verdict resolve(const std::string& session = "") { return resolve_unit(*database, unit, session, deadline).verdict; }
  // A unit whose COMMIT was not sent or has not landed: its session, with the journal row in its transaction.
  std::unique_ptr<ports::Session> session_with_journal_row() {
    auto session = plain->session(deadline).value();
    EXPECT_TRUE(session->begin(deadline));
    session->send_journal({.key = unit, .payload = "p"});
    (void)session->receive_journal().value();
    return session;
  }
  const UnitId unit{0, 3, 5, 1};
};

TEST_F(Resolver, D2_WithoutItsRowTheUnitIsAbortedForEver) {
  EXPECT_EQ(resolve(), Verdict::aborted);
  ASSERT_TRUE(row(unit)) << "the tombstone is committed";
  EXPECT_TRUE(row(unit)->tombstone);
  EXPECT_TRUE(row(unit)->delivered);
}

TEST_F(Resolver, D2_ReadsTheRowAfterAConflict) {
  journal(unit);
  EXPECT_EQ(resolve(), Verdict::committed);
}

TEST_F(Resolver, D2_FindsItsOwnTombstoneAfterALostReply) {
  fault("own.commit", Kind::lose_reply);
  EXPECT_EQ(resolve(), Verdict::unknown) << "the tombstone may not be there";
  EXPECT_EQ(resolve(), Verdict::aborted);
}

TEST_F(Resolver, D2_AnUncommittedTombstoneProvesNothing) {
  fault("own.commit", Kind::fail);
  EXPECT_EQ(resolve(), Verdict::unknown);
  EXPECT_FALSE(row(unit));
}

TEST_F(Resolver, D2_EndsTheLostSessionFirst) {
  const auto session = session_with_journal_row();
  EXPECT_EQ(resolve(session->identity()), Verdict::aborted);
  EXPECT_NE(session->commit(deadline).state, ports::CommitReply::State::committed);
  EXPECT_TRUE(row(unit)->tombstone);
}

TEST_F(Resolver, D2_DecidesNothingWhileTheSessionMayStillCommit) {
  fault("database.end_session", Kind::fail);
  EXPECT_EQ(resolve("session 1"), Verdict::unknown);
  EXPECT_FALSE(row(unit));
}

TEST_F(Resolver, D2_AnyOtherErrorDecidesNothing) {
  journal(unit);
  for (const char* step : {"database.own_transaction", "own.lock_lane", "own.insert_tombstone", "own.row"}) {
    for (const Kind kind : {Kind::fail, Kind::lose_reply}) {
      fault(step, kind);
      const Resolution resolution = resolve_unit(*database, unit, {}, deadline);
      EXPECT_EQ(resolution.verdict, Verdict::unknown) << step;
      EXPECT_TRUE(resolution.error) << step;
    }
  }
}

// The row goes between the conflict and the reading.
class VanishingRow final : public support::ForwardingOwnTransaction {
 public:
  using ForwardingOwnTransaction::ForwardingOwnTransaction;
  Result<bool> insert_tombstone(const UnitId&) override { return false; }
};
class VanishingRows final : public support::ForwardingDatabase {
 public:
  using ForwardingDatabase::ForwardingDatabase;
  Result<std::unique_ptr<ports::OwnTransaction>> own_transaction(ports::Deadline deadline) override {
    auto inner = ForwardingDatabase::own_transaction(deadline);
    if (!inner) return inner;
    return std::make_unique<VanishingRow>(std::move(*inner));
  }
};

TEST_F(Resolver, D2_ARowThatCameAndWentDecidesNothing) {
  VanishingRows vanishing(plain);
  const Resolution resolution = resolve_unit(vanishing, unit, {}, deadline);
  EXPECT_EQ(resolution.verdict, Verdict::unknown);
  EXPECT_TRUE(resolution.error->retriable);
}

TEST_F(Resolver, D3_WritesBeforeItSaysCommitted) {
  journal(unit);
  EXPECT_EQ(resolve(), Verdict::committed);
  EXPECT_TRUE(did("own.write_lane"));
  EXPECT_TRUE(did("own.commit"));
}

TEST_F(Resolver, D3_TheConfirmingWriteChangesNothing) {
  journal(unit);
  state->pass_time(std::chrono::minutes(1));
  EXPECT_EQ(resolve(), Verdict::committed);
  EXPECT_EQ(lane_row().owner, "other");
  EXPECT_GE(lane_row().heartbeat_age, std::chrono::minutes(1)) << "whoever asks does not keep another's lane alive";
}

TEST_F(Resolver, D3_SaysNothingWithoutTheReplyToThatWrite) {
  journal(unit);
  for (const char* step : {"own.write_lane", "own.commit"}) {
    for (const Kind kind : {Kind::fail, Kind::lose_reply}) {
      fault(step, kind);
      EXPECT_EQ(resolve(), Verdict::unknown) << step;
    }
  }
  EXPECT_EQ(resolve(), Verdict::committed);
}

// A database whose commits are not replicated before they return.
class Unreplicated final : public support::ForwardingOwnTransaction {
 public:
  using ForwardingOwnTransaction::ForwardingOwnTransaction;
  ports::CommitReply commit() override {
    ports::CommitReply reply = ForwardingOwnTransaction::commit();
    reply.error = Error{.code = ErrorCode::timeout, .retriable = true, .message = "not replicated"};
    return reply;
  }
};
class UnreplicatedDatabase final : public support::ForwardingDatabase {
 public:
  using ForwardingDatabase::ForwardingDatabase;
  Result<std::unique_ptr<ports::OwnTransaction>> own_transaction(ports::Deadline deadline) override {
    auto inner = ForwardingDatabase::own_transaction(deadline);
    if (!inner) return inner;
    return std::make_unique<Unreplicated>(std::move(*inner));
  }
};

TEST_F(Resolver, D3_SaysNothingWhenThatWriteWasNotReplicated) {
  journal(unit);
  UnreplicatedDatabase unreplicated(plain);
  const Resolution resolution = resolve_unit(unreplicated, unit, {}, deadline);
  EXPECT_EQ(resolution.verdict, Verdict::unknown);
  EXPECT_EQ(resolution.error->message, "not replicated");
}

TEST_F(Resolver, D4_AtOrBelowTheWatermarkAbsenceProvesNothing) {
  ports::LaneRow lane = lane_row();
  for (const BatchId purged : {BatchId{unit.epoch, unit.n}, BatchId{unit.epoch, unit.n + 1}, BatchId{4, 0}}) {
    lane.purged = purged;
    write(lane);
    const Resolution resolution = resolve_unit(*database, unit, {}, deadline);
    EXPECT_EQ(resolution.verdict, Verdict::too_old);
    EXPECT_FALSE(resolution.error->retriable) << "asking again does not help";
    EXPECT_FALSE(row(unit)) << "no tombstone where the unit may have been";
  }
}

// A tombstone that another process inserted was purged: the owner must not wait for ever for a doubt that is over.
TEST_F(Resolver, D4_TheWatermarkDoesNotConcernAMemberOfTheAskersOwnLane) {
  ports::LaneRow lane = lane_row();
  lane.purged = {unit.epoch, unit.n};
  write(lane);
  const Ownership mine{unit.lane, lane.epoch, lane.owner};
  const Ownership former{unit.lane, lane.epoch - 1, lane.owner};
  EXPECT_EQ(resolve_unit(*database, unit, {}, deadline, former).verdict, Verdict::too_old);
  EXPECT_EQ(resolve_unit(*database, unit, {}, deadline, mine).verdict, Verdict::aborted);
}

TEST_F(Resolver, D4_AboveTheWatermarkAbsenceIsProof) {
  ports::LaneRow lane = lane_row();
  lane.purged = {unit.epoch, unit.n - 1};
  write(lane);
  EXPECT_EQ(resolve(), Verdict::aborted);
}

TEST_F(Resolver, D2_OfALaneThatDoesNotExistNothingIsSaid) {
  const Resolution resolution = resolve_unit(*database, {77, 1, 1, 1}, {}, deadline);
  EXPECT_EQ(resolution.verdict, Verdict::unknown);
  EXPECT_FALSE(resolution.error->retriable);
}

}  // namespace
}  // namespace write_aside::coordination
