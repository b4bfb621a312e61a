// Goal: a unit on the caller's own sqlite3* is as good as one on ours, notices what the caller does behind its back,
// and gives the handle back as it was.
// Method: play the caller on a handle with SQLite's C interface, before, between and after the unit's steps.
#include <gtest/gtest.h>

#include "contract/database_harness.hpp"
#include "contract/sqlite_harness.hpp"

namespace write_aside {
namespace {

using contract::must;
using ports::CommitReply;
using ports::JournalReply;

class SqliteBorrowed : public ::testing::Test {
 protected:
  SqliteBorrowed() : database_(harness_.open()), caller_(harness_.path()) { must(database_->create_schema(1)); }

  ports::Deadline soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(5); }
  Result<std::unique_ptr<ports::Session>> borrow() { return BorrowedSession<sqlite3>::borrow(caller_.get()); }
  std::unique_ptr<ports::Session> begin() {
    auto session = must(borrow());
    must(session->begin(soon()));
    return session;
  }
  static Result<JournalReply> journal(ports::Session& session) {
    session.send_journal({{0, 1, 1, 1}, "payload"});
    return session.receive_journal();
  }
  std::string rows() { return harness_.foreign().run("SELECT count(*) FROM user_rows"); }
  std::string journal_rows() { return harness_.foreign().run("SELECT count(*) FROM write_aside_journal"); }
  void expect_free() {
    EXPECT_NE(sqlite3_get_autocommit(caller_.get()), 0) << "the handle is inside a transaction";
    EXPECT_EQ(sqlite3_next_stmt(caller_.get(), nullptr), nullptr) << "a statement is left on the handle";
  }

  contract::SqliteHarness harness_;
  std::shared_ptr<ports::Database> database_;
  contract::ForeignConnection caller_;
};

TEST_F(SqliteBorrowed, CommitsTheCallersRowsWithTheJournalRow) {
  auto session = begin();
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  EXPECT_EQ(must(journal(*session)), JournalReply::inserted);
  EXPECT_EQ(rows(), "0");
  EXPECT_EQ(session->commit(soon()).state, CommitReply::State::committed);
  expect_free();
  EXPECT_EQ(rows(), "1");
  EXPECT_EQ(journal_rows(), "1");
}

TEST_F(SqliteBorrowed, TakesOverTheCallersTransaction) {
  caller_.run("BEGIN");
  caller_.run("INSERT INTO user_rows VALUES (1, 'before')");
  auto session = begin();
  caller_.run("INSERT INTO user_rows VALUES (2, 'after')");
  must(journal(*session));
  EXPECT_EQ(session->commit(soon()).state, CommitReply::State::committed);
  expect_free();
  EXPECT_EQ(rows(), "2");
}

TEST_F(SqliteBorrowed, RollsBackTheTransactionItTookOver) {
  caller_.run("BEGIN");
  caller_.run("INSERT INTO user_rows VALUES (1, 'before')");
  auto session = begin();
  must(session->rollback());
  expect_free();
  EXPECT_EQ(rows(), "0");
}

TEST_F(SqliteBorrowed, RollsBackWhenDropped) {
  {
    auto session = begin();
    caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  }
  expect_free();
  EXPECT_EQ(rows(), "0");
}

TEST_F(SqliteBorrowed, TakesTheWriteLockOfAFreshTransactionAtOnce) {
  caller_.run("BEGIN");
  auto session = begin();
  EXPECT_EQ(sqlite3_txn_state(caller_.get(), "main"), SQLITE_TXN_WRITE);
}

class SqliteBorrowedBehindTheBack : public SqliteBorrowed,
                                    public ::testing::WithParamInterface<contract::BehindTheBack> {};

TEST_P(SqliteBorrowedBehindTheBack, InsertsNoJournalRowAfterTheTransactionEnded) {
  auto session = begin();
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  for (const char* sql : GetParam().statements) caller_.run(sql);
  const auto reply = journal(*session);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::transaction_ended);
  EXPECT_FALSE(session->rollback().has_value()) << "the effect of the caller's rows is unknown";
  expect_free();
  EXPECT_EQ(journal_rows(), "0");
}

