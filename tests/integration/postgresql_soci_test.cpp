// Goal: a unit runs on the PGconn inside a SOCI session: SOCI's statements and the events commit together or not at all,
// and the session goes on as before.
#include <soci/soci-platform.h>
// Debian's was built with Boost, for the binding of whole values; nothing here needs that.
#undef SOCI_HAVE_BOOST
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>

#include "contract/sqlite_harness.hpp"
#include "integration/postgresql_fixture.hpp"
#include "write_aside/adapters/local_stream.hpp"

namespace write_aside {
namespace {

using contract::must;

class PostgresqlSoci : public PostgresqlTest {
 protected:
  void SetUp() override {
    stream_ = must(local_stream::open((folder_.path() / "events").string()));
    must(initialise(*database_, *stream_, 2));
    must(stream_->create_topic({.name = "orders"}, soon()));
    coordinator_ = must(Coordinator::open(database_, stream_, {}));
  }
  PGconn* handle() { return static_cast<soci::postgresql_session_backend*>(soci_.get_backend())->conn_; }
  // SOCI knows no URLs.
  std::string words() {
    const PGconn* const other = foreign().get();
    return std::string("host=") + PQhost(other) + " port=" + PQport(other) + " user=" + PQuser(other) +
           " dbname=" + PQdb(other);
  }
  static Event event() { return {.topic = "orders", .key = "1", .type = "order.created", .value = "{}"}; }
  std::size_t event_count() {
    const auto end = must(stream_->bounds("orders", 0, ports::Isolation::read_committed)).end;
    auto reader = must(stream_->reader({{"orders", 0, ports::offset_beginning}}, ports::Isolation::read_committed));
    std::size_t count = 0;
    for (const auto limit = soon(); must(reader->position("orders", 0)) < end;) {
      if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("the stream cannot be read to its end");
      count += must(reader->poll(10, limit)).size();
    }
    return count;
  }
  int row_count() {
    int count = 0;
    soci_ << "SELECT count(*) FROM user_rows", soci::into(count);
    return count;
  }

  contract::TemporaryFolder folder_;
  soci::session soci_{*soci::factory_postgresql(), words()};
  std::shared_ptr<ports::EventStream> stream_;
  std::unique_ptr<Coordinator> coordinator_;
};

TEST_F(PostgresqlSoci, CommitsItsStatementsTogetherWithTheEvents) {
  for (const int id : {1, 2}) {
    auto unit = must(coordinator_->begin(handle()));
    const std::string text = "by SOCI";
    soci_ << "INSERT INTO user_rows VALUES (:id, :text)", soci::use(id), soci::use(text);
    must(unit.publish(event()));
    EXPECT_TRUE(unit.commit(Wait::visible).is_committed());
  }
  EXPECT_EQ(row_count(), 2) << "the session is usable";
  EXPECT_EQ(event_count(), 2u);
}

TEST_F(PostgresqlSoci, TakesItsOpenTransactionOver) {
  soci_.begin();
  soci_ << "INSERT INTO user_rows VALUES (1, 'before')";
  auto unit = must(coordinator_->begin(handle()));
  must(unit.publish(event()));
  EXPECT_TRUE(unit.commit(Wait::visible).is_committed());
  EXPECT_EQ(row_count(), 1);
  EXPECT_EQ(event_count(), 1u);
}

TEST_F(PostgresqlSoci, LeavesNeitherRowsNorEventsOfAUnitThatItGivesUp) {
  {
    auto unit = must(coordinator_->begin(handle()));
    soci_ << "INSERT INTO user_rows VALUES (1, 'a')";
    must(unit.publish(event()));
    EXPECT_THROW(soci_ << "INSERT INTO user_rows VALUES (1, 'again')", soci::soci_error);
    EXPECT_FALSE(unit.commit().is_committed());
  }
  EXPECT_EQ(row_count(), 0) << "the session is usable";
  EXPECT_EQ(event_count(), 0u);
}

}  // namespace
}  // namespace write_aside
