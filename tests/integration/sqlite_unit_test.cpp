// Goal: what a user runs in a unit on SQLite commits whole or not at all, and what would end or weaken the transaction
// is refused with a reason.
// Method: real files, statements through a session, a look from another connection.
#include <gtest/gtest.h>

#include <thread>

#include "contract/database_harness.hpp"
#include "contract/sqlite_harness.hpp"

namespace write_aside {
namespace {

using contract::must;
using ports::CommitReply;

class SqliteUnit : public ::testing::Test {
 protected:
  SqliteUnit() : database_(harness_.open()) { must(database_->create_schema(1)); }

  ports::Deadline soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(5); }
  std::unique_ptr<ports::Session> begin() {
    auto session = must(database_->session(soon()));
    must(session->begin(soon()));
    return session;
  }
  static Result<Rows> run(ports::Session& session, std::string_view sql,
                          std::initializer_list<Parameter> parameters = {}) {
    return session.execute(sql, std::span(parameters.begin(), parameters.size()));
  }
  std::string count() { return harness_.foreign().run("SELECT count(*) FROM user_rows"); }

  contract::SqliteHarness harness_;
  std::shared_ptr<ports::Database> database_;
};

TEST_F(SqliteUnit, GivesBackEveryKindOfValue) {
  auto session = begin();
  const std::string bytes("\0\xff", 2);
  const auto rows = must(run(*session, "SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e, ? AS f, ? AS g",
                             {nullptr, 7, 1.5, "text", BlobView{bytes}, true, ""}));
  EXPECT_EQ(rows.columns, (std::vector<std::string>{"a", "b", "c", "d", "e", "f", "g"}));
  ASSERT_EQ(rows.rows.size(), 1u);
  EXPECT_EQ(rows.rows[0],
            (std::vector<Value>{std::monostate{}, std::int64_t{7}, 1.5, "text", Blob{bytes}, std::int64_t{1}, ""}));
  EXPECT_EQ(rows.changed, 0);
}

TEST_F(SqliteUnit, CountsTheRowsThatAStatementChanged) {
  auto session = begin();
  EXPECT_EQ(must(run(*session, "INSERT INTO user_rows VALUES (1, 'a'), (2, 'b')")).changed, 2);
  EXPECT_EQ(must(run(*session, "SELECT * FROM user_rows")).changed, 0);
  EXPECT_EQ(must(run(*session, "CREATE TABLE other(x)")).changed, 0);
  EXPECT_EQ(must(run(*session, "UPDATE user_rows SET text = 'c' WHERE id = 9")).changed, 0);
  const auto rows = must(run(*session, "UPDATE user_rows SET text = 'c' RETURNING id"));
  EXPECT_EQ(rows.changed, 2);
  EXPECT_EQ(rows.rows.size(), 2u);
}

TEST_F(SqliteUnit, RefusesStatementsThatAreNotForUnits) {
  auto session = begin();
  must(run(*session, "INSERT INTO user_rows VALUES (1, 'a')"));
  for (const char* sql : {"COMMIT",
                          "commit transaction",
                          "END",
                          "ROLLBACK",
                          " ;; BEGIN",
                          "-- why\nCOMMIT",
                          "/* why */ COMMIT;",
                          "\xEF\xBB\xBF/**/COMMIT",
                          "SAVEPOINT s",
                          "RELEASE s",
                          "ROLLBACK TO s",
                          "ATTACH 'other.db' AS other",
                          "DETACH other",
                          "PRAGMA journal_mode = DELETE",
                          "PRAGMA main.synchronous(off)",
                          "pragma \"query_only\"=1",
                          "PRAGMA [main] . [locking_mode] = EXCLUSIVE",
                          "",
                          "  ",
                          ";",
                          "-- nothing",
                          "SELECT 1; SELECT 2",
                          "SELECT 1; -- nothing\n SELECT 2"}) {
    const auto refused = run(*session, sql);
    ASSERT_FALSE(refused.has_value()) << sql;
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument) << sql << ": " << refused.error().message;
    EXPECT_EQ(refused.error().side, Side::caller) << sql;
    EXPECT_EQ(refused.error().effect, Effect::no) << sql;
  }
  EXPECT_FALSE(run(*session, std::string_view("SELECT 1\0; COMMIT", 17)).has_value());
  EXPECT_EQ(must(run(*session, "PRAGMA query_only")).rows.at(0).at(0), Value(std::int64_t{0})) << "it was run";
  EXPECT_EQ(session->commit(soon()).state, CommitReply::State::committed);
  EXPECT_EQ(count(), "1");
}

