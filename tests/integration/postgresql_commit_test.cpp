// Goal: what is said of a COMMIT is never more than its reply proves, and what it leaves in doubt can be settled.
// Method: a real server that refuses, cancels, sleeps or dies in the middle of COMMIT. Deferred triggers run inside it.
#include "coordination/resolver.hpp"
#include "integration/postgresql_fixture.hpp"

namespace write_aside {
namespace {

using contract::must;
using coordination::Resolution;
using ports::CommitReply;
using State = CommitReply::State;

class PostgresqlCommit : public PostgresqlTest {
 protected:
  // `body` runs at the COMMIT of whoever inserts into user_rows.
  void at_commit(const std::string& body) {
    foreign().run("CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + body +
                  " RETURN NULL; END $$");
    foreign().run(
        "CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON user_rows DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION at_commit()");
  }
  std::unique_ptr<ports::Session> begin_unit() {
    auto session = begin();
    must(harness_.write_row(*session, 1, "one"));
    must(journal(*session));
    return session;
  }
  Resolution::Verdict resolve(const ports::Session& lost, const UnitId& key = {0, 1, 1, 1}) {
    return coordination::resolve_unit(*database_, key, lost.identity(), soon()).verdict;
  }
};

TEST_F(PostgresqlCommit, IsAbortedByADeferredConstraint) {
  foreign().run("CREATE TABLE parents(id integer PRIMARY KEY)");
  foreign().run("ALTER TABLE user_rows ADD FOREIGN KEY (id) REFERENCES parents DEFERRABLE INITIALLY DEFERRED");
  auto session = begin_unit();
  const CommitReply reply = session->commit(soon());
  EXPECT_EQ(reply.state, State::aborted);
  EXPECT_EQ(reply.error->code, ErrorCode::constraint);
  EXPECT_EQ(reply.error->driver, "23503");
  EXPECT_EQ(reply.error->effect, Effect::no);
  expect_rows("0", "0");
  must(session->begin(soon()));
  EXPECT_EQ(session->commit(soon()).state, State::committed);
}

TEST_F(PostgresqlCommit, IsAbortedByASerializationFailure) {
  at_commit("RAISE EXCEPTION 'made up' USING ERRCODE = '40001';");
  auto session = begin_unit();
  const CommitReply reply = session->commit(soon());
  EXPECT_EQ(reply.state, State::aborted);
  EXPECT_TRUE(reply.error->retriable);
  expect_rows("0", "0");
}

TEST_F(PostgresqlCommit, IsInDoubtAfterACodeThatProvesNothing) {
  at_commit("RAISE EXCEPTION 'made up' USING ERRCODE = current_setting('test.code');");
  std::uint32_t member = 0;
  for (const std::string code : {"40003", "08006", "57P01", "57014", "XX000", "58030", "53100", "P0001", "QQ123"}) {
    SCOPED_TRACE(code);
    const UnitId key{0, 1, 1, ++member};
    auto session = begin();
    must(execute(*session, "SELECT set_config('test.code', $1, true)", {code}));
    must(harness_.write_row(*session, 1, "one"));
    must(journal(*session, key));
    const CommitReply reply = session->commit(soon());
    EXPECT_EQ(reply.state, State::in_doubt);
    EXPECT_EQ(reply.error->effect, Effect::unknown);
    EXPECT_FALSE(reply.error->retriable);
    EXPECT_EQ(reply.error->driver, code);
    EXPECT_EQ(coordination::resolve_unit(*database_, key, session->identity(), soon()).verdict,
              Resolution::Verdict::aborted);
  }
}

TEST_F(PostgresqlCommit, IsInDoubtWithoutAReplyInTime) {
  at_commit("PERFORM pg_sleep(60);");
  auto session = begin_unit();
  const CommitReply reply = session->commit(in(std::chrono::milliseconds(100)));
  EXPECT_EQ(reply.state, State::in_doubt);
  EXPECT_EQ(reply.error->code, ErrorCode::timeout);
  EXPECT_NE(session->identity(), "");
  EXPECT_EQ(resolve(*session), Resolution::Verdict::aborted) << "the lost session is ended first";
  expect_rows("0", "0");
}

TEST_F(PostgresqlCommit, IsInDoubtWhenTheServerEndsTheSessionInTheMiddle) {
  at_commit("PERFORM pg_terminate_backend(pg_backend_pid());");
  auto session = begin_unit();
  const CommitReply reply = session->commit(soon());
  EXPECT_EQ(reply.state, State::in_doubt);
  EXPECT_EQ(reply.error->driver, "57P01");
  EXPECT_EQ(resolve(*session), Resolution::Verdict::aborted);
}

TEST_F(PostgresqlCommit, IsInDoubtOnAConnectionThatWasLostBefore) {
  auto session = begin_unit();
  terminate(pid_of(*session));
  const CommitReply reply = session->commit(soon());
  EXPECT_EQ(reply.state, State::in_doubt);
  EXPECT_EQ(resolve(*session), Resolution::Verdict::aborted);
  expect_rows("0", "0");
}

TEST_F(PostgresqlCommit, IsAbortedIfTheLossWasKnownBefore) {
  auto session = begin_unit();
  terminate(pid_of(*session));
  const auto failed = execute(*session, "SELECT 1");
  EXPECT_EQ(failed.error().code, ErrorCode::unreachable) << failed.error().message;
  EXPECT_TRUE(failed.error().retriable);
  EXPECT_EQ(failed.error().effect, Effect::no);
  EXPECT_EQ(session->commit(soon()).state, State::aborted) << "no COMMIT was sent";
  must(session->begin(soon()));
  must(harness_.write_row(*session, 2, "two"));
  EXPECT_EQ(session->commit(soon()).state, State::committed);
}

TEST_F(PostgresqlCommit, OfALostReplyIsFoundCommitted) {
  // COMMIT is held up until nobody waits for its reply any more.
  foreign().run("SELECT pg_advisory_lock(1)");
  at_commit("PERFORM pg_advisory_xact_lock_shared(1);");
  auto session = begin_unit();
  EXPECT_EQ(session->commit(in(std::chrono::milliseconds(10))).state, State::in_doubt);
  foreign().run("SELECT pg_advisory_unlock(1)");
  wait_until([&] { return foreign().run("SELECT count(*) FROM write_aside_journal") == "1"; });
  EXPECT_EQ(resolve(*session), Resolution::Verdict::committed);
  expect_rows("1", "1");
}

TEST_F(PostgresqlCommit, TellsThatTheWaitForAStandbyWasEnded) {
  // In the words of the server, and with its code; a standby that does not answer would stop every other test.
  at_commit("RAISE WARNING 'canceling wait for synchronous replication due to user request';");
  auto session = begin_unit();
  const CommitReply reply = session->commit(soon());
  EXPECT_EQ(reply.state, State::committed);
  ASSERT_TRUE(reply.error);
  EXPECT_EQ(reply.error->effect, Effect::yes);
  EXPECT_EQ(reply.error->driver, "01000");
  EXPECT_NE(reply.error->message.find("standby"), std::string::npos) << reply.error->message;
  must(session->begin(soon()));
  EXPECT_FALSE(session->commit(soon()).error) << "the next unit has no warning";
}

TEST_F(PostgresqlCommit, TakesOtherWarningsForWhatTheyAre) {
  at_commit("RAISE WARNING 'something else';");
  auto session = begin_unit();
  const CommitReply reply = session->commit(soon());
  EXPECT_EQ(reply.state, State::committed);
  EXPECT_FALSE(reply.error);
}

TEST_F(PostgresqlCommit, OfAUnitWithoutStatementsSendsNothing) {
  auto session = begin();
  EXPECT_EQ(session->commit(soon()).state, State::committed);
}

TEST_F(PostgresqlCommit, CannotFollowATombstoneThatCameWhileTheUnitWasOpen) {
  auto session = begin();
  must(harness_.write_row(*session, 1, "one"));
  EXPECT_TRUE(insert_tombstone());
  EXPECT_EQ(journal(*session).error().code, ErrorCode::constraint);
  EXPECT_EQ(session->commit(soon()).state, State::aborted);
}

TEST_F(PostgresqlCommit, IsWaitedForByATombstone) {
  auto session = begin_unit();
  auto transaction = must(database_->own_transaction(in(std::chrono::milliseconds(200))));
  const auto early = transaction->insert_tombstone({0, 1, 1, 1});
  ASSERT_FALSE(early.has_value()) << "the unit's row is neither there nor gone yet";
  transaction.reset();
  EXPECT_EQ(session->commit(soon()).state, State::committed);
  EXPECT_FALSE(insert_tombstone());
}

}  // namespace
}  // namespace write_aside
