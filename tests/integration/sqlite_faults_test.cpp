// Goal: a disk that fails under a COMMIT never makes a unit `aborted` without proof, and the database works again when
// the disk does.
// Method: a file system that fails on command (sqlite_faults.hpp), then the evidence of a new connection.
#include "integration/sqlite_faults.hpp"

#include <gtest/gtest.h>

#include "contract/database_harness.hpp"
#include "contract/sqlite_harness.hpp"

namespace write_aside {
namespace {

using contract::must;
using ports::CommitReply;
using Fault = FaultyFiles::Fault;

class SqliteFaults : public ::testing::Test {
 protected:
  SqliteFaults() : database_(harness_.open()) { must(database_->create_schema(1)); }

  ports::Deadline soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(5); }
  // A unit whose COMMIT meets the fault.
  CommitReply commit_under(Fault fault) {
    session_ = must(database_->session(soon()));
    must(session_->begin(soon()));
    must(harness_.write_row(*session_, 1, "one"));
    session_->send_journal({{0, 1, 1, 1}, "payload"});
    must(session_->receive_journal());
    faults_.fail(fault);
    auto reply = session_->commit(soon());
    faults_.fail(Fault::none);
    return reply;
  }
  bool insert_tombstone() {
    auto transaction = must(database_->own_transaction(soon()));
    const bool inserted = must(transaction->insert_tombstone({0, 1, 1, 1}));
    EXPECT_EQ(transaction->commit().state, CommitReply::State::committed);
    return inserted;
  }
  // Whatever the evidence says, rows and journal row agree with it.
  void expect_the_tombstone_to_tell_the_truth() {
    const bool aborted = insert_tombstone();
    EXPECT_EQ(harness_.rows().size(), aborted ? 0u : 1u);
    must(session_->begin(soon()));
    must(harness_.write_row(*session_, 2, "two"));
    EXPECT_EQ(session_->commit(soon()).state, CommitReply::State::committed);
    EXPECT_EQ(harness_.rows().count(2), 1u);
  }

  FaultyFiles faults_;
  contract::SqliteHarness harness_;
  std::shared_ptr<ports::Database> database_;
  std::unique_ptr<ports::Session> session_;
};

TEST_F(SqliteFaults, IsInDoubtWhenTheCommitCannotBeSynced) {
  const auto reply = commit_under(Fault::wal_sync);
  EXPECT_EQ(reply.state, CommitReply::State::in_doubt);
  EXPECT_EQ(reply.error->code, ErrorCode::io);
  EXPECT_EQ(reply.error->effect, Effect::unknown);
  EXPECT_EQ(reply.error->driver, "SQLITE_IOERR_FSYNC (1034)");
  expect_the_tombstone_to_tell_the_truth();
}

TEST_F(SqliteFaults, StartsTheLogOverAfterAFailedSync) {
  const std::string log = harness_.path() + "-wal";
  EXPECT_EQ(commit_under(Fault::wal_sync).state, CommitReply::State::in_doubt);
  ASSERT_GT(std::filesystem::file_size(log), 0u);
  auto transaction = must(database_->own_transaction(soon()));
  EXPECT_EQ(std::filesystem::file_size(log), 0u) << "a process that recovers the log would find the failed COMMIT";
}

TEST_F(SqliteFaults, IsInDoubtWhenTheCommitCannotBeWritten) {
  const auto reply = commit_under(Fault::wal_write);
  EXPECT_EQ(reply.state, CommitReply::State::in_doubt);
  EXPECT_EQ(reply.error->code, ErrorCode::io);
  expect_the_tombstone_to_tell_the_truth();
}

TEST_F(SqliteFaults, AbortsWhenTheDiskIsFullAtTheCommit) {
  const auto reply = commit_under(Fault::disk_full);
  EXPECT_EQ(reply.state, CommitReply::State::aborted);
  EXPECT_EQ(reply.error->code, ErrorCode::storage_full);
  EXPECT_EQ(reply.error->effect, Effect::no);
  EXPECT_EQ(harness_.rows().size(), 0u);
  expect_the_tombstone_to_tell_the_truth();
}

TEST_F(SqliteFaults, IsInDoubtOnABorrowedHandleToo) {
  contract::ForeignConnection caller(harness_.path());
  session_ = must(BorrowedSession<sqlite3>::borrow(caller.get()));
  must(session_->begin(soon()));
  caller.run("INSERT INTO user_rows VALUES (1, 'one')");
  faults_.fail(Fault::wal_sync);
  EXPECT_EQ(session_->commit(soon()).state, CommitReply::State::in_doubt);
  faults_.fail(Fault::none);
  EXPECT_NE(sqlite3_get_autocommit(caller.get()), 0);
}

TEST_F(SqliteFaults, IsInDoubtAboutItsOwnTransactions) {
  auto transaction = must(database_->own_transaction(soon()));
  EXPECT_TRUE(must(transaction->insert_tombstone({0, 1, 1, 1})));
  faults_.fail(Fault::wal_sync);
  EXPECT_EQ(transaction->commit().state, CommitReply::State::in_doubt);
  faults_.fail(Fault::none);
  transaction.reset();
  (void)insert_tombstone();  // the next one works, whatever became of the first
  EXPECT_FALSE(insert_tombstone());
}

}  // namespace
}  // namespace write_aside
