// Goal: a session does what ports/database.hpp promises of a unit of work: its rows, its journal row and its progress
// commit together or not at all, and nobody sees them earlier.
// Method: write through one session, look from outside.
#pragma once

#include "contract/database_harness.hpp"

namespace write_aside::contract {

template <class Harness>
class DatabaseUnits : public DatabaseTest<Harness> {};
TYPED_TEST_SUITE_P(DatabaseUnits);

using Rows = std::map<int, std::string>;

TYPED_TEST_P(DatabaseUnits, ShowsRowsOnlyAfterTheCommit) {
  auto session = this->begin();
  must(this->harness().write_row(*session, 1, "one"));
  EXPECT_EQ(this->harness().rows(), Rows{});
  this->commit(*session);
  EXPECT_EQ(this->harness().rows(), (Rows{{1, "one"}}));
}

TYPED_TEST_P(DatabaseUnits, LeavesNothingAfterARollback) {
  auto session = this->begin();
  must(this->harness().write_row(*session, 1, "one"));
  ASSERT_EQ(must(this->journal(*session, {{0, 1, 1, 1}, "payload"})), ports::JournalReply::inserted);
  must(session->rollback());
  EXPECT_EQ(this->harness().rows(), Rows{});
  EXPECT_FALSE(this->row({0, 1, 1, 1}).has_value());
}

TYPED_TEST_P(DatabaseUnits, RollsBackADroppedSession) {
  {
    auto session = this->begin();
    must(this->harness().write_row(*session, 1, "one"));
    must(this->journal(*session, {{0, 1, 1, 1}, "payload"}));
  }
  EXPECT_EQ(this->harness().rows(), Rows{});
  EXPECT_FALSE(this->row({0, 1, 1, 1}).has_value());
}

TYPED_TEST_P(DatabaseUnits, CarriesOneUnitAfterAnother) {
  auto session = this->begin();
  must(this->harness().write_row(*session, 1, "one"));
  this->commit(*session);
  must(session->begin(this->soon()));
  must(this->harness().write_row(*session, 2, "two"));
  must(session->rollback());
  must(session->begin(this->soon()));
  must(this->harness().write_row(*session, 3, "three"));
  this->commit(*session);
  EXPECT_EQ(this->harness().rows(), (Rows{{1, "one"}, {3, "three"}}));
}

TYPED_TEST_P(DatabaseUnits, UndoesWhatCameAfterASavepoint) {
  auto session = this->begin();
  must(this->harness().write_row(*session, 1, "one"));
  must(session->savepoint(1));
  must(this->harness().write_row(*session, 2, "two"));
  must(session->rollback_to_savepoint(1));
  must(this->harness().write_row(*session, 3, "three"));
  this->commit(*session);
  EXPECT_EQ(this->harness().rows(), (Rows{{1, "one"}, {3, "three"}}));
}

TYPED_TEST_P(DatabaseUnits, KeepsWhatCameAfterAReleasedSavepoint) {
  auto session = this->begin();
  must(session->savepoint(1));
  must(this->harness().write_row(*session, 1, "one"));
  must(session->release_savepoint(1));
  this->commit(*session);
  EXPECT_EQ(this->harness().rows(), (Rows{{1, "one"}}));
}

TYPED_TEST_P(DatabaseUnits, NestsSavepoints) {
  auto session = this->begin();
  must(session->savepoint(1));
  must(this->harness().write_row(*session, 1, "one"));
  must(session->savepoint(2));
  must(this->harness().write_row(*session, 2, "two"));
  must(session->rollback_to_savepoint(2));
  must(session->savepoint(2));
  must(this->harness().write_row(*session, 3, "three"));
  must(session->release_savepoint(2));
  must(session->release_savepoint(1));
  this->commit(*session);
  EXPECT_EQ(this->harness().rows(), (Rows{{1, "one"}, {3, "three"}}));
}

TYPED_TEST_P(DatabaseUnits, UndoesAReleasedScopeWithTheOneAroundIt) {
  auto session = this->begin();
  must(session->savepoint(1));
  must(session->savepoint(2));
  must(this->harness().write_row(*session, 1, "one"));
  must(session->release_savepoint(2));
  must(session->rollback_to_savepoint(1));
  this->commit(*session);
  EXPECT_EQ(this->harness().rows(), Rows{});
}

TYPED_TEST_P(DatabaseUnits, CommitsTheJournalRowWithTheRows) {
  const std::string payload("any\0bytes\xff", 10);
  auto session = this->begin();
  must(this->harness().write_row(*session, 1, "one"));
  ASSERT_EQ(must(this->journal(*session, {{1, 2, 3, 4}, payload})), ports::JournalReply::inserted);
  this->commit(*session);
  EXPECT_EQ(this->harness().rows(), (Rows{{1, "one"}}));
  const auto row = this->row({1, 2, 3, 4});
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->key, (UnitId{1, 2, 3, 4}));
  EXPECT_EQ(row->payload, payload);
  EXPECT_FALSE(row->adopted || row->tombstone || row->delivered);
}

TYPED_TEST_P(DatabaseUnits, HidesAnUncommittedJournalRow) {
  auto session = this->begin();
  must(this->journal(*session, {{0, 1, 1, 1}, "payload"}));
  EXPECT_FALSE(must(this->database().has_undelivered_below(0, 9)));
  EXPECT_EQ(must(this->database().lanes()).at(0).undelivered, 0u);
  this->commit(*session);
  EXPECT_TRUE(must(this->database().has_undelivered_below(0, 9)));
  EXPECT_EQ(must(this->database().lanes()).at(0).undelivered, 1u);
}

