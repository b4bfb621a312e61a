// Goal: a unit runs the user's statements as PostgreSQL would, at every isolation level, and refuses what would break
// its transaction or stay on the connection. Method: statements of each kind on a real server.
#include <limits>

#include "integration/postgresql_fixture.hpp"

namespace write_aside {
namespace {

using contract::must;
using ports::CommitReply;
using ports::JournalReply;
using postgresql::Isolation;
using State = CommitReply::State;

class PostgresqlUnit : public PostgresqlTest {};

TEST_F(PostgresqlUnit, GivesBackEveryTypeThatAValueHas) {
  auto session = begin();
  const std::string bytes("\0\x01\xff'\\", 5);
  EXPECT_EQ(value(*session, "SELECT $1::bigint", {std::numeric_limits<std::int64_t>::min()}),
            Value(std::numeric_limits<std::int64_t>::min()));
  EXPECT_EQ(value(*session, "SELECT $1::smallint", {-7}), Value(std::int64_t{-7}));
  EXPECT_EQ(value(*session, "SELECT $1::double precision", {0.1}), Value(0.1));
  EXPECT_EQ(value(*session, "SELECT $1::real", {-0.5}), Value(-0.5));
  EXPECT_EQ(value(*session, "SELECT $1::double precision", {std::numeric_limits<double>::infinity()}),
            Value(std::numeric_limits<double>::infinity()));
  EXPECT_EQ(value(*session, "SELECT $1::boolean", {true}), Value(true));
  EXPECT_EQ(value(*session, "SELECT $1::text", {"gr\xc3\xbc\xc3\x9f"}), Value(std::string("gr\xc3\xbc\xc3\x9f")));
  EXPECT_EQ(value(*session, "SELECT $1::bytea", {BlobView{bytes}}), Value(Blob{bytes}));
  EXPECT_EQ(value(*session, "SELECT $1::bytea", {BlobView{""}}), Value(Blob{}));
  EXPECT_EQ(value(*session, "SELECT $1::text", {nullptr}), Value(std::monostate{}));
  EXPECT_EQ(value(*session, "SELECT 12345678901234567890.5::numeric"), Value(std::string("12345678901234567890.5")));
}

TEST_F(PostgresqlUnit, InfersTypesFromTheStatement) {
  auto session = begin();
  must(execute(*session, "CREATE TABLE kinds(i integer, n numeric, t text, d date, j jsonb, b boolean)"));
  const auto inserted = must(execute(*session, "INSERT INTO kinds VALUES ($1, $2, $3, $4, $5, $6) RETURNING d, j->>'a'",
                                     {17, 1.5, 42, "2026-11-24", R"({"a":1})", true}));
  EXPECT_EQ(inserted.changed, 1);
  EXPECT_EQ(inserted.columns, (std::vector<std::string>{"d", "?column?"}));
  EXPECT_EQ(inserted.rows.at(0).at(0), Value(std::string("2026-11-24")));
  EXPECT_EQ(value(*session, "SELECT t FROM kinds"), Value(std::string("42")));
}

TEST_F(PostgresqlUnit, CountsChangedRowsAndNoReadOnes) {
  auto session = begin();
  EXPECT_EQ(must(execute(*session, "INSERT INTO user_rows SELECT g, 'x' FROM generate_series(1, 5) g")).changed, 5);
  EXPECT_EQ(must(execute(*session, "UPDATE user_rows SET text = 'y' WHERE id > 3")).changed, 2);
  EXPECT_EQ(must(execute(*session, "DELETE FROM user_rows WHERE id = 1")).changed, 1);
  const auto read = must(execute(*session, "SELECT id FROM user_rows ORDER BY id"));
  EXPECT_EQ(read.changed, 0);
  EXPECT_EQ(read.rows.size(), 4u);
  EXPECT_EQ(must(execute(*session, "SELECT id FROM user_rows WHERE false")).columns, std::vector<std::string>{"id"});
}

TEST_F(PostgresqlUnit, RunsManyStatementsInOrder) {
  auto session = begin();
  const std::string large(10'000, 'x');
  std::vector<std::vector<Parameter>> parameters;
  std::vector<std::string> texts;
  for (int i = 0; i < 400; ++i) {
    parameters.push_back({i, std::string_view(large)});
    // More different ones than the connection keeps prepared.
    texts.push_back("UPDATE user_rows SET text = text || $1 || $2 WHERE id = -" + std::to_string(i));
  }
  std::vector<Statement> statements;
  for (int i = 0; i < 400; ++i) {
    statements.push_back({"INSERT INTO user_rows VALUES ($1, $2)", parameters[static_cast<std::size_t>(i)]});
    statements.push_back({texts[static_cast<std::size_t>(i)], parameters[static_cast<std::size_t>(i)]});
    statements.push_back({"SELECT * FROM user_rows", {}});
  }
  std::size_t failed = 0;
  must(session->execute_all(statements, failed));
  EXPECT_EQ(failed, statements.size());
  EXPECT_EQ(value(*session, "SELECT count(*) FROM user_rows"), Value(std::int64_t{400}));
  must(session->execute_all(std::span(statements).subspan(1, 1), failed));
}

TEST_F(PostgresqlUnit, NamesTheFirstOfManyStatementsThatFails) {
  auto session = begin();
  const std::vector<Parameter> one{1, "one"};
  const std::string_view insert = "INSERT INTO user_rows VALUES ($1, $2)";
  std::size_t failed = 0;
  must(session->savepoint(1));
  const std::vector<Statement> twice{{"SELECT 1", {}}, {insert, one}, {"SELECT 2", {}}, {insert, one}, {"COMMIT", {}}};
  auto done = session->execute_all(twice, failed);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(failed, 3u);
  EXPECT_EQ(done.error().code, ErrorCode::constraint);
  must(session->rollback_to_savepoint(1));
  done = session->execute_all(std::vector<Statement>{{insert, one}, {"COMMIT", {}}, {insert, one}}, failed);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(failed, 1u);
  EXPECT_EQ(value(*session, "SELECT count(*) FROM user_rows"), Value(std::int64_t{1}));
}

TEST_F(PostgresqlUnit, RefusesWhatWouldEndTheTransactionOrStayOnTheConnection) {
  for (const char* sql : {"COMMIT",
                          "  commit ;",
                          "-- a\ncommit",
                          "/* a /* b */ c */ END",
                          "ROLLBACK",
                          "abort",
                          "BEGIN",
                          "start transaction",
                          "SAVEPOINT a",
                          "release a",
                          "ROLLBACK TO a",
                          "PREPARE TRANSACTION 'a'",
                          "prepare p as select 1",
                          "EXECUTE p",
                          "deallocate all",
                          "COPY user_rows FROM STDIN",
                          "copy user_rows to stdout",
                          "LISTEN a",
                          "DISCARD ALL",
                          "RESET ALL",
                          "SET search_path = x",
                          "SET SESSION work_mem = '1MB'",
                          "SET LOCAL synchronous_commit = off",
                          "SELECT set_config('Synchronous_Commit', 'off', true)",
                          "",
                          "  ;  ",
                          "-- nothing"}) {
    SCOPED_TRACE(sql);
    auto session = begin();
    must(execute(*session, "DELETE FROM user_rows"));
    const auto refused = execute(*session, sql);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument) << refused.error().message;
    EXPECT_EQ(refused.error().side, Side::caller);
    EXPECT_EQ(refused.error().effect, Effect::no);
    must(harness_.write_row(*session, 1, "one"));
    EXPECT_EQ(session->commit(soon()).state, State::committed) << "the unit goes on";
    expect_rows("1", "0");
  }
}

TEST_F(PostgresqlUnit, RefusesSeveralStatementsInOne) {
  auto session = begin();
  EXPECT_EQ(execute(*session, "INSERT INTO user_rows VALUES (1, 'a'); COMMIT").error().driver, "42601");
  EXPECT_EQ(session->commit(soon()).state, State::aborted);
  expect_rows("0", "0");
}

TEST_F(PostgresqlUnit, RefusesANulInTextAndInStatements) {
  auto session = begin();
  EXPECT_EQ(execute(*session, std::string_view("SELECT 1\0; SELECT 2", 19)).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(execute(*session, "SELECT $1::text", {std::string_view("a\0b", 3)}).error().code,
            ErrorCode::invalid_argument);
  EXPECT_EQ(value(*session, "SELECT 1"), Value(std::int64_t{1}));
}

TEST_F(PostgresqlUnit, AllowsSettingsThatEndWithTheUnit) {
  auto session = begin();
  must(execute(*session, "SET LOCAL search_path = pg_catalog"));
  must(journal(*session));
  EXPECT_EQ(session->commit(soon()).state, State::committed);
  expect_rows("0", "1");
  must(session->begin(soon()));
  must(harness_.write_row(*session, 1, "one"));
}

TEST_F(PostgresqlUnit, KeepsATemporaryTableFromPassingForOurs) {
  auto session = begin();
  must(execute(*session, "CREATE TEMP TABLE write_aside_journal (LIKE write_aside_journal) ON COMMIT DROP"));
  must(journal(*session));
  EXPECT_EQ(session->commit(soon()).state, State::committed);
  expect_rows("0", "1");
}

TEST_F(PostgresqlUnit, RunsNothingMoreAfterAFailedStatement) {
  auto session = begin();
  must(harness_.write_row(*session, 1, "one"));
  const auto failed = execute(*session, "SELECT * FROM no_such_table");
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::statement);
  EXPECT_EQ(failed.error().driver, "42P01");
  EXPECT_EQ(failed.error().effect, Effect::no);
  EXPECT_NE(failed.error().message.find("savepoint"), std::string::npos) << failed.error().message;
  EXPECT_EQ(execute(*session, "SELECT 1").error().driver, "42P01") << "the first failure stays the reason";
  EXPECT_EQ(journal(*session).error().driver, "42P01");
  const CommitReply reply = session->commit(soon());
  EXPECT_EQ(reply.state, State::aborted);
  EXPECT_EQ(reply.error->driver, "42P01, ROLLBACK");
  expect_rows("0", "0");
}

TEST_F(PostgresqlUnit, FailsWithItsFirstStatementAsWithAnyOther) {
  auto session = begin();
  EXPECT_EQ(execute(*session, "SELECT 1/0").error().driver, "22012");
  EXPECT_EQ(session->commit(soon()).state, State::aborted);
  must(session->begin(soon()));
  EXPECT_EQ(execute(*session, "SELEC 1").error().driver, "42601");
  must(session->rollback());
  must(session->begin(soon()));
  EXPECT_EQ(value(*session, "SELECT 1"), Value(std::int64_t{1}));
}

TEST_F(PostgresqlUnit, GoesOnAfterAFailureInsideASavepoint) {
  auto session = begin();
  must(harness_.write_row(*session, 1, "one"));
  must(session->savepoint(1));
  EXPECT_EQ(harness_.write_row(*session, 1, "again").error().code, ErrorCode::constraint);
  EXPECT_FALSE(session->release_savepoint(1).has_value());
  must(session->rollback_to_savepoint(1));
  must(harness_.write_row(*session, 2, "two"));
  must(journal(*session));
  EXPECT_EQ(session->commit(soon()).state, State::committed);
  expect_rows("2", "1");
}

TEST_F(PostgresqlUnit, NamesNoValuesOfRowsInItsErrors) {
  auto session = begin();
  must(harness_.write_row(*session, 4711, "one"));
  const auto failed = harness_.write_row(*session, 4711, "again");
  EXPECT_EQ(failed.error().driver, "23505");
  EXPECT_EQ(failed.error().message.find("4711"), std::string::npos) << failed.error().message;
}

TEST_F(PostgresqlUnit, PreparesAnewWhatATableChangeMadeStale) {
  auto session = begin();
  for (int i = 0; i < 3; ++i) must(execute(*session, "SELECT * FROM user_rows"));
  must(session->rollback());
  foreign().run("ALTER TABLE user_rows ADD COLUMN more integer");
  must(session->begin(soon()));
  const auto stale = execute(*session, "SELECT * FROM user_rows");
  ASSERT_FALSE(stale.has_value());
  EXPECT_TRUE(stale.error().retriable) << stale.error().message;
  must(session->rollback());
  must(session->begin(soon()));
  EXPECT_EQ(must(execute(*session, "SELECT * FROM user_rows")).columns.size(), 3u);
}

TEST_F(PostgresqlUnit, StaysUsableOverManyDifferentStatements) {
  auto session = begin();
  for (int i = 0; i < 600; ++i) {
    const std::string sql = "SELECT " + std::to_string(i);
    for (int twice = 0; twice < 2; ++twice) EXPECT_EQ(value(*session, sql), Value(std::int64_t{i}));
  }
  const auto prepared = std::get<std::int64_t>(value(*session, "SELECT count(*) FROM pg_prepared_statements"));
  EXPECT_LE(prepared, 257);
  EXPECT_EQ(session->commit(soon()).state, State::committed);
}

TEST_F(PostgresqlUnit, RefusesAResultWithoutBound) {
  auto session = begin();
  const auto many = execute(*session, "SELECT g FROM generate_series(1, 1000001) g");
  ASSERT_FALSE(many.has_value());
  EXPECT_EQ(many.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(value(*session, "SELECT 1"), Value(std::int64_t{1}));
}

class PostgresqlImpatient : public PostgresqlTest {
 protected:
  PostgresqlImpatient() : PostgresqlTest({.statement_timeout = std::chrono::milliseconds(200)}) {}
};

TEST_F(PostgresqlImpatient, WaitsForAStatementNoLongerThanItsTimeout) {
  auto session = begin();
  must(harness_.write_row(*session, 1, "one"));
  const auto slow = execute(*session, "SELECT pg_sleep(30)");
  ASSERT_FALSE(slow.has_value());
  EXPECT_EQ(slow.error().code, ErrorCode::timeout);
  EXPECT_EQ(slow.error().effect, Effect::no);
  EXPECT_EQ(session->commit(soon()).state, State::aborted) << "no COMMIT was sent";
  expect_rows("0", "0");
  must(session->begin(soon()));
  must(harness_.write_row(*session, 2, "two"));
  EXPECT_EQ(session->commit(soon()).state, State::committed);
}

class PostgresqlIsolation : public PostgresqlTest, public ::testing::WithParamInterface<Isolation> {
 protected:
  PostgresqlIsolation() : PostgresqlTest({.isolation = GetParam()}) {}
};

TEST_P(PostgresqlIsolation, CommitsRowsAndJournalTogether) {
  auto session = begin();
  must(harness_.write_row(*session, 1, "one"));
  EXPECT_EQ(must(journal(*session)), JournalReply::inserted);
  EXPECT_EQ(session->commit(soon()).state, State::committed);
  expect_rows("1", "1");
}

TEST_P(PostgresqlIsolation, HoldsBackAUnitThatBeganAfterALateOneCommitted) {
  auto late = begin();
  must(journal(*late, {0, 1, 1, 1}));
  EXPECT_EQ(late->commit(soon()).state, State::committed);
  auto session = begin();
  must(harness_.write_row(*session, 1, "one"));
  session->send_journal({{0, 2, 1, 1}, "payload", true});
  EXPECT_EQ(must(session->receive_journal()), JournalReply::refused_by_order);
  EXPECT_EQ(value(*session, "SELECT current_setting('jit')"), Value(std::string("off")));
}

TEST_P(PostgresqlIsolation, LetsNoUnitOvertakeALateOneThatItWaitedFor) {
  must(harness_.write_row(*begin(), 9, "rolled back"));
  foreign().run("INSERT INTO user_rows VALUES (1, 'start')");
  auto late = begin();
  must(execute(*late, "UPDATE user_rows SET text = 'late' WHERE id = 1"));
  must(journal(*late, {0, 1, 1, 1}));
  auto session = begin();
  must(execute(*session, "SELECT 1"));  // fixes the snapshot, where there is one for the unit
  bool refused = false;
  std::thread waiting([&] {
    const auto updated = execute(*session, "UPDATE user_rows SET text = 'new' WHERE id = 1");
    if (!updated) {
      refused = updated.error().code == ErrorCode::conflict;
      return;
    }
    session->send_journal({{0, 2, 1, 1}, "payload", true});
    refused = must(session->receive_journal()) == JournalReply::refused_by_order;
  });
  wait_until([&] {
    return foreign().run("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = " + pid_of(*session)) != "0";
  });
  EXPECT_EQ(late->commit(soon()).state, State::committed);
  waiting.join();
  EXPECT_TRUE(refused);
}

TEST_P(PostgresqlIsolation, KeepsOurOwnTransactionsAtReadCommitted) {
  foreign().run("ALTER DATABASE " + harness_.database().name() + " SET default_transaction_isolation = 'serializable'");
  foreign().run("ALTER DATABASE " + harness_.database().name() + " SET default_transaction_read_only = on");
  auto database = harness_.open({.isolation = GetParam()});
  auto transaction = must(database->own_transaction(soon()));
  EXPECT_EQ(must(transaction->row({0, 1, 1, 1})), std::nullopt);
  auto session = begin();
  must(journal(*session));
  EXPECT_EQ(session->commit(soon()).state, State::committed);
  EXPECT_TRUE(must(transaction->row({0, 1, 1, 1})).has_value()) << "a snapshot of the whole transaction hides it";
  EXPECT_FALSE(must(transaction->insert_tombstone({0, 1, 1, 1})));
  EXPECT_EQ(transaction->commit().state, State::committed);
}

INSTANTIATE_TEST_SUITE_P(Levels, PostgresqlIsolation,
                         ::testing::Values(Isolation::role_default, Isolation::read_committed,
                                           Isolation::repeatable_read, Isolation::serializable));

class PostgresqlSerializable : public PostgresqlTest {
 protected:
  PostgresqlSerializable() : PostgresqlTest({.isolation = Isolation::serializable}) {}
};

TEST_F(PostgresqlSerializable, SaysThatAUnitMayRunAgainAfterASerializationFailure) {
  foreign().run("INSERT INTO user_rows VALUES (1, 'a'), (2, 'b')");
  auto first = begin();
  auto second = begin();
  must(execute(*first, "SELECT text FROM user_rows WHERE id = 1"));
  must(execute(*second, "SELECT text FROM user_rows WHERE id = 2"));
  must(execute(*first, "UPDATE user_rows SET text = 'x' WHERE id = 2"));
  must(execute(*second, "UPDATE user_rows SET text = 'y' WHERE id = 1"));
  must(journal(*first, {0, 1, 1, 1}));
  EXPECT_EQ(first->commit(soon()).state, State::committed);
  const auto written = journal(*second, {0, 1, 1, 2});
  const CommitReply reply = second->commit(soon());
  EXPECT_EQ(reply.state, State::aborted);
  EXPECT_EQ(reply.error->code, ErrorCode::conflict);
  EXPECT_TRUE(reply.error->retriable);
  EXPECT_EQ(reply.error->driver.substr(0, 5), "40001");
  expect_rows("2", "1");
}

}  // namespace
}  // namespace write_aside
