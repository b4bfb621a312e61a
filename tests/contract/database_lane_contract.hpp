// Goal: the tables and the lane rows are what ports/database.hpp says they are.
// Method: write, read back through the reads that lock nothing and through a transaction that does.
#pragma once

#include "contract/database_harness.hpp"

namespace write_aside::contract {

template <class Harness>
class DatabaseLanes : public DatabaseTest<Harness> {};
TYPED_TEST_SUITE_P(DatabaseLanes);

inline ports::LaneRow untouched_lane_row(LaneNumber number) {
  ports::LaneRow row;
  row.lane = number;
  return row;
}

inline ports::LaneRow some_lane_row(LaneNumber number) {
  ports::LaneRow row = untouched_lane_row(number);
  row.epoch = 7;
  row.owner = "owner";
  row.owner_process = "host/boot/1/2";
  row.settled = BatchId{6, 5};
  row.ledger_offset = 1'234;
  row.purged = {3, 2};
  row.halted = "why";
  row.stream_id = "stream";
  row.ledger_id = "ledger";
  return row;
}

inline void expect_equal(const ports::LaneRow& read, const ports::LaneRow& written) {
  EXPECT_EQ(read.lane, written.lane);
  EXPECT_EQ(read.epoch, written.epoch);
  EXPECT_EQ(read.owner, written.owner);
  EXPECT_EQ(read.owner_process, written.owner_process);
  EXPECT_EQ(read.settled, written.settled);
  EXPECT_EQ(read.ledger_offset, written.ledger_offset);
  EXPECT_EQ(read.purged, written.purged);
  EXPECT_EQ(read.halted, written.halted);
  EXPECT_EQ(read.stream_id, written.stream_id);
  EXPECT_EQ(read.ledger_id, written.ledger_id);
}

TYPED_TEST_P(DatabaseLanes, RefusesUseBeforeInit) {
  TypeParam fresh;
  const auto schema = fresh.open()->schema();
  ASSERT_FALSE(schema.has_value());
  EXPECT_EQ(schema.error().code, ErrorCode::not_initialised);
  EXPECT_NE(schema.error().message.find("write-aside init"), std::string::npos) << schema.error().message;
}

TYPED_TEST_P(DatabaseLanes, KeepsEverythingWhenInitRunsAgain) {
  const auto before = must(this->database().schema());
  EXPECT_EQ(before.version, ports::schema_version);
  EXPECT_EQ(before.lanes, this->lane_count);
  EXPECT_NE(before.database_id, "");
  this->write_lane(some_lane_row(1), true);
  this->commit_unit({1, 7, 1, 1});
  const auto again = must(this->database().create_schema(this->lane_count));
  EXPECT_EQ(again.database_id, before.database_id);
  EXPECT_EQ(again.lanes, before.lanes);
  expect_equal(this->lane(1), some_lane_row(1));
  EXPECT_TRUE(this->row({1, 7, 1, 1}).has_value());
}

TYPED_TEST_P(DatabaseLanes, AddsLanesAndNeverRemovesAny) {
  EXPECT_EQ(must(this->database().create_schema(this->lane_count + 2)).lanes, this->lane_count + 2);
  EXPECT_EQ(must(this->database().create_schema(1)).lanes, this->lane_count + 2);
  EXPECT_EQ(must(this->database().schema()).lanes, this->lane_count + 2);
  EXPECT_TRUE(must(this->database().lane(this->lane_count + 1)).has_value());
}

TYPED_TEST_P(DatabaseLanes, GivesEachDatabaseAnIdOfItsOwn) {
  TypeParam other;
  EXPECT_NE(must(other.open()->create_schema(1)).database_id, must(this->database().schema()).database_id);
}

TYPED_TEST_P(DatabaseLanes, StartsWithLanesThatNobodyEverTook) {
  const auto lanes = must(this->database().lanes());
  ASSERT_EQ(lanes.size(), this->lane_count);
  for (LaneNumber number = 0; number < this->lane_count; ++number) {
    expect_equal(lanes.at(number).row, untouched_lane_row(number));
  }
}

TYPED_TEST_P(DatabaseLanes, ReadsBackWhatWasWritten) {
  this->write_lane(some_lane_row(2), true);
  expect_equal(this->lane(2), some_lane_row(2));
  expect_equal(must(this->database().lanes()).at(2).row, some_lane_row(2));
  const auto locked = this->own([](auto& transaction) { return transaction.lock_lane(2); });
  ASSERT_TRUE(locked.has_value());
  expect_equal(*locked, some_lane_row(2));
  expect_equal(this->lane(1), untouched_lane_row(1));
}

TYPED_TEST_P(DatabaseLanes, ForgetsWhatIsWrittenEmpty) {
  this->write_lane(some_lane_row(2), true);
  this->write_lane(untouched_lane_row(2), false);
  expect_equal(this->lane(2), untouched_lane_row(2));
}

TYPED_TEST_P(DatabaseLanes, KnowsNoLaneThatWasNotMade) {
  EXPECT_EQ(must(this->database().lane(this->lane_count)), std::nullopt);
  auto transaction = must(this->database().own_transaction(this->soon()));
  EXPECT_EQ(must(transaction->lock_lane(this->lane_count)), std::nullopt);
  EXPECT_FALSE(transaction->write_lane(some_lane_row(this->lane_count), true).has_value());
}

TYPED_TEST_P(DatabaseLanes, AgesAHeartbeatUntilTheNextOne) {
  const std::chrono::milliseconds long_time(10'000);
  this->write_lane(some_lane_row(0), true);
  EXPECT_LT(this->lane(0).heartbeat_age, long_time);
  this->harness().pass_time(long_time);
  EXPECT_GE(this->lane(0).heartbeat_age, long_time);
  this->write_lane(some_lane_row(0), false);
  EXPECT_GE(this->lane(0).heartbeat_age, long_time) << "written without a beat";
  EXPECT_GE(must(this->database().lanes()).at(0).row.heartbeat_age, long_time);
  this->write_lane(some_lane_row(0), true);
  EXPECT_LT(this->lane(0).heartbeat_age, long_time);
}

TYPED_TEST_P(DatabaseLanes, CountsUndeliveredAndKeptRows) {
  this->commit_unit({1, 1, 1, 1});
  this->commit_unit({1, 1, 1, 2});
  this->commit_unit({1, 1, 1, 3});
  this->deliver({1, 1, 1, 3});
  this->insert_tombstone({1, 1, 1, 4});
  const auto lanes = must(this->database().lanes());
  EXPECT_EQ(lanes.at(1).undelivered, 2u);
  EXPECT_EQ(lanes.at(1).kept, 2u);
  EXPECT_EQ(lanes.at(0).undelivered, 0u);
  EXPECT_EQ(lanes.at(0).kept, 0u);
}

TYPED_TEST_P(DatabaseLanes, NamesTheLanesInUse) {
  const auto in_use = [this] {
    std::vector<LaneNumber> numbers;
    for (const ports::LaneRow& row : must(this->database().lanes_in_use())) numbers.push_back(row.lane);
    return numbers;
  };
  EXPECT_EQ(in_use(), std::vector<LaneNumber>{});
  this->write_lane(some_lane_row(3), true);  // owned
  this->commit_unit({2, 1, 1, 1});           // released, with something undelivered
  this->insert_tombstone({1, 1, 1, 4});
  this->commit_unit({0, 1, 1, 1});
  this->deliver({0, 1, 1, 1});
  EXPECT_EQ(in_use(), (std::vector<LaneNumber>{2, 3}));
  expect_equal(must(this->database().lanes_in_use()).at(1), some_lane_row(3));
  this->deliver({2, 1, 1, 1});
  EXPECT_EQ(in_use(), std::vector<LaneNumber>{3});
}

TYPED_TEST_P(DatabaseLanes, KeepsALaneLockedUntilTheEnd) {
  auto first = must(this->database().own_transaction(this->soon()));
  must(first->lock_lane(0));
  {
    // Some databases wait when the transaction begins, others when it locks.
    auto second = this->database().own_transaction(this->at_once());
    EXPECT_FALSE(second.has_value() && (*second)->lock_lane(0).has_value());
  }
  must(first->write_lane(some_lane_row(0), true));
  ASSERT_EQ(first->commit().state, State::committed);
  first.reset();
  EXPECT_EQ(this->own([](auto& transaction) { return transaction.lock_lane(0); })->epoch, 7u);
}

TYPED_TEST_P(DatabaseLanes, ReadsWithoutWaitingForATransaction) {
  auto transaction = must(this->database().own_transaction(this->soon()));
  must(transaction->lock_lane(0));
  must(transaction->write_lane(some_lane_row(0), true));
  EXPECT_EQ(this->lane(0).epoch, 0u) << "not committed yet";
  EXPECT_EQ(must(this->database().lanes()).at(0).row.epoch, 0u);
  EXPECT_EQ(must(this->database().schema()).lanes, this->lane_count);
}

TYPED_TEST_P(DatabaseLanes, RollsBackADroppedTransaction) {
  {
    auto transaction = must(this->database().own_transaction(this->soon()));
    must(transaction->lock_lane(0));
    must(transaction->write_lane(some_lane_row(0), true));
  }
  expect_equal(this->lane(0), ports::LaneRow{});
}

TYPED_TEST_P(DatabaseLanes, ShowsOtherHandlesWhatIsCommitted) {
  this->write_lane(some_lane_row(3), true);
  this->commit_unit({3, 1, 1, 1});
  auto other = this->harness().open();
  expect_equal(must(other->lane(3)).value(), some_lane_row(3));
  EXPECT_TRUE(must(other->has_undelivered_below(3, 2)));
  EXPECT_NE(other->name(), "");
}

REGISTER_TYPED_TEST_SUITE_P(DatabaseLanes, RefusesUseBeforeInit, KeepsEverythingWhenInitRunsAgain,
                            AddsLanesAndNeverRemovesAny, GivesEachDatabaseAnIdOfItsOwn,
                            StartsWithLanesThatNobodyEverTook, ReadsBackWhatWasWritten, ForgetsWhatIsWrittenEmpty,
                            KnowsNoLaneThatWasNotMade, AgesAHeartbeatUntilTheNextOne, CountsUndeliveredAndKeptRows,
                            NamesTheLanesInUse, KeepsALaneLockedUntilTheEnd, ReadsWithoutWaitingForATransaction,
                            RollsBackADroppedTransaction, ShowsOtherHandlesWhatIsCommitted);

}  // namespace write_aside::contract