TYPED_TEST_P(DatabaseUnits, CannotCommitAUnitThatHasATombstone) {
  this->insert_tombstone({0, 1, 1, 1});
  auto session = this->begin();
  must(this->harness().write_row(*session, 1, "one"));
  const auto reply = this->journal(*session, {{0, 1, 1, 1}, "payload"});
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::constraint);
  EXPECT_EQ(reply.error().effect, Effect::no);
  must(session->rollback());
  EXPECT_EQ(this->harness().rows(), Rows{});
  EXPECT_TRUE(this->row({0, 1, 1, 1})->tombstone);
}

TYPED_TEST_P(DatabaseUnits, HoldsBackAUnitWhileAnOlderEpochIsUndelivered) {
  this->commit_unit({0, 1, 1, 1});
  auto session = this->begin();
  EXPECT_EQ(must(this->journal(*session, {{0, 2, 1, 1}, "payload", true})), ports::JournalReply::refused_by_order);
  must(session->rollback());
  EXPECT_FALSE(this->row({0, 2, 1, 1}).has_value());
  this->deliver({0, 1, 1, 1});
  must(session->begin(this->soon()));
  EXPECT_EQ(must(this->journal(*session, {{0, 2, 1, 1}, "payload", true})), ports::JournalReply::inserted);
  this->commit(*session);
}

TYPED_TEST_P(DatabaseUnits, HoldsNothingBackForTombstonesAdoptedRowsOtherLanesAndItsOwnEpoch) {
  this->insert_tombstone({0, 1, 1, 1});
  this->commit_unit({0, 1, 1, 2});
  this->adopt({0, 1, 1, 2}, {2, 1});
  this->commit_unit({1, 1, 1, 1});
  this->commit_unit({0, 2, 1, 1});
  auto session = this->begin();
  EXPECT_EQ(must(this->journal(*session, {{0, 2, 1, 2}, "payload", true})), ports::JournalReply::inserted);
  this->commit(*session);
}

TYPED_TEST_P(DatabaseUnits, KeepsProgressPerSource) {
  auto session = this->begin();
  EXPECT_EQ(must(session->progress("a")), std::nullopt);
  EXPECT_TRUE(must(session->advance("a", std::nullopt, "1")));
  EXPECT_EQ(must(session->progress("a")), "1");
  EXPECT_EQ(must(session->progress("b")), std::nullopt);
  EXPECT_EQ(must(this->database().progress("a")), std::nullopt) << "not committed yet";
  this->commit(*session);
  EXPECT_EQ(must(this->database().progress("a")), "1");
}

TYPED_TEST_P(DatabaseUnits, AdvancesProgressOnlyFromTheExpectedPosition) {
  auto session = this->begin();
  EXPECT_FALSE(must(session->advance("a", "0", "1"))) << "there is no row yet";
  EXPECT_TRUE(must(session->advance("a", std::nullopt, "1")));
  EXPECT_FALSE(must(session->advance("a", std::nullopt, "2"))) << "there is a row";
  EXPECT_FALSE(must(session->advance("a", "0", "2")));
  EXPECT_TRUE(must(session->advance("a", "1", "2")));
  this->commit(*session);
  EXPECT_EQ(must(this->database().progress("a")), "2");
}

TYPED_TEST_P(DatabaseUnits, RollsProgressBackWithTheUnit) {
  auto session = this->begin();
  EXPECT_TRUE(must(session->advance("a", std::nullopt, "1")));
  must(session->rollback());
  EXPECT_EQ(must(this->database().progress("a")), std::nullopt);
}

TYPED_TEST_P(DatabaseUnits, SurvivesReopening) {
  auto session = this->begin();
  must(this->harness().write_row(*session, 1, "one"));
  must(this->journal(*session, {{0, 1, 1, 1}, "payload"}));
  EXPECT_TRUE(must(session->advance("a", std::nullopt, "1")));
  this->commit(*session);
  session.reset();
  const auto before = must(this->database().schema());
  this->database_.reset();
  this->database_ = this->harness().open();
  EXPECT_EQ(must(this->database().schema()).database_id, before.database_id);
  EXPECT_EQ(this->harness().rows(), (Rows{{1, "one"}}));
  EXPECT_EQ(this->row({0, 1, 1, 1})->payload, "payload");
  EXPECT_EQ(must(this->database().progress("a")), "1");
}

TYPED_TEST_P(DatabaseUnits, EndsASessionThatIsGone) {
  std::string identity;
  {
    auto session = this->begin();
    identity = session->identity();
  }
  EXPECT_TRUE(this->database().end_session(identity, this->soon()).has_value());
}

REGISTER_TYPED_TEST_SUITE_P(DatabaseUnits, ShowsRowsOnlyAfterTheCommit, LeavesNothingAfterARollback,
                            RollsBackADroppedSession, CarriesOneUnitAfterAnother, UndoesWhatCameAfterASavepoint,
                            KeepsWhatCameAfterAReleasedSavepoint, NestsSavepoints,
                            UndoesAReleasedScopeWithTheOneAroundIt, CommitsTheJournalRowWithTheRows,
                            HidesAnUncommittedJournalRow, CannotCommitAUnitThatHasATombstone,
                            HoldsBackAUnitWhileAnOlderEpochIsUndelivered,
                            HoldsNothingBackForTombstonesAdoptedRowsOtherLanesAndItsOwnEpoch, KeepsProgressPerSource,
                            AdvancesProgressOnlyFromTheExpectedPosition, RollsProgressBackWithTheUnit,
                            SurvivesReopening, EndsASessionThatIsGone);

}  // namespace write_aside::contract
