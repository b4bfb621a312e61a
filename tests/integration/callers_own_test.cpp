// Goal: what the caller's own code does wrong harms its unit alone: it throws, it forgets to commit, it takes for ever.
// Method: the embedded pair on real files and threads; both stores are read afterwards.
#include <sqlite3.h>

#include <memory>
#include <stdexcept>
#include <thread>

#include "integration/embedded_fixture.hpp"

namespace write_aside::integration {
namespace {

using namespace std::chrono_literals;

class CallersOwn : public EmbeddedFixture {};

TEST_F(CallersOwn, AFunctionThatThrowsLeavesNothingAndItsCallerHearsOfIt) {
  open();
  int attempts = 0;
  const auto throws = [&attempts](UnitOfWork& unit) -> Result<void> {
    ++attempts;
    EXPECT_TRUE(write(unit, 1));
    throw std::runtime_error("a defect of the caller's");
  };
  EXPECT_THROW(static_cast<void>(coordinator_->run(throws)), std::runtime_error);
  EXPECT_EQ(attempts, 1) << "it is not run again";
  EXPECT_TRUE(commit(2).is_committed()) << "the database is free";
  EXPECT_EQ(rows(), Ids{2});
  EXPECT_EQ(events(), Ids{2});
}

TEST_F(CallersOwn, AUnitThatIsForgottenLeavesNothingAndOthersGoOn) {
  open();
  {
    auto forgotten = coordinator_->begin().value();
    ASSERT_TRUE(write(forgotten, 1));
  }
  const auto begun = Clock::now();
  EXPECT_TRUE(commit(1).is_committed());
  EXPECT_LT(Clock::now() - begun, 5s) << "nobody waits for a batch that the forgotten unit would be in";
  EXPECT_EQ(rows(), Ids{1});
  EXPECT_EQ(events(), Ids{1});
}

TEST_F(CallersOwn, AHandleOnAnotherDatabaseIsRefused) {
  open();
  const std::string path = (folder_ / "other.db").string();
  const std::string other = sqlite::open(path).value()->create_schema(1).value().database_id;
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> owned(handle, sqlite3_close);
  const auto unit = coordinator_->begin(handle);
  ASSERT_FALSE(unit);
  EXPECT_EQ(unit.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(unit.error().message.find(other), std::string::npos) << unit.error().message;
}

// On SQLite the next unit waits for the first one's end, whatever the coordination does; the wait is bounded.
TEST_F(CallersOwn, AUnitThatStaysOpenBeyondTheLeaseEndsNobodysTurnForGood) {
  open({.lease = 200ms, .session_timeout = 300ms});
  auto slow = coordinator_->begin().value();
  ASSERT_TRUE(write(slow, 1));
  const auto early = coordinator_->begin();
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, ErrorCode::busy) << early.error().message;
  EXPECT_TRUE(early.error().retriable);

  bool committed = false;
  std::thread other([this, &committed] { committed = commit(2).is_committed(); });
  const auto limit = Clock::now() + 10s;
  const auto age = [this] { return database_->lanes().value().at(0).row.heartbeat_age; };
  while (age() < 600ms && Clock::now() < limit) std::this_thread::yield();
  EXPECT_TRUE(slow.commit(Wait::visible).is_committed());
  other.join();
  EXPECT_TRUE(committed);
  EXPECT_EQ(rows(), (Ids{1, 2}));
  EXPECT_EQ(events(), (Ids{1, 2}));
}

}  // namespace
}  // namespace write_aside::integration
