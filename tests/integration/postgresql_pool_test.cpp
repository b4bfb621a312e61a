// Goal: connections are few, checked, and replaced when they break; every bad set-up is told in one clear line that
// holds no secret. Method: real servers, roles and settings, good and bad.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "adapters/postgresql/flight.hpp"
#include "adapters/postgresql/store.hpp"
#include "integration/postgresql_fixture.hpp"

namespace write_aside {
namespace {

using contract::must;
using contract::PostgresqlDatabase;
using State = ports::CommitReply::State;

Error refused(const std::string& url, const postgresql::Options& options = {}) {
  auto database = postgresql::open(url, options);
  EXPECT_FALSE(database.has_value());
  return database ? Error{} : database.error();
}

bool says(const Error& error, const std::string& text) { return error.message.find(text) != std::string::npos; }

class PostgresqlPool : public PostgresqlTest {};

TEST_F(PostgresqlPool, NamesServerAndDatabaseWithoutTheUser) {
  EXPECT_NE(database_->name().find("/" + harness_.database().name()), std::string::npos);
  EXPECT_EQ(database_->name().find('@'), std::string::npos);
}

TEST_F(PostgresqlPool, UsesAConnectionAgain) {
  auto first = begin();
  const std::string identity = first->identity();
  must(first->rollback());
  EXPECT_EQ(begin()->identity(), identity);
}

TEST_F(PostgresqlPool, LetsNoPlanOfTheLibrarysOwnBeCompiled) {
  const auto store = std::make_shared<postgresql::Store>(must(postgresql::read_address(harness_.database().url())),
                                                         postgresql::Options{});
  const auto lease = must(postgresql::Store::lease(store, postgresql::Purpose::own, soon()));
  postgresql::Flight flight(lease.connection(), "ask for a setting");
  flight.queue_once("SELECT current_setting('jit')");
  EXPECT_STREQ(PQgetvalue(must(flight.run(soon())).get(), 0, 0), "off");
}

TEST_F(PostgresqlPool, ReplacesConnectionsThatTheServerClosed) {
  auto first = begin();
  auto second = begin();
  const std::string pids = pid_of(*first) + ", " + pid_of(*second);
  must(first->rollback());
  must(second->rollback());
  foreign().run(
      "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() "
      "AND pid <> pg_backend_pid()");
  must(first->begin(soon()));
  must(harness_.write_row(*first, 1, "one"));
  must(journal(*first));
  EXPECT_EQ(first->commit(soon()).state, State::committed);
  EXPECT_EQ(must(database_->schema()).lanes, 2u);
  expect_rows("1", "1");
}

TEST_F(PostgresqlPool, ClosesAConnectionWhoseUnitWasDroppedInTheMiddle) {
  std::string identity;
  {
    auto session = begin();
    must(execute(*session, "SELECT 1"));
    identity = session->identity();
    session->send_journal({{0, 1, 1, 1}, "payload"});
  }
  EXPECT_NE(begin()->identity(), identity);
  expect_rows("0", "0");
}

class PostgresqlSmallPool : public PostgresqlTest {
 protected:
  PostgresqlSmallPool() : PostgresqlTest({.connections_max = 2}) {}
};

TEST_F(PostgresqlSmallPool, WaitsForAConnectionNoLongerThanTheDeadline) {
  auto first = begin();
  auto second = begin();
  auto third = must(database_->session(soon()));
  const auto begun = third->begin(in(std::chrono::milliseconds(50)));
  ASSERT_FALSE(begun.has_value());
  EXPECT_EQ(begun.error().code, ErrorCode::busy);
  EXPECT_TRUE(begun.error().retriable);
  EXPECT_TRUE(says(begun.error(), "connections_max")) << begun.error().message;
  EXPECT_TRUE(must(database_->lane(0)).has_value()) << "our own transactions have connections of their own";
  std::thread later([&] { must(first->rollback()); });
  must(third->begin(soon()));
  later.join();
}

TEST_F(PostgresqlPool, OpensOnlyWhereAServerAnswers) {
  const Error error = refused("postgresql://somebody:sesame@127.0.0.1:1/shop");
  EXPECT_EQ(error.code, ErrorCode::unreachable);
  EXPECT_EQ(error.side, Side::database);
  EXPECT_TRUE(says(error, "127.0.0.1:1/shop")) << error.message;
  EXPECT_FALSE(says(error, "sesame")) << error.message;
}

TEST_F(PostgresqlPool, BoundsTheWaitForAServerThatSaysNothing) {
  // A server that accepts and stays silent: our own listening socket, in a backlog that nobody takes from.
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
  const std::string url = "postgresql://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/shop?sslmode=disable";
  EXPECT_EQ(refused(url, {.connect_timeout = std::chrono::milliseconds(100)}).code, ErrorCode::unreachable);
  close(listener);
}

TEST_F(PostgresqlPool, NamesADatabaseThatIsNotThere) {
  const Error error = refused(contract::postgresql_url("no_such_database"));
  EXPECT_EQ(error.code, ErrorCode::unreachable);
  EXPECT_TRUE(says(error, "no_such_database")) << error.message;
}

TEST_F(PostgresqlPool, ShowsNoPasswordOfAUrlThatIsNotValid) {
  for (const std::string url :
       {"postgresql://user:se/same@127.0.0.1:1/shop", "postgresql://user:12/sesame@127.0.0.1:1/shop",
        "postgresql://user:x@sesame@127.0.0.1:1/shop", "postgresql://127.0.0.1:sesame/shop",
        "postgresql://127.0.0.1/shop?sesame=1"}) {
    const Error error = refused(url);
    EXPECT_EQ(error.code, ErrorCode::invalid_argument) << url;
    EXPECT_FALSE(says(error, "same")) << error.message;
  }
}

TEST_F(PostgresqlPool, RefusesTablesOfANewerVersion) {
  foreign().run("UPDATE write_aside_meta SET version = 2");
  EXPECT_EQ(database_->schema().error().code, ErrorCode::newer_version);
  EXPECT_EQ(database_->create_schema(4).error().code, ErrorCode::newer_version);
}

TEST_F(PostgresqlPool, AsksForInitWhereATableIsMissing) {
  foreign().run("DROP TABLE write_aside_journal");
  EXPECT_EQ(database_->schema().error().code, ErrorCode::not_initialised);
  auto session = begin();
  const auto written = journal(*session);
  EXPECT_EQ(written.error().code, ErrorCode::not_initialised);
  EXPECT_TRUE(says(written.error(), "write-aside init"));
  must(session->rollback());
  EXPECT_EQ(must(database_->create_schema(2)).lanes, 2u);
  must(session->begin(soon()));
  must(journal(*session));
}

TEST_F(PostgresqlPool, FindsTablesThatAreMadeLater) {
  PostgresqlDatabase empty;
  auto early = must(postgresql::open(empty.url()));
  EXPECT_EQ(early->schema().error().code, ErrorCode::not_initialised);
  EXPECT_EQ(must(early->session(soon()))->begin(soon()).error().code, ErrorCode::not_initialised);
  must(must(postgresql::open(empty.url()))->create_schema(3));
  EXPECT_EQ(must(early->schema()).lanes, 3u);
  must(journal(*begin_on(*early)));
}

TEST_F(PostgresqlPool, MakesTheTablesOnceHoweverManyDoItAtATime) {
  PostgresqlDatabase empty;
  std::vector<std::string> ids(4);
  std::vector<std::thread> threads;
  for (std::string& id : ids) {
    threads.emplace_back([&] { id = must(must(postgresql::open(empty.url()))->create_schema(5)).database_id; });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& id : ids) EXPECT_EQ(id, ids.front());
  EXPECT_EQ(must(must(postgresql::open(empty.url()))->schema()).lanes, 5u);
}

TEST_F(PostgresqlPool, KeepsItsTablesInTheSchemaThatIsAskedFor) {
  const postgresql::Options options{.schema = "Write \"aside\""};
  auto database = harness_.open(options);
  EXPECT_EQ(database->schema().error().code, ErrorCode::not_initialised);
  EXPECT_EQ(must(database->create_schema(3)).lanes, 3u);
  EXPECT_NE(must(database->schema()).database_id, must(database_->schema()).database_id);
  auto session = begin_on(*database);
  must(journal(*session));
  EXPECT_EQ(session->commit(soon()).state, State::committed);
  EXPECT_EQ(foreign().run("SELECT count(*) FROM \"Write \"\"aside\"\"\".write_aside_journal"), "1");
}

TEST_F(PostgresqlPool, RefusesCommitsThatACrashMayTakeBack) {
  for (const std::string setting : {"off", "local"}) {
    foreign().run("ALTER DATABASE " + harness_.database().name() + " SET synchronous_commit = " + setting);
    const Error error = refused(harness_.database().url());
    EXPECT_EQ(error.code, ErrorCode::invalid_argument);
    EXPECT_TRUE(says(error, "synchronous_commit=" + setting)) << error.message;
  }
  EXPECT_TRUE(postgresql::open(harness_.database().url(), {.unsafe_asynchronous_commit = true}).has_value());
}

TEST_F(PostgresqlPool, EndsASessionAndNoOtherWithItsPid) {
  auto session = begin();
  must(execute(*session, "SELECT 1"));
  const std::string identity = session->identity();
  must(database_->end_session(pid_of(*session) + ":1", soon()));
  EXPECT_TRUE(execute(*session, "SELECT 1").has_value()) << "another session with this pid";
  must(database_->end_session(identity, soon()));
  EXPECT_EQ(foreign().run("SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid_of(*session)), "0");
  EXPECT_FALSE(execute(*session, "SELECT 1").has_value());
  must(database_->end_session(identity, soon()));
}

// Roles belong to the whole server.
class PostgresqlRole : public PostgresqlTest {
 protected:
  PostgresqlRole() : role_(harness_.database().name() + "_role") { foreign().run("CREATE ROLE " + role_ + " LOGIN"); }
  ~PostgresqlRole() override {
    foreign().run("DROP OWNED BY " + role_);
    foreign().run("DROP ROLE " + role_);
  }
  std::shared_ptr<ports::Database> open() { return must(postgresql::open(harness_.database().url(role_))); }

  // What docs/operating.md tells to grant, for this role.
  void grant_what_the_documents_say() {
    std::ifstream file(std::string(WRITE_ASIDE_SOURCE_DIR) + "/docs/operating.md");
    std::ostringstream text;
    text << file.rdbuf();
    std::smatch found;
    const std::string document = text.str();
    ASSERT_TRUE(std::regex_search(document, found, std::regex("```sql\\n((?:[^`]*\\n)?grant [^`]*)```")));
    foreign().run(std::regex_replace(found[1].str(), std::regex("shop_service"), role_));
  }

  const std::string role_;
};

TEST_F(PostgresqlRole, NeedsOnlyTheDocumentedGrants) {
  grant_what_the_documents_say();
  foreign().run("GRANT INSERT ON user_rows TO " + role_);
  auto database = open();
  EXPECT_EQ(must(database->create_schema(2)).lanes, 2u) << "init has nothing to make";
  auto session = begin_on(*database);
  must(harness_.write_row(*session, 1, "one"));
  EXPECT_TRUE(must(session->advance("source", std::nullopt, "1")));
  EXPECT_TRUE(must(session->advance("source", "1", "2")));
  must(journal(*session));
  EXPECT_EQ(session->commit(soon()).state, State::committed);
  must(session->begin(soon()));
  must(database->end_session(session->identity(), soon()));

  auto transaction = must(database->own_transaction(soon()));
  ports::LaneRow row = must(transaction->lock_lane(0)).value();
  must(transaction->write_lane(row, true));
  EXPECT_TRUE(must(transaction->insert_tombstone({0, 1, 1, 2})));
  EXPECT_TRUE(must(transaction->adopt({0, 1, 1, 1}, {2, 1})));
  EXPECT_EQ(must(transaction->deliver_covered(0, {2, 1})), 1u);
  EXPECT_EQ(must(transaction->delete_settled(0, {1, 1})), 0u);
  EXPECT_TRUE(must(transaction->purge(0, std::chrono::seconds(-1))).has_value());
  EXPECT_EQ(transaction->commit().state, State::committed);
  EXPECT_EQ(must(database->lanes()).size(), 2u);
}

TEST_F(PostgresqlRole, NamesTheGrantThatIsMissing) {
  auto database = open();
  const auto schema = database->schema();
  ASSERT_FALSE(schema.has_value());
  EXPECT_EQ(schema.error().driver, "42501");
  EXPECT_TRUE(says(schema.error(), "GRANT SELECT ON \"public\".write_aside_meta TO \"" + role_ + "\""))
      << schema.error().message;
  const auto written = journal(*begin_on(*database));
  EXPECT_TRUE(says(written.error(), "GRANT SELECT, INSERT, UPDATE, DELETE ON \"public\".write_aside_journal"))
      << written.error().message;
}

TEST_F(PostgresqlRole, ShowsNoPasswordWhenItIsWrong) {
  // The role's group is one that the test server asks for a password.
  foreign().run("ALTER ROLE " + role_ + " PASSWORD 'right'");
  foreign().run("GRANT needs_password TO " + role_);
  const Error error = refused(harness_.database().url(role_ + ":sesame"));
  EXPECT_EQ(error.code, ErrorCode::unreachable);
  EXPECT_TRUE(says(error, "password")) << error.message;
  EXPECT_FALSE(says(error, "sesame")) << error.message;
  EXPECT_TRUE(postgresql::open(harness_.database().url(role_ + ":right")).has_value());
}

}  // namespace
}  // namespace write_aside