TEST_F(SqliteUnit, AllowsWhatEndsInBlanksAndWhatReadsSettings) {
  auto session = begin();
  for (const char* sql : {"SELECT 1 ; ", "SELECT 1; -- the end", "SELECT 1 /* open", "PRAGMA table_info(user_rows)",
                          "PRAGMA defer_foreign_keys = ON", "EXPLAIN COMMIT"}) {
    EXPECT_TRUE(run(*session, sql).has_value()) << sql;
  }
  EXPECT_EQ(must(run(*session, "PRAGMA synchronous")).rows.at(0).at(0), Value(std::int64_t{2})) << "FULL";
  EXPECT_EQ(must(run(*session, "PRAGMA journal_mode")).rows.at(0).at(0), Value("wal"));
}

TEST_F(SqliteUnit, RefusesAStatementWhoseTextItHasPreparedForItself) {
  auto session = begin();
  EXPECT_EQ(session->commit(soon()).state, CommitReply::State::committed);  // "COMMIT" is prepared now
  must(session->begin(soon()));
  EXPECT_FALSE(run(*session, "COMMIT").has_value());
}

TEST_F(SqliteUnit, NamesTheNumbersWhenParametersDoNotMatch) {
  auto session = begin();
  const auto refused = run(*session, "INSERT INTO user_rows VALUES (?, ?)", {1});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(refused.error().message.find("2 parameters, but 1 values"), std::string::npos) << refused.error().message;
}

TEST_F(SqliteUnit, GoesOnAfterARefusedRow) {
  auto session = begin();
  must(run(*session, "INSERT INTO user_rows VALUES (1, 'a')"));
  const auto refused = run(*session, "INSERT INTO user_rows VALUES (2, 'b'), (1, 'again')");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::constraint);
  EXPECT_EQ(refused.error().effect, Effect::no);
  EXPECT_EQ(refused.error().driver, "SQLITE_CONSTRAINT_PRIMARYKEY (1555)");
  EXPECT_EQ(run(*session, "SELECT * FROM nothing").error().code, ErrorCode::statement);
  EXPECT_EQ(session->commit(soon()).state, CommitReply::State::committed);
  EXPECT_EQ(count(), "1");
}

TEST_F(SqliteUnit, CommitsNothingAfterAStatementThatRolledBackTheTransaction) {
  auto session = begin();
  must(run(*session, "INSERT INTO user_rows VALUES (1, 'a')"));
  const auto lost = run(*session, "INSERT OR ROLLBACK INTO user_rows VALUES (1, 'again')");
  ASSERT_FALSE(lost.has_value());
  EXPECT_NE(lost.error().message.find("rolled the whole unit back"), std::string::npos) << lost.error().message;
  EXPECT_FALSE(run(*session, "INSERT INTO user_rows VALUES (2, 'alone')").has_value());
  session->send_journal({{0, 1, 1, 1}, "payload"});
  EXPECT_EQ(session->receive_journal().error().code, ErrorCode::transaction_ended);
  EXPECT_EQ(session->commit(soon()).state, CommitReply::State::aborted);
  EXPECT_EQ(count(), "0");
  must(session->begin(soon()));
  must(run(*session, "INSERT INTO user_rows VALUES (3, 'next')"));
  EXPECT_EQ(session->commit(soon()).state, CommitReply::State::committed);
  EXPECT_EQ(count(), "1");
}

TEST_F(SqliteUnit, AbortsWhenADeferredConstraintFailsAtTheCommit) {
  harness_.foreign().run("CREATE TABLE parent(id INTEGER PRIMARY KEY)");
  harness_.foreign().run("CREATE TABLE child(parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED)");
  auto session = begin();
  must(run(*session, "INSERT INTO user_rows VALUES (1, 'a')"));
  must(run(*session, "INSERT INTO child VALUES (7)"));
  const auto reply = session->commit(soon());
  EXPECT_EQ(reply.state, CommitReply::State::aborted);
  EXPECT_EQ(reply.error->code, ErrorCode::constraint);
  EXPECT_EQ(reply.error->effect, Effect::no);
  EXPECT_EQ(count(), "0");
  must(session->begin(soon()));
}

