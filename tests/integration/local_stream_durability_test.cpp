// Goal: the end of a transaction, and only it, waits for the disk; what its success promised survives a power cut,
// and a disk that fails or is full never leaves half a call behind.
//
// Method: SQLite's file system is wrapped by a witness (watched_vfs.hpp). A power cut is played by cutting a copy of
// the write-ahead log at every length that the log ever had, since a cut takes its unsynced tail.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "integration/local_stream_fixture.hpp"
#include "integration/watched_vfs.hpp"

namespace write_aside::local_stream_test {
namespace {

class LocalStreamDurability : public LocalStreamFixture {
 protected:
  LocalStreamDurability() { files_.reset(); }
  ~LocalStreamDurability() override { files_.reset(); }

  WatchedFiles& files_ = WatchedFiles::instance();
};

TEST_F(LocalStreamDurability, SyncsOnceForATransactionAndNotAtStaging) {
  const StreamPointer stream = make_stream();
  const ProducerPointer producer = initialised(*stream, "a");
  files_.reset();
  ASSERT_TRUE(producer->begin());
  for (int call = 0; call < 20; ++call) ASSERT_TRUE(stage(*producer, {record(0, "x"), record(1, "y")}));
  EXPECT_EQ(files_.wal_syncs, 0);
  EXPECT_GT(files_.wal_writes, 0);
  ASSERT_TRUE(producer->end(ports::Ending::commit, soon()).clean);
  EXPECT_EQ(files_.wal_syncs, 1);
  EXPECT_EQ(files_.file_syncs, 0);
}

TEST_F(LocalStreamDurability, WritesWhatItHoldsBackOnceAtTheEnd) {
  const StreamPointer stream = make_stream();
  const ProducerPointer producer = holding_back(*stream, "a");
  ASSERT_TRUE(commit(*producer, {record(0, "before")}));  // it knows the topic now
  files_.reset();
  ASSERT_TRUE(producer->begin());
  for (int call = 0; call < 20; ++call) ASSERT_TRUE(stage(*producer, {record(0, "x"), record(1, "y")}));
  EXPECT_EQ(files_.wal_writes, 0);
  ASSERT_TRUE(producer->end(ports::Ending::commit, soon()).clean);
  EXPECT_EQ(files_.wal_syncs, 1);
  EXPECT_EQ(files_.file_syncs, 0);
  EXPECT_EQ(committed(*stream, 0).size(), 21u);
}

TEST_F(LocalStreamDurability, WritesNothingWhenItAbortsWhatItHoldsBack) {
  const StreamPointer stream = make_stream();
  const ProducerPointer producer = holding_back(*stream, "a");
  ASSERT_TRUE(commit(*producer, {record(0, "before")}));
  files_.reset();
  ASSERT_TRUE(producer->begin() && stage(*producer, {record(0, "aborted")}));
  EXPECT_TRUE(producer->end(ports::Ending::abort, soon()).clean);
  EXPECT_EQ(files_.wal_writes, 0);
  EXPECT_TRUE(commit(*producer, {record(0, "after")}));
  EXPECT_EQ(committed(*stream, 0), (Values{"before", "after"}));
}

// Memory is bounded, however large a transaction is.
TEST_F(LocalStreamDurability, WritesBeforeTheEndWhatIsTooMuchToHoldBack) {
  const StreamPointer stream = make_stream();
  const ProducerPointer producer = holding_back(*stream, "a");
  const std::string large(500'000, 'x');
  ASSERT_TRUE(commit(*producer, {record(0, "before")}));
  for (const auto ending : {ports::Ending::abort, ports::Ending::commit}) {
    files_.reset();
    ASSERT_TRUE(producer->begin());
    for (int call = 0; call < 24; ++call) ASSERT_TRUE(stage(*producer, {record(call % 2, large), record(0, "small")}));
    EXPECT_GT(files_.wal_writes, 1000);
    EXPECT_EQ(committed(*stream, 0), (Values{"before"}));
    ASSERT_TRUE(producer->end(ending, soon()).clean);
  }
  Values expected{"before"};
  for (int call = 0; call < 24; ++call) {
    if (call % 2 == 0) expected.push_back(large);
    expected.emplace_back("small");
  }
  EXPECT_TRUE(committed(*stream, 0) == expected);
  EXPECT_EQ(committed(*stream, 1).size(), 12u);
}

// Who holds back says "accepted" without having written. After an end that failed he writes first, so that no more is
// accepted than there is space for, until an end succeeds that might have been held back. The fence that a new instance
// commits first is small and proves nothing.
TEST_F(LocalStreamDurability, HoldsNothingBackAfterAnEndThatFailed) {
  const StreamPointer stream = make_stream();
  ProducerPointer producer = holding_back(*stream, "a");
  ASSERT_TRUE(commit(*producer, {record(0, "before")}));
  const auto full = [](WatchedFiles::Call call, bool) {
    return call == WatchedFiles::Call::write ? SQLITE_FULL : SQLITE_OK;
  };
  ASSERT_TRUE(producer->begin());
  files_.rule = full;
  EXPECT_TRUE(stage(*producer, {record(0, "accepted")}));
  const ports::EndReport report = producer->end(ports::Ending::commit, soon());
  EXPECT_FALSE(report.clean);
  EXPECT_EQ(report.error->code, ErrorCode::storage_full);
  files_.reset();
  producer = initialised(*stream, "a");
  ASSERT_TRUE(commit(*producer, {record(0, "fence")}));
  producer->hold_back();
  ASSERT_TRUE(producer->begin());
  files_.rule = full;
  const auto refused = stage(*producer, {record(0, "refused")});
  files_.reset();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::storage_full);
  ASSERT_TRUE(stage(*producer, {record(0, "again")}));
  EXPECT_GT(files_.wal_writes, 0);
  ASSERT_TRUE(producer->end(ports::Ending::commit, soon()).clean);
  files_.reset();
  ASSERT_TRUE(producer->begin() && stage(*producer, {record(0, "held back")}));
  EXPECT_EQ(files_.wal_writes, 0);
  ASSERT_TRUE(producer->end(ports::Ending::commit, soon()).clean);
  EXPECT_EQ(committed(*stream, 0), (Values{"before", "fence", "again", "held back"}));
}

TEST_F(LocalStreamDurability, SyncsBeforeAnEpochIsHandedOut) {
  const StreamPointer stream = make_stream();
  files_.reset();
  const ProducerPointer producer = initialised(*stream, "a");
  EXPECT_EQ(files_.wal_syncs, 1);
}

TEST_F(LocalStreamDurability, DoesNotReportACleanEndWhenTheSyncFails) {
  const StreamPointer stream = make_stream();
  const ProducerPointer producer = initialised(*stream, "a");
  ASSERT_TRUE(producer->begin() && stage(*producer, {record(0, "x")}));
  files_.rule = [](WatchedFiles::Call call, bool is_wal) {
    return call == WatchedFiles::Call::sync && is_wal ? SQLITE_IOERR_FSYNC : SQLITE_OK;
  };
  const ports::EndReport report = producer->end(ports::Ending::commit, soon());
  files_.reset();
  EXPECT_FALSE(report.clean);
  ASSERT_TRUE(report.error.has_value());
  EXPECT_EQ(report.error->code, ErrorCode::io);
  EXPECT_EQ(report.error->effect, Effect::unknown);
  EXPECT_NE(report.error->driver.find("SQLITE_IOERR_FSYNC"), std::string::npos) << report.error->driver;
  const ProducerPointer newer = initialised(*stream, "a");
  EXPECT_TRUE(commit(*newer, {record(0, "after")}));
  EXPECT_EQ(committed(*stream, 0), (Values{"after"}));
}

TEST_F(LocalStreamDurability, BuildsOnNoLogWhoseSyncFailed) {
  const StreamPointer stream = make_stream();
  const ProducerPointer producer = initialised(*stream, "a");
  ASSERT_TRUE(producer->begin() && stage(*producer, {record(0, "x")}));
  files_.rule = [](WatchedFiles::Call call, bool) {
    return call == WatchedFiles::Call::sync ? SQLITE_IOERR_FSYNC : SQLITE_OK;
  };
  EXPECT_FALSE(producer->end(ports::Ending::commit, soon()).clean);
  // As long as nothing can be synced, nothing is promised.
  EXPECT_FALSE(stream->transactional_producer("a", 60s, silent).value()->initialise(soon()).has_value());
  files_.reset();
  const ProducerPointer newer = initialised(*stream, "a");
  EXPECT_EQ(files_.file_syncs, 1);
}

TEST_F(LocalStreamDurability, StagesAllOfACallOrNothingWhenTheDiskIsFull) {
  const StreamPointer stream = make_stream();
  const ProducerPointer producer = initialised(*stream, "a");
  const std::string large(3000, 'x');
  ASSERT_TRUE(producer->begin() && stage(*producer, {record(0, "before")}));
  // The disk fills up at a different write of the call each time.
  for (int writes_left = 0; writes_left < 12; ++writes_left) {
    int left = writes_left;
    files_.rule = [&left](WatchedFiles::Call call, bool is_wal) {
      return call == WatchedFiles::Call::write && is_wal && left-- <= 0 ? SQLITE_FULL : SQLITE_OK;
    };
    const auto staged = stage(*producer, {record(0, large), record(1, large), record(0, large), record(1, large)});
    files_.reset();
    ASSERT_FALSE(staged.has_value()) << writes_left;
    EXPECT_EQ(staged.error().code, ErrorCode::storage_full);
    EXPECT_EQ(staged.error().effect, Effect::no);
  }
  ASSERT_TRUE(stage(*producer, {record(0, "after")}));
  ASSERT_TRUE(producer->end(ports::Ending::commit, soon()).clean);
  EXPECT_EQ(committed(*stream, 0), (Values{"before", "after"}));
  EXPECT_EQ(committed(*stream, 1), Values{});
}

TEST_F(LocalStreamDurability, KnowsThatACallWhoseWriteFailedTookNoEffect) {
  const StreamPointer stream = make_stream();
  const ProducerPointer producer = initialised(*stream, "a");
  ASSERT_TRUE(producer->begin());
  files_.rule = [](WatchedFiles::Call, bool is_wal) { return is_wal ? SQLITE_IOERR_WRITE : SQLITE_OK; };
  const auto staged = stage(*producer, {record(0, "x")});
  files_.reset();
  ASSERT_FALSE(staged.has_value());
  EXPECT_EQ(staged.error().code, ErrorCode::io);
  EXPECT_EQ(staged.error().effect, Effect::no);
  // A plain record would be visible if a crash brought it back: nobody can tell.
  const auto plain = stream->producer(silent).value();
  files_.rule = [](WatchedFiles::Call call, bool is_wal) {
    return is_wal && call == WatchedFiles::Call::sync ? SQLITE_IOERR_FSYNC : SQLITE_OK;
  };
  const std::vector<ports::RecordView> records = {record(0, "x")};
  const auto produced = plain->produce(records, 1);
  ASSERT_FALSE(produced.has_value());
  EXPECT_EQ(produced.error().effect, Effect::unknown);
}

TEST_F(LocalStreamDurability, KeepsTheTransactionOpenWhenTheDiskIsFullAtItsEnd) {
  const StreamPointer stream = make_stream();
  ProducerPointer producer = initialised(*stream, "a");
  ASSERT_TRUE(producer->begin() && stage(*producer, {record(0, "x")}));
  files_.rule = [](WatchedFiles::Call call, bool) {
    return call == WatchedFiles::Call::write ? SQLITE_FULL : SQLITE_OK;
  };
  const ports::EndReport report = producer->end(ports::Ending::commit, soon());
  files_.reset();
  EXPECT_FALSE(report.clean);
  EXPECT_EQ(report.error->code, ErrorCode::storage_full);
  EXPECT_EQ(committed(*stream, 0), Values{});
  const ProducerPointer newer = initialised(*stream, "a");
  EXPECT_EQ(count_records(path_), "0");
}

// Checkpoints have a thread of their own, which a busy machine may keep waiting: but the log starts over.
TEST_F(LocalStreamDurability, StartsTheLogOverUnderSteadyLoad) {
  const StreamPointer stream = make_stream();
  const ProducerPointer producer = initialised(*stream, "a");
  constexpr std::uintmax_t least = 60'000'000;
  constexpr std::uintmax_t most = 600'000'000;  // more than twice the limit at which the writer checkpoints himself
  const std::string large(500'000, 'x');
  std::uintmax_t written = 0;
  for (bool over = false; !over && written < most; written += large.size()) {
    ASSERT_TRUE(commit(*producer, {record(0, large)}));
    over = written >= least && std::filesystem::file_size(path_ + "-wal") < written / 2;
  }
  EXPECT_LT(written, most);
  EXPECT_GT(std::filesystem::file_size(path_), least / 2);
}

// What a power cut with the log at a certain length must leave behind.
struct Promise {
  std::uintmax_t log_bytes = 0;
  std::size_t transactions = 0;  // whose end was reported
};

class LocalStreamPowerCut : public LocalStreamDurability, public testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(HoldsBack, LocalStreamPowerCut, testing::Bool());

TEST_P(LocalStreamPowerCut, KeepsEveryReportedTransactionWhole) {
  const StreamPointer stream = make_stream();
  const std::string log = path_ + "-wal";
  const std::string value(700, 'v');
  std::vector<Promise> promises;
  std::vector<std::uintmax_t> lengths;
  const ProducerPointer producer = initialised(*stream, "a");
  if (GetParam()) producer->hold_back();
  const ProducerPointer other = initialised(*stream, "b");
  ASSERT_TRUE(other->begin() && stage(*other, {record(1, "stays open")}));
  for (std::size_t transaction = 1; transaction <= 6; ++transaction) {
    ASSERT_TRUE(producer->begin());
    for (int call = 0; call < 3; ++call) {
      ASSERT_TRUE(stage(*producer, {record(0, value), record(0, value)}));
      lengths.push_back(std::filesystem::file_size(log));
    }
    ASSERT_TRUE(producer->end(ports::Ending::commit, soon()).clean);
    promises.push_back({std::filesystem::file_size(log), transaction});
    lengths.push_back(promises.back().log_bytes);
  }
  const std::string copy = (folder_ / "copy.events").string();
  for (const std::uintmax_t length : lengths) {
    for (const std::uintmax_t torn :
         {std::uintmax_t{0}, std::uintmax_t{1}, std::uintmax_t{3000}, std::uintmax_t{9000}}) {
      std::filesystem::copy_file(path_, copy, std::filesystem::copy_options::overwrite_existing);
      std::filesystem::copy_file(log, copy + "-wal", std::filesystem::copy_options::overwrite_existing);
      std::filesystem::resize_file(copy + "-wal", length - torn);
      const StreamPointer after = open_stream(copy);
      ASSERT_NE(after, nullptr);
      const std::size_t records = committed(*after, 0).size();
      EXPECT_EQ(records % 6, 0u) << "half a transaction at " << length << " - " << torn;
      std::size_t promised = 0;
      for (const Promise& promise : promises) {
        if (promise.log_bytes <= length - torn) promised = promise.transactions;
      }
      EXPECT_EQ(records, 6 * promised) << "at " << length << " - " << torn;
      EXPECT_EQ(committed(*after, 1), Values{});
      EXPECT_TRUE(commit(*initialised(*after, "a"), {record(0, "goes on")}));
      EXPECT_EQ(committed(*after, 0).size(), records + 1);
    }
  }
}

}  // namespace
}  // namespace write_aside::local_stream_test
