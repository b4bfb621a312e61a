// Goal: a unit on the caller's own PGconn is as good as one on ours, notices what the caller does behind its back, and
// gives the handle back as it was.
// Method: play the caller on a handle with libpq, before, between and after the unit's steps.
#include "contract/sqlite_harness.hpp"
#include "coordination/resolver.hpp"
#include "integration/postgresql_fixture.hpp"
#include "write_aside/adapters/local_stream.hpp"

namespace write_aside {
namespace {

using contract::must;
using ports::CommitReply;
using ports::JournalReply;
using State = CommitReply::State;

class PostgresqlBorrowed : public PostgresqlTest {
 protected:
  PostgresqlBorrowed() : caller_(harness_.database().url()) {}

  Result<std::unique_ptr<ports::Session>> borrow() { return BorrowedSession<PGconn>::borrow(caller_.get()); }
  std::unique_ptr<ports::Session> begin_borrowed() {
    auto session = must(borrow());
    must(session->begin(soon()));
    return session;
  }
  void expect_free() {
    EXPECT_EQ(PQtransactionStatus(caller_.get()), PQTRANS_IDLE);
    EXPECT_EQ(PQpipelineStatus(caller_.get()), PQ_PIPELINE_OFF);
    EXPECT_EQ(PQisnonblocking(caller_.get()), 0);
    EXPECT_EQ(caller_.run("SELECT 7"), "7") << "the handle is usable";
    EXPECT_EQ(caller_.run("SELECT count(*) FROM pg_prepared_statements"), "0") << "nothing of ours is left on it";
  }
  void expect_refused(const std::string& why) {
    auto session = borrow();
    ASSERT_FALSE(session.has_value());
    EXPECT_EQ(session.error().effect, Effect::no);
    EXPECT_NE(session.error().message.find(why), std::string::npos) << session.error().message;
  }