TEST_P(SqliteBorrowedBehindTheBack, IsInDoubtWhenItEndedAfterTheJournalRow) {
  auto session = begin();
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  must(journal(*session));
  for (const char* sql : GetParam().statements) caller_.run(sql);
  const auto reply = session->commit(soon());
  EXPECT_EQ(reply.state, CommitReply::State::in_doubt);
  EXPECT_EQ(reply.error->code, ErrorCode::transaction_ended);
  EXPECT_EQ(reply.error->effect, Effect::unknown);
  expect_free();
  EXPECT_EQ(rows(), journal_rows()) << "together or not at all";
}

INSTANTIATE_TEST_SUITE_P(Caller, SqliteBorrowedBehindTheBack,
                         ::testing::Values(contract::BehindTheBack{"Commits", {"COMMIT"}},
                                           contract::BehindTheBack{"RollsBack", {"ROLLBACK"}},
                                           contract::BehindTheBack{"CommitsAndBegins", {"COMMIT", "BEGIN"}},
                                           contract::BehindTheBack{
                                               "CommitsAndWritesOn",
                                               {"COMMIT", "BEGIN IMMEDIATE", "UPDATE user_rows SET text = 'b'"}},
                                           contract::BehindTheBack{"RollsBackAndBegins", {"ROLLBACK", "BEGIN"}}),
                         [](const auto& test_case) { return std::string(test_case.param.name); });

TEST_F(SqliteBorrowed, NoticesARollbackToAnOuterSavepoint) {
  caller_.run("SAVEPOINT outer_one");
  auto session = begin();
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  caller_.run("ROLLBACK TO outer_one");
  EXPECT_EQ(journal(*session).error().code, ErrorCode::transaction_ended);
}

TEST_F(SqliteBorrowed, LeavesTheCallersSavepointsInsideTheUnitAlone) {
  auto session = begin();
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  caller_.run("SAVEPOINT inner_one");
  caller_.run("INSERT INTO user_rows VALUES (2, 'b')");
  caller_.run("ROLLBACK TO inner_one");
  must(journal(*session));
  EXPECT_EQ(session->commit(soon()).state, CommitReply::State::committed);
  EXPECT_EQ(rows(), "1");
}

TEST_F(SqliteBorrowed, ProvesTheRollbackOfItsOwnStatement) {
  auto session = begin();
  must(session->execute("INSERT INTO user_rows VALUES (1, 'a')", {}));
  EXPECT_FALSE(session->execute("INSERT OR ROLLBACK INTO user_rows VALUES (1, 'b')", {}).has_value());
  EXPECT_EQ(journal(*session).error().code, ErrorCode::transaction_ended);
  EXPECT_EQ(session->commit(soon()).state, CommitReply::State::aborted);
  expect_free();
  EXPECT_EQ(rows(), "0");
}

