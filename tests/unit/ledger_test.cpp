// T3, the reading: S is the last committed ledger record of the lane before the fence, however slowly the stream tells.
#include "coordination/ledger.hpp"

#include <gtest/gtest.h>

#include <deque>

namespace write_aside::coordination {
namespace {

using namespace std::chrono_literals;

// A reader that hands out what it is told to, and whose position follows.
class ScriptedReader final : public ports::Reader {
 public:
  struct Poll {
    std::vector<ports::StoredRecord> records;
    std::int64_t position;
  };
  explicit ScriptedReader(std::deque<Poll> polls) : polls_(std::move(polls)) {}
  Result<std::vector<ports::StoredRecord>> poll(std::size_t, ports::Deadline) override {
    if (polls_.empty()) return std::vector<ports::StoredRecord>{};  // the deadline has passed
    Poll next = std::move(polls_.front());
    polls_.pop_front();
    position_ = next.position;
    return std::move(next.records);
  }
  Result<std::int64_t> position(const std::string&, std::int32_t) override { return position_; }

 private:
  std::deque<Poll> polls_;
  std::int64_t position_ = 0;
};

class ScriptedStream final : public ports::EventStream {
 public:
  explicit ScriptedStream(std::deque<ScriptedReader::Poll> polls) : polls_(std::move(polls)) {}
  std::string name() const override { return "scripted"; }
  Result<std::string> identity() override { return name(); }
  Result<std::optional<ports::TopicInfo>> topic(const std::string&) override { return std::nullopt; }
  Result<std::vector<ports::TopicInfo>> topics() override { return std::vector<ports::TopicInfo>{}; }
  Result<bool> create_topic(const ports::TopicSpec&, ports::Deadline) override { return false; }
  std::size_t record_bytes_max() const override { return 0; }
  Result<std::unique_ptr<ports::TransactionalProducer>> transactional_producer(const std::string&,
                                                                               std::chrono::milliseconds,
                                                                               ports::Deliveries&) override {
    return failure(Error{});
  }
  Result<std::unique_ptr<ports::Producer>> producer(ports::Deliveries&) override { return failure(Error{}); }
  Result<std::unique_ptr<ports::Reader>> reader(const std::vector<ports::ReadFrom>& from,
                                                ports::Isolation isolation) override {
    asked_from = from.at(0).offset;
    asked_isolation = isolation;
    return std::make_unique<ScriptedReader>(std::move(polls_));
  }
  Result<Bounds> bounds(const std::string&, std::int32_t, ports::Isolation) override { return Bounds{}; }
  Result<void> store_positions(const std::string&, std::span<const ports::Position>) override { return {}; }
  Result<std::vector<ports::Position>> positions(const std::string&) override { return std::vector<ports::Position>{}; }
  Result<std::unique_ptr<ports::GroupMember>> join_group(const ports::GroupSpec&) override { return failure(Error{}); }

  std::int64_t asked_from = 0;
  ports::Isolation asked_isolation = ports::Isolation::read_uncommitted;

 private:
  std::deque<ScriptedReader::Poll> polls_;
};

ports::StoredRecord record(std::int64_t offset, const std::string& key, const std::string& value) {
  ports::StoredRecord result;
  result.topic = "ledger";
  result.offset = offset;
  result.key = key;
  result.value = value;
  return result;
}

ports::StoredRecord settled(std::int64_t offset, BatchId batch) {
  return record(offset, core::ledger_key("d", 0),
                core::encode(core::LedgerRecord{batch, {0, batch.epoch, batch.n, 1}}));
}

ports::StoredRecord fence(std::int64_t offset) { return record(offset, core::fence_key("d", 0), "nonce"); }

Result<LedgerReading> read(ScriptedStream& stream, std::int64_t fence_offset) {
  return read_ledger(stream, "ledger", "d", 0, 3, fence_offset, {});
}

TEST(Ledger, T3_TheLastRecordOfTheLaneIsS) {
  ScriptedStream stream({{{settled(3, {1, 1}), settled(5, {1, 2}), fence(7)}, 8}});
  const auto reading = read(stream, 7);
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->last->batch, (BatchId{1, 2}));
  EXPECT_EQ(reading->offset, 5);
}

TEST(Ledger, T3_ReadsUntilItHasPassedTheFence) {
  ScriptedStream stream({{{settled(3, {1, 1})}, 4}, {{settled(5, {1, 2})}, 6}, {{fence(7)}, 8}});
  const auto reading = read(stream, 7);
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->last->batch, (BatchId{1, 2})) << "the first poll did not tell all";
}

TEST(Ledger, T3_WithoutTheFenceThereIsNoReading) {
  ScriptedStream stream({{{settled(3, {1, 1})}, 4}});
  const auto reading = read(stream, 7);
  ASSERT_FALSE(reading);
  EXPECT_EQ(reading.error().code, ErrorCode::timeout);
  EXPECT_TRUE(reading.error().retriable);
}

TEST(Ledger, T3_ReadsCommittedRecordsFromWhereItIsTold) {
  ScriptedStream stream({{{fence(7)}, 8}});
  const auto reading = read(stream, 7);
  ASSERT_TRUE(reading);
  EXPECT_FALSE(reading->last);
  EXPECT_EQ(stream.asked_from, 3);
  EXPECT_EQ(stream.asked_isolation, ports::Isolation::read_committed);
}

TEST(Ledger, T3_IgnoresTheRecordsOfOtherLanesAndDatabases) {
  const std::string value = core::encode(core::LedgerRecord{{9, 9}, {0, 9, 9, 1}});
  ScriptedStream stream({{{settled(3, {1, 1}), record(4, core::ledger_key("d", 1), value),
                           record(5, core::ledger_key("other", 0), value), fence(7)},
                          8}});
  EXPECT_EQ(read(stream, 7)->last->batch, (BatchId{1, 1}));
}

TEST(Ledger, T3_RefusesARecordThatItCannotRead) {
  ScriptedStream stream({{{record(3, core::ledger_key("d", 0), "by hand"), fence(7)}, 8}});
  const auto reading = read(stream, 7);
  ASSERT_FALSE(reading);
  EXPECT_EQ(reading.error().code, ErrorCode::corrupt);
}

}  // namespace
}  // namespace write_aside::coordination
