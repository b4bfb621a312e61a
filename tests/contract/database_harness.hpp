// What a database must bring along to be put to the contract suite, and what the suites share.
//
// A harness is a class with these members; each test makes a new one, with an empty database behind it:
//
//   std::shared_ptr<ports::Database> open();            another handle on the same data, as another process would
//   Result<void> write_row(ports::Session&, int id, const std::string& text);   one user's row, in the open unit
//   std::map<int, std::string> rows();                  the user's committed rows, read from outside
//   void pass_time(std::chrono::milliseconds);          the database's clock, as far as the tables tell it, moves on
//   std::chrono::steady_clock::time_point now();        the clock of the deadlines
//
// Instantiate the suites with WRITE_ASIDE_DATABASE_CONTRACT(Name, Harness); see database_contract.hpp.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "write_aside/ports/database.hpp"

namespace write_aside::contract {

inline std::string describe(const Error& error) { return error.message + " [" + error.driver + "]"; }

// The value; a failure of the test, and an exception that ends it, if there is none.
template <class T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << describe(result.error());
    throw std::runtime_error(result.error().message);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

using State = ports::CommitReply::State;

template <class Harness>
class DatabaseTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t lane_count = 4;

  DatabaseTest() : database_(harness_.open()) {}

  void SetUp() override { must(database_->create_schema(lane_count)); }

  ports::Database& database() { return *database_; }
  Harness& harness() { return harness_; }
  ports::Deadline soon() { return harness_.now() + std::chrono::seconds(5); }
  ports::Deadline at_once() { return harness_.now(); }

  // A session with an open unit.
  std::unique_ptr<ports::Session> begin() {
    auto session = must(database_->session(soon()));
    must(session->begin(soon()));
    return session;
  }
  static Result<ports::JournalReply> journal(ports::Session& session, const ports::JournalEntry& entry) {
    session.send_journal(entry);
    return session.receive_journal();
  }
  void commit(ports::Session& session) {
    const auto reply = session.commit(soon());
    ASSERT_EQ(reply.state, State::committed) << (reply.error ? describe(*reply.error) : "");
  }
  // A committed unit that wrote nothing but its journal row.
  void commit_unit(const UnitId& key, const std::string& payload = "payload") {
    auto session = begin();
    ASSERT_EQ(must(journal(*session, {key, payload})), ports::JournalReply::inserted);
    commit(*session);
  }
  // Runs `work` in an own transaction and commits it.
  template <class Work>
  auto own(Work work) {
    auto transaction = must(database_->own_transaction(soon()));
    auto result = must(work(*transaction));
    EXPECT_EQ(transaction->commit().state, State::committed);
    return result;
  }
  void insert_tombstone(const UnitId& key) {
    ASSERT_TRUE(own([&](auto& transaction) { return transaction.insert_tombstone(key); }));
  }
  void adopt(const UnitId& key, BatchId label) {
    ASSERT_TRUE(own([&](auto& transaction) { return transaction.adopt(key, label); }));
  }
  void deliver(const UnitId& key) {
    ASSERT_EQ(own([&](auto& transaction) { return transaction.deliver(key); }), 1u);
  }
  std::optional<ports::JournalRow> row(const UnitId& key) {
    return own([&](auto& transaction) { return transaction.row(key); });
  }
  ports::LaneRow lane(LaneNumber number) {
    auto row = must(database_->lane(number));
    EXPECT_TRUE(row.has_value());
    return row.value();
  }
  void write_lane(const ports::LaneRow& row, bool beat) {
    auto transaction = must(database_->own_transaction(soon()));
    must(transaction->lock_lane(row.lane));
    must(transaction->write_lane(row, beat));
    ASSERT_EQ(transaction->commit().state, State::committed);
  }
  static std::vector<UnitId> keys(const std::vector<ports::JournalRow>& rows) {
    std::vector<UnitId> keys;
    for (const auto& row : rows) keys.push_back(row.key);
    return keys;
  }

  Harness harness_;
  std::shared_ptr<ports::Database> database_;
};

// What a caller does with a borrowed handle although a unit is open on it.
struct BehindTheBack {
  const char* name;
  std::vector<const char*> statements;
};

}  // namespace write_aside::contract
