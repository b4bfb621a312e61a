// The in-memory fakes as a pair for scenarios: a database with row locks, where the COMMIT of a dead process can land
// late, and a stream with fencing.
#pragma once

#include <memory>

#include "simulation/scenario.hpp"
#include "support/fake_database.hpp"
#include "support/fake_event_stream.hpp"

namespace write_aside::simulation {

class FakePair final : public StorePair {
 public:
  FakePair(World& world, std::uint32_t lanes, support::FakeStreamOptions stream = {});

  std::shared_ptr<ports::Database> database(SimulatedProcess& process) override;
  std::shared_ptr<ports::EventStream> stream(SimulatedProcess& process) override;
  Result<void> write_row(UnitOfWork& unit, int id) override;
  std::set<int> rows() override;
  std::vector<int> events() override;

  [[nodiscard]] support::FakeDatabaseState& database_state() { return *database_; }
  [[nodiscard]] support::FakeEventStreamState& stream_state() { return *stream_; }

 private:
  std::shared_ptr<support::FakeDatabaseState> database_;
  std::shared_ptr<support::FakeEventStreamState> stream_;
};

}  // namespace write_aside::simulation