TEST_F(SqliteBorrowed, RefusesTheCallersCommitThroughTheUnit) {
  auto session = begin();
  EXPECT_EQ(session->execute("COMMIT", {}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(session->commit(soon()).state, CommitReply::State::committed);
}

TEST_F(SqliteBorrowed, KeepsTheCallersSettings) {
  caller_.run("PRAGMA busy_timeout = 1234");
  caller_.run("PRAGMA foreign_keys = OFF");
  sqlite3_extended_result_codes(caller_.get(), 0);
  {
    auto session = begin();
    EXPECT_EQ(session->commit(soon()).state, CommitReply::State::committed);
  }
  EXPECT_EQ(caller_.run("PRAGMA busy_timeout"), "1234");
  EXPECT_EQ(caller_.run("PRAGMA foreign_keys"), "0");
  EXPECT_EQ(caller_.run("PRAGMA synchronous"), "2");
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  EXPECT_EQ(sqlite3_exec(caller_.get(), "INSERT INTO user_rows VALUES (1, 'b')", nullptr, nullptr, nullptr),
            SQLITE_CONSTRAINT);
}

TEST_F(SqliteBorrowed, KnowsATombstonesConflictWithoutExtendedCodes) {
  auto transaction = must(database_->own_transaction(soon()));
  ASSERT_TRUE(must(transaction->insert_tombstone({0, 1, 1, 1})));
  ASSERT_EQ(transaction->commit().state, CommitReply::State::committed);
  transaction.reset();
  sqlite3_extended_result_codes(caller_.get(), 0);
  auto session = begin();
  const auto reply = journal(*session);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().driver, "SQLITE_CONSTRAINT_PRIMARYKEY (1555)");
  must(session->rollback());
  expect_free();
}

TEST_F(SqliteBorrowed, AbortsWhileAStatementOfTheCallersIsUnfinished) {
  caller_.run("INSERT INTO user_rows VALUES (1, 'a'), (2, 'b')");
  auto session = begin();
  must(journal(*session));
  sqlite3_stmt* unfinished = nullptr;
  ASSERT_EQ(sqlite3_prepare_v2(caller_.get(), "UPDATE user_rows SET text = 'c' RETURNING id", -1, &unfinished, nullptr),
            SQLITE_OK);
  ASSERT_EQ(sqlite3_step(unfinished), SQLITE_ROW);
  const auto reply = session->commit(soon());
  EXPECT_EQ(reply.state, CommitReply::State::aborted);
  EXPECT_NE(sqlite3_get_autocommit(caller_.get()), 0);
  sqlite3_finalize(unfinished);
  expect_free();
  EXPECT_EQ(harness_.foreign().run("SELECT text FROM user_rows"), "a");
  EXPECT_EQ(journal_rows(), "0");
}

TEST_F(SqliteBorrowed, BelievesNoFailureThatComesAfterTheCommit) {
  // A caller's WAL hook runs after the commit, and its code takes the place of SQLITE_OK.
  const auto fail = [](void*, sqlite3*, const char*, int) { return SQLITE_FULL; };
  sqlite3_wal_hook(caller_.get(), fail, nullptr);
  auto session = begin();
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  must(journal(*session));
  EXPECT_EQ(session->commit(soon()).state, CommitReply::State::in_doubt);
  expect_free();
  EXPECT_EQ(rows(), "1");
}

TEST_F(SqliteBorrowed, IsBusyWhileAnotherConnectionWrites) {
  harness_.foreign().run("BEGIN IMMEDIATE");
  auto session = must(borrow());
  const auto begun = session->begin(std::chrono::steady_clock::now() + std::chrono::milliseconds(20));
  ASSERT_FALSE(begun.has_value());
  EXPECT_EQ(begun.error().code, ErrorCode::busy);
  EXPECT_TRUE(begun.error().retriable);
  harness_.foreign().run("COMMIT");
  must(session->begin(soon()));
}

TEST_F(SqliteBorrowed, TellsAStaleSnapshotFromABusyFile) {
  caller_.run("BEGIN");
  caller_.run("SELECT count(*) FROM user_rows");
  auto session = begin();
  harness_.foreign().run("INSERT INTO user_rows VALUES (1, 'meanwhile')");
  const auto written = session->execute("INSERT INTO user_rows VALUES (2, 'b')", {});
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code, ErrorCode::conflict);
  EXPECT_TRUE(written.error().retriable);
  EXPECT_EQ(written.error().driver, "SQLITE_BUSY_SNAPSHOT (517)");
}

TEST_F(SqliteBorrowed, RefusesAHandleWhoseCommitsAreNotDurable) {
  caller_.run("PRAGMA synchronous = NORMAL");
  const auto refused = borrow();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(refused.error().message.find("PRAGMA synchronous=FULL"), std::string::npos) << refused.error().message;
  caller_.run("PRAGMA synchronous = EXTRA");
  EXPECT_TRUE(borrow().has_value());
}

TEST_F(SqliteBorrowed, RefusesAHandleWithoutAJournalOnDisk) {
  contract::ForeignConnection memory(":memory:");
  const auto refused = BorrowedSession<sqlite3>::borrow(memory.get());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(BorrowedSession<sqlite3>::borrow(nullptr).error().code, ErrorCode::invalid_argument);
}

TEST_F(SqliteBorrowed, RefusesAHandleOnADatabaseWithoutTables) {
  contract::TemporaryFolder folder;
  contract::ForeignConnection other((folder.path() / "other.db").string());
  const auto refused = BorrowedSession<sqlite3>::borrow(other.get());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::not_initialised);
}

TEST_F(SqliteBorrowed, TellsWhichDatabaseTheHandleIsOn) {
  EXPECT_EQ(must(borrow())->database_id(), must(database_->schema()).database_id);
}

}  // namespace
}  // namespace write_aside
