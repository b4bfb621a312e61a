// A fake database with lanes and journal rows, for tests of the protocol's single transactions: no threads, and faults
// at the ports by name. `me` runs the code under test, `other` is another process.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "coordination/context.hpp"
#include "core/publication.hpp"
#include "support/fake_database.hpp"
#include "support/fake_event_stream.hpp"
#include "support/faulty_ports.hpp"

namespace write_aside::coordination {

class DatabaseFixture : public ::testing::Test {
 protected:
  DatabaseFixture() { (void)plain->create_schema(2).value(); }

  Context context(support::SimulatedProcess& simulated) {
    return {.database = database,
            .stream = stream,
            .runtime = simulated,
            .options = {},
            .database_id = "d",
            .stream_id = "stream",
            .ledger_topic = "ledger",
            .ledger_id = "ledger id",
            .process = to_string(simulated.process())};
  }

  // One unit of lane 0, committed.
  static std::string payload(const std::string& value) {
    core::Publication one{.source = "s", .time_ms = 1, .events = {}};
    one.events.push_back({.topic = "t", .type = "x", .value = value});
    return core::encode(one);
  }
  void journal(const UnitId& key) { journal(key, payload(to_string(key))); }
  void journal(const UnitId& key, const std::string& text) {
    const auto session = plain->session(deadline).value();
    ASSERT_TRUE(session->begin(deadline));
    session->send_journal({.key = key, .payload = text});
    (void)session->receive_journal().value();
    ASSERT_EQ(session->commit(deadline).state, ports::CommitReply::State::committed);
  }
  void write(const ports::LaneRow& row, bool beat = true) {
    const auto transaction = plain->own_transaction(deadline).value();
    ASSERT_TRUE(transaction->write_lane(row, beat));
    ASSERT_EQ(transaction->commit().state, ports::CommitReply::State::committed);
  }
  // Lane 0 in the hands of `owner`, alive.
  ports::LaneRow owned(std::uint64_t epoch, const std::string& owner) {
    ports::LaneRow row;
    row.epoch = epoch;
    row.owner = owner;
    row.owner_process = to_string(other.process());
    write(row);
    return row;
  }
  ports::LaneRow lane_row() { return state->lane_row(0).value(); }
  std::vector<ports::JournalRow> rows() { return state->journal_rows(); }
  std::optional<ports::JournalRow> row(const UnitId& key) {
    for (const auto& one : rows()) {
      if (one.key == key) return one;
    }
    return std::nullopt;
  }
  void fault(const std::string& step, support::Fault::Kind kind, std::size_t passed = 0) {
    process.plan_next(step, {.kind = kind}, passed);
  }
  bool did(const std::string& step) {
    const auto steps = process.steps();
    return std::find(steps.begin(), steps.end(), step) != steps.end();
  }

  support::World world{1};
  support::SimulatedProcess& me = world.process("me");
  support::SimulatedProcess& other = world.process("other");
  support::FaultyProcess process{me};
  std::shared_ptr<support::FakeDatabaseState> state = std::make_shared<support::FakeDatabaseState>(world.outside());
  std::shared_ptr<support::FakeDatabase> plain = std::make_shared<support::FakeDatabase>(state, me);
  std::shared_ptr<ports::Database> database = process.decorate(plain);
  std::shared_ptr<ports::EventStream> stream =
      std::make_shared<support::FakeEventStream>(std::make_shared<support::FakeEventStreamState>(world.outside()), me);
  const ports::Deadline deadline = world.now() + std::chrono::seconds(5);
};

}  // namespace write_aside::coordination
