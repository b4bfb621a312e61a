// A database in memory, behind ports/database.hpp. It passes the contract suite, so that what is proved on it in
// simulations means something for a real one. fake_database_state.hpp says how it behaves.
//
// The user's statements that it knows, on one table of texts with text keys:
//   "put ? ?"      inserts or replaces            "insert ? ?"   refuses a key that is there (constraint)
//   "delete ?"     deletes                        "get ?"        one row with one column, or none
//   "commit", "rollback"   end the transaction behind the unit's back
#pragma once

#include <memory>
#include <string>

#include "support/fake_database_state.hpp"

namespace write_aside::support {

class FakeDatabase final : public ports::Database {
 public:
  // `runtime` is that of the process that uses this object; it outlives it, as does the state's.
  FakeDatabase(std::shared_ptr<FakeDatabaseState> state, ports::Runtime& runtime)
      : state_(std::move(state)), runtime_(runtime) {}

  std::string name() const override { return "fake:database"; }
  Result<ports::Schema> create_schema(std::uint32_t lanes) override;
  Result<ports::Schema> schema() override;
  Result<std::unique_ptr<ports::Session>> session(ports::Deadline deadline) override;
  Result<std::unique_ptr<ports::OwnTransaction>> own_transaction(ports::Deadline deadline) override;
  Result<std::vector<ports::LaneSummary>> lanes() override;
  Result<std::optional<ports::LaneRow>> lane(LaneNumber lane) override;
  Result<std::vector<ports::LaneRow>> lanes_in_use() override;
  Result<bool> has_undelivered_below(LaneNumber lane, std::uint64_t epoch) override;
  Result<std::optional<std::string>> progress(std::string_view source) override;
  Result<std::string> table_prefix() override { return std::string("fake_"); }
  Result<void> end_session(const std::string& identity, ports::Deadline deadline) override;

 private:
  std::shared_ptr<FakeDatabaseState> state_;
  ports::Runtime& runtime_;
};

}  // namespace write_aside::support