  contract::ForeignPostgresql caller_;
};

TEST_F(PostgresqlBorrowed, CommitsTheCallersRowsWithTheJournalRow) {
  auto session = begin_borrowed();
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  must(execute(*session, "INSERT INTO user_rows VALUES ($1, 'b')", {2}));
  EXPECT_EQ(must(journal(*session)), JournalReply::inserted);
  expect_rows("0", "0");
  EXPECT_EQ(session->commit(soon()).state, State::committed);
  expect_free();
  expect_rows("2", "1");
}

TEST_F(PostgresqlBorrowed, TakesOverTheCallersTransaction) {
  caller_.run("BEGIN ISOLATION LEVEL SERIALIZABLE");
  caller_.run("INSERT INTO user_rows VALUES (1, 'before')");
  auto session = begin_borrowed();
  EXPECT_EQ(caller_.run("SHOW transaction_isolation"), "serializable");
  caller_.run("INSERT INTO user_rows VALUES (2, 'after')");
  must(journal(*session));
  EXPECT_EQ(session->commit(soon()).state, State::committed);
  expect_free();
  expect_rows("2", "1");
}

TEST_F(PostgresqlBorrowed, RollsBackTheTransactionItTookOver) {
  caller_.run("BEGIN");
  caller_.run("INSERT INTO user_rows VALUES (1, 'before')");
  auto session = begin_borrowed();
  must(session->rollback());
  expect_free();
  expect_rows("0", "0");
}

TEST_F(PostgresqlBorrowed, RollsBackWhenDropped) {
  {
    auto session = begin_borrowed();
    caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  }
  expect_free();
  expect_rows("0", "0");
}

TEST_F(PostgresqlBorrowed, CarriesOneUnitAfterAnother) {
  auto session = begin_borrowed();
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  EXPECT_EQ(session->commit(soon()).state, State::committed);
  must(session->begin(soon()));
  caller_.run("INSERT INTO user_rows VALUES (2, 'b')");
  must(journal(*session));
  EXPECT_EQ(session->commit(soon()).state, State::committed);
  expect_rows("2", "1");
}

TEST_F(PostgresqlBorrowed, KeepsWhatTheCallerHasSetOnTheHandle) {
  PQsetnonblocking(caller_.get(), 1);
  caller_.run("SET application_name = 'mine'");
  auto session = begin_borrowed();
  must(journal(*session));
  EXPECT_EQ(session->commit(soon()).state, State::committed);
  EXPECT_EQ(PQisnonblocking(caller_.get()), 1);
  EXPECT_EQ(caller_.run("SHOW application_name"), "mine");
}

TEST_F(PostgresqlBorrowed, KeepsTheCallersNoticeReceiver) {
  int notices = 0;
  const auto receiver = [](void* count, const PGresult*) { ++*static_cast<int*>(count); };
  PQsetNoticeReceiver(caller_.get(), receiver, &notices);
  auto session = begin_borrowed();
  caller_.run("DO $$ BEGIN RAISE NOTICE 'a'; END $$");
  must(execute(*session, "DO $$ BEGIN RAISE NOTICE 'b'; END $$"));
  EXPECT_EQ(session->commit(soon()).state, State::committed);
  caller_.run("DO $$ BEGIN RAISE NOTICE 'c'; END $$");
  EXPECT_EQ(notices, 3);
}

TEST_F(PostgresqlBorrowed, TellsOfALostReplicationWaitAlsoToACallerWhoHidesWarnings) {
  foreign().run(
      "CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS "
      "$$ BEGIN RAISE WARNING 'canceling wait for synchronous replication'; RETURN NULL; END $$");
  foreign().run(
      "CREATE CONSTRAINT TRIGGER warn AFTER INSERT ON user_rows DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
      "EXECUTE FUNCTION warn()");
  caller_.run("SET client_min_messages = error");
  auto session = begin_borrowed();
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  const CommitReply reply = session->commit(soon());
  EXPECT_EQ(reply.state, State::committed);
  EXPECT_TRUE(reply.error);
  EXPECT_EQ(caller_.run("SHOW client_min_messages"), "error");
}

TEST_F(PostgresqlBorrowed, CommitsDurablyWhateverTheTransactionHasSet) {
  foreign().run("CREATE TABLE seen(setting text)");
  foreign().run(
      "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS "
      "$$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$");
  foreign().run(
      "CREATE CONSTRAINT TRIGGER see AFTER INSERT ON user_rows DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
      "EXECUTE FUNCTION see()");
  auto session = begin_borrowed();
  caller_.run("SET LOCAL synchronous_commit = off");
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  EXPECT_EQ(session->commit(soon()).state, State::committed);
  EXPECT_EQ(foreign().run("SELECT setting FROM seen"), "on");
}

class PostgresqlBorrowedBehindTheBack : public PostgresqlBorrowed,
                                        public ::testing::WithParamInterface<contract::BehindTheBack> {};

TEST_P(PostgresqlBorrowedBehindTheBack, InsertsNoJournalRowAfterTheTransactionEnded) {
  auto session = begin_borrowed();
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  for (const char* sql : GetParam().statements) caller_.run(sql);
  const auto reply = journal(*session);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::transaction_ended) << reply.error().message;
  (void)session->rollback();
  expect_free();
  EXPECT_EQ(foreign().run("SELECT count(*) FROM write_aside_journal"), "0");
}

TEST_P(PostgresqlBorrowedBehindTheBack, IsInDoubtWhenItEndedAfterTheJournalRow) {
  auto session = begin_borrowed();
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  must(journal(*session));
  for (const char* sql : GetParam().statements) caller_.run(sql);
  const CommitReply reply = session->commit(soon());
  EXPECT_EQ(reply.state, State::in_doubt);
  EXPECT_EQ(reply.error->code, ErrorCode::transaction_ended) << reply.error->message;
  EXPECT_EQ(reply.error->effect, Effect::unknown);
  expect_free();
  EXPECT_EQ(foreign().run("SELECT count(*) FROM user_rows WHERE id = 1"),
            foreign().run("SELECT count(*) FROM write_aside_journal"))
      << "together or not at all";
  EXPECT_EQ(foreign().run("SELECT count(*) FROM user_rows WHERE id = 2"), "0") << "the caller's next transaction";
}

INSTANTIATE_TEST_SUITE_P(
    Callers, PostgresqlBorrowedBehindTheBack,
    ::testing::Values(contract::BehindTheBack{"Commit", {"COMMIT"}}, contract::BehindTheBack{"Rollback", {"ROLLBACK"}},
                      contract::BehindTheBack{"CommitAndBegin",
                                              {"COMMIT", "BEGIN", "INSERT INTO user_rows VALUES (2, 'b')"}},
                      contract::BehindTheBack{"CommitAndChain", {"COMMIT AND CHAIN"}},
                      contract::BehindTheBack{"RollbackAndBegin", {"ROLLBACK", "BEGIN"}}),
    [](const auto& caller) { return std::string(caller.param.name); });

TEST_F(PostgresqlBorrowed, IsAbortedAfterAFailedStatementOfTheCallers) {
  auto session = begin_borrowed();
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  caller_.run_and_fail("SELECT 1/0");
  const CommitReply reply = session->commit(soon());
  EXPECT_EQ(reply.state, State::aborted);
  EXPECT_EQ(reply.error->code, ErrorCode::statement) << reply.error->message;
  expect_free();
  expect_rows("0", "0");
}

TEST_F(PostgresqlBorrowed, IsInDoubtIfTheCallerCommittedAndThenFailedInAnotherTransaction) {
  for (const bool with_journal : {true, false}) {
    auto session = begin_borrowed();
    caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
    caller_.run("COMMIT");
    caller_.run("BEGIN");
    caller_.run_and_fail("SELECT 1/0");
    if (with_journal) {
      EXPECT_EQ(journal(*session).error().code, ErrorCode::transaction_ended);
    } else {
      EXPECT_EQ(session->commit(soon()).state, State::in_doubt);
    }
    session.reset();
    expect_free();
    caller_.run("DELETE FROM user_rows");
  }
}

TEST_F(PostgresqlBorrowed, GoesOnAfterTheCallerRolledBackToASavepointOfHis) {
  auto session = begin_borrowed();
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  caller_.run("SAVEPOINT mine");
  caller_.run_and_fail("SELECT 1/0");
  caller_.run("ROLLBACK TO mine");
  must(journal(*session));
  EXPECT_EQ(session->commit(soon()).state, State::committed);
  expect_rows("1", "1");
}

TEST_F(PostgresqlBorrowed, ReportsOnRollbackWhatTheCallerCommitted) {
  auto session = begin_borrowed();
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  caller_.run("COMMIT");
  EXPECT_EQ(session->rollback().error().code, ErrorCode::transaction_ended);
  auto other = begin_borrowed();
  caller_.run("ROLLBACK");
  EXPECT_TRUE(other->rollback().has_value()) << "it is rolled back, whoever did it";
}

TEST_F(PostgresqlBorrowed, IsInDoubtWhenTheSessionIsTerminated) {
  auto session = begin_borrowed();
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  must(journal(*session));
  terminate(pid_of(*session));
  EXPECT_EQ(session->commit(soon()).state, State::in_doubt);
  EXPECT_EQ(PQstatus(caller_.get()), CONNECTION_BAD) << "closed, and its owner sees it";
  EXPECT_EQ(coordination::resolve_unit(*database_, {0, 1, 1, 1}, session->identity(), soon()).verdict,
            coordination::Resolution::Verdict::aborted);
}

TEST_F(PostgresqlBorrowed, ClosesAHandleWhoseCommitIsNotAnsweredInTime) {
  foreign().run(
      "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
      "$$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$");
  foreign().run(
      "CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON user_rows DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
      "EXECUTE FUNCTION wait()");
  auto session = begin_borrowed();
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  must(journal(*session));
  EXPECT_EQ(session->commit(in(std::chrono::milliseconds(100))).state, State::in_doubt);
  EXPECT_EQ(PQstatus(caller_.get()), CONNECTION_BAD);
  EXPECT_EQ(coordination::resolve_unit(*database_, {0, 1, 1, 1}, session->identity(), soon()).verdict,
            coordination::Resolution::Verdict::aborted);
  expect_rows("0", "0");
}

TEST_F(PostgresqlBorrowed, RefusesAHandleThatCannotCarryAUnit) {
  EXPECT_EQ(BorrowedSession<PGconn>::borrow(nullptr).error().code, ErrorCode::invalid_argument);

  PQenterPipelineMode(caller_.get());
  expect_refused("pipeline mode");
  PQexitPipelineMode(caller_.get());

  PQclear(PQexec(caller_.get(), "COPY user_rows TO STDOUT"));
  expect_refused("COPY");
  PQclear(PQgetResult(caller_.get()));
  while (PGresult* result = PQgetResult(caller_.get())) {
    char* row = nullptr;
    while (PQgetCopyData(caller_.get(), &row, 0) > 0) PQfreemem(row);
    PQclear(result);
  }

  caller_.run("BEGIN");
  caller_.run_and_fail("SELECT 1/0");
  expect_refused("failed");
  caller_.run("ROLLBACK");

  caller_.run("SET synchronous_commit = off");
  expect_refused("synchronous_commit");
  caller_.run("RESET synchronous_commit");

  caller_.run("BEGIN READ ONLY");
  EXPECT_FALSE(must(borrow())->begin(soon()).has_value());
  caller_.run("ROLLBACK");
  expect_free();
}

TEST_F(PostgresqlBorrowed, RefusesAHandleOnADatabaseWithoutTables) {
  contract::PostgresqlDatabase empty;
  contract::ForeignPostgresql elsewhere(empty.url());
  elsewhere.run("BEGIN");
  EXPECT_EQ(BorrowedSession<PGconn>::borrow(elsewhere.get()).error().code, ErrorCode::not_initialised);
  EXPECT_EQ(elsewhere.run("SELECT 7"), "7") << "the caller's transaction goes on";
}

TEST_F(PostgresqlBorrowed, TellsWhichDatabaseItIs) {
  EXPECT_EQ(must(borrow())->database_id(), must(database_->schema()).database_id);
}

TEST_F(PostgresqlBorrowed, CarriesAUnitOfACoordinator) {
  const contract::TemporaryFolder folder;
  auto stream = must(local_stream::open((folder.path() / "events").string()));
  must(initialise(*database_, *stream, 2));
  must(stream->create_topic({.name = "orders"}, soon()));
  auto coordinator = must(Coordinator::open(database_, stream, {}));
  auto unit = must(coordinator->begin(caller_.get()));
  caller_.run("INSERT INTO user_rows VALUES (1, 'a')");
  must(unit.publish({.topic = "orders", .key = "1", .type = "order.created", .value = "{}"}));
  EXPECT_TRUE(unit.commit(Wait::visible).is_committed());
  expect_free();
  must(coordinator->flush(std::chrono::seconds(10)));
  coordinator.reset();
  expect_rows("1", "0");
}

}  // namespace
}  // namespace write_aside