TEST_F(SqliteUnit, SaysThatTheFileIsFullAndCommitsNothing) {
  auto session = begin();
  must(run(*session, "INSERT INTO user_rows VALUES (1, 'a')"));
  must(run(*session, "PRAGMA max_page_count = 1"));  // no page more than there are
  const std::string large(1'000'000, 'x');
  const auto full = run(*session, "INSERT INTO user_rows VALUES (2, ?)", {large});
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().code, ErrorCode::storage_full);
  EXPECT_EQ(full.error().driver, "SQLITE_FULL (13)");
  // SQLite undoes the statement or the whole unit; a half of the statement is never there.
  const auto reply = session->commit(soon());
  EXPECT_NE(reply.state, CommitReply::State::in_doubt);
  EXPECT_EQ(count(), reply.state == CommitReply::State::committed ? "1" : "0");
}

TEST_F(SqliteUnit, SeesAChangedTableThroughAPreparedStatement) {
  auto session = begin();
  EXPECT_EQ(must(run(*session, "SELECT * FROM user_rows")).columns.size(), 2u);
  must(run(*session, "ALTER TABLE user_rows ADD COLUMN more"));
  EXPECT_EQ(must(run(*session, "SELECT * FROM user_rows")).columns.size(), 3u);
}

TEST_F(SqliteUnit, LetsUnitsOfOneProcessTakeTurns) {
  auto first = begin();
  must(run(*first, "INSERT INTO user_rows VALUES (1, 'first')"));
  std::thread other([&] {
    auto second = begin();
    must(run(*second, "INSERT INTO user_rows SELECT 2, 'after ' || text FROM user_rows"));
    EXPECT_EQ(second->commit(soon()).state, CommitReply::State::committed);
  });
  EXPECT_EQ(first->commit(soon()).state, CommitReply::State::committed);
  other.join();
  EXPECT_EQ(harness_.rows(), (std::map<int, std::string>{{1, "first"}, {2, "after first"}}));
}

TEST_F(SqliteUnit, IsBusyWhenTheTurnDoesNotComeInTime) {
  auto first = begin();
  auto second = must(database_->session(soon()));
  const auto begun = second->begin(std::chrono::steady_clock::now() + std::chrono::milliseconds(20));
  ASSERT_FALSE(begun.has_value());
  EXPECT_EQ(begun.error().code, ErrorCode::busy);
  EXPECT_TRUE(begun.error().retriable);
  must(first->rollback());
  must(second->begin(soon()));
}

TEST_F(SqliteUnit, NeverWaitsWithoutABusyTimeout) {
  sqlite::Options options;
  options.busy_timeout = std::chrono::milliseconds(0);
  auto impatient = harness_.open(options);
  const auto far = std::chrono::steady_clock::now() + std::chrono::hours(1);
  auto first = must(impatient->session(far));
  must(first->begin(far));
  // Both would wait for an hour.
  EXPECT_EQ(must(impatient->session(far))->begin(far).error().code, ErrorCode::busy);
  EXPECT_EQ(impatient->own_transaction(far).error().code, ErrorCode::busy);
  must(first->rollback());
  harness_.foreign().run("BEGIN IMMEDIATE");
  const auto begun = first->begin(far);
  EXPECT_EQ(begun.error().code, ErrorCode::busy);
  EXPECT_TRUE(begun.error().retriable);
  EXPECT_EQ(begun.error().driver, "SQLITE_BUSY (5)");
  harness_.foreign().run("ROLLBACK");
  must(first->begin(far));
}

TEST_F(SqliteUnit, WaitsForAnotherConnectionUntilTheDeadline) {
  harness_.foreign().run("BEGIN IMMEDIATE");
  auto session = must(database_->session(soon()));
  const auto begun = session->begin(std::chrono::steady_clock::now() + std::chrono::milliseconds(20));
  EXPECT_EQ(begun.error().code, ErrorCode::busy);
  std::thread waiting([&] { must(session->begin(soon())); });
  harness_.foreign().run("COMMIT");
  waiting.join();
  must(run(*session, "INSERT INTO user_rows VALUES (1, 'a')"));
  EXPECT_EQ(session->commit(soon()).state, CommitReply::State::committed);
}

TEST_F(SqliteUnit, NeedsAUnitToRunIn) {
  auto session = must(database_->session(soon()));
  EXPECT_FALSE(run(*session, "SELECT 1").has_value());
  EXPECT_EQ(session->commit(soon()).state, CommitReply::State::aborted);
  must(session->begin(soon()));
  EXPECT_FALSE(session->begin(soon()).has_value());
}

}  // namespace
}  // namespace write_aside
