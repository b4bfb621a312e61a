// Goal: what is wrong with a file is said when it is opened or first used, with what to do about it.
// Method: make such files.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>
#include <vector>

#include "contract/database_harness.hpp"
#include "contract/sqlite_harness.hpp"

namespace write_aside {
namespace {

using contract::must;

class SqliteFile : public ::testing::Test {
 protected:
  std::string path(const std::string& name = "shop.db") { return (folder_.path() / name).string(); }
  static Result<ports::Schema> open_schema(const std::string& path) {
    auto database = sqlite::open(path);
    if (!database) return failure(database);
    return (*database)->schema();
  }
  static std::shared_ptr<ports::Database> make(const std::string& path) {
    auto database = must(sqlite::open(path));
    must(database->create_schema(1));
    return database;
  }

  contract::TemporaryFolder folder_;
};

TEST_F(SqliteFile, RefusesAFileThatIsNotADatabase) {
  std::ofstream(path()) << std::string(10'000, 'x');
  const auto opened = sqlite::open(path());
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::corrupt);
  EXPECT_EQ(opened.error().driver, "SQLITE_NOTADB (26)");
  EXPECT_NE(opened.error().message.find("sqlite:" + path()), std::string::npos) << opened.error().message;
}

TEST_F(SqliteFile, CannotReachAFileThatIsNotThere) {
  EXPECT_EQ(sqlite::open(path("no/such/folder.db")).error().code, ErrorCode::unreachable);
  sqlite::Options options;
  options.create = false;
  EXPECT_EQ(sqlite::open(path(), options).error().code, ErrorCode::unreachable);
  EXPECT_EQ(sqlite::open(folder_.path().string()).error().code, ErrorCode::unreachable);
}

TEST_F(SqliteFile, RefusesADatabaseThatIsNoFile) {
  EXPECT_EQ(sqlite::open("").error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(sqlite::open(":memory:").error().code, ErrorCode::invalid_argument);
}

TEST_F(SqliteFile, SaysThatAFileIsReadOnly) {
  make(path());
  ASSERT_EQ(chmod(path().c_str(), 0444), 0);
  ASSERT_EQ(chmod(folder_.path().c_str(), 0755), 0);
  // Permissions do not bind root, so the file is opened by a process that is nobody.
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (geteuid() == 0 && setuid(65'534) != 0) _exit(100);
    const auto opened = sqlite::open(path());
    _exit(opened ? 101 : static_cast<int>(opened.error().code));
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), static_cast<int>(ErrorCode::read_only));
}

TEST_F(SqliteFile, RefusesTablesOfANewerVersion) {
  make(path());
  contract::ForeignConnection foreign(path());
  foreign.run("UPDATE write_aside_meta SET version = 2");
  auto database = must(sqlite::open(path()));
  EXPECT_EQ(database->schema().error().code, ErrorCode::newer_version);
  EXPECT_EQ(database->create_schema(9).error().code, ErrorCode::newer_version);
  EXPECT_EQ(foreign.run("SELECT count(*) FROM write_aside_lane"), "1");
  EXPECT_EQ(BorrowedSession<sqlite3>::borrow(foreign.get()).error().code, ErrorCode::newer_version);
}

TEST_F(SqliteFile, AsksForInitWhenATableIsMissing) {
  make(path());
  contract::ForeignConnection(path()).run("DROP TABLE write_aside_journal");
  EXPECT_EQ(open_schema(path()).error().code, ErrorCode::not_initialised);
  make(path());
  EXPECT_TRUE(open_schema(path()).has_value());
}

TEST_F(SqliteFile, RefusesAnAbsurdNumberOfLanes) {
  auto database = must(sqlite::open(path()));
  EXPECT_EQ(database->create_schema(0).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(database->create_schema(1'001).error().code, ErrorCode::invalid_argument);
}

TEST_F(SqliteFile, IsNotFooledByTemporaryTablesOfTheSameName) {
  auto database = make(path());
  contract::ForeignConnection caller(path());
  caller.run("CREATE TEMP TABLE write_aside_journal(lane, epoch, n, member, payload)");
  auto session = must(BorrowedSession<sqlite3>::borrow(caller.get()));
  const auto soon = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  must(session->begin(soon));
  session->send_journal({{0, 1, 1, 1}, "payload"});
  must(session->receive_journal());
  ASSERT_EQ(session->commit(soon).state, ports::CommitReply::State::committed);
  EXPECT_TRUE(must(database->has_undelivered_below(0, 2)));
}

TEST_F(SqliteFile, OpensANewFileFromManyThreadsAtOnce) {
  std::vector<std::string> ids(8);
  std::vector<std::thread> threads;
  for (auto& id : ids) {
    threads.emplace_back([&] { id = must(must(sqlite::open(path()))->create_schema(3)).database_id; });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& id : ids) EXPECT_EQ(id, ids[0]);
  EXPECT_EQ(must(open_schema(path())).lanes, 3u);
}

}  // namespace
}  // namespace write_aside
