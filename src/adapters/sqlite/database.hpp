// SQLite as a ports::Database.
#pragma once

#include <memory>

#include "adapters/sqlite/store.hpp"
#include "write_aside/ports/database.hpp"

namespace write_aside::sqlite {

class Database final : public ports::Database {
 public:
  explicit Database(std::shared_ptr<Store> store) : store_(std::move(store)) {}

  std::string name() const override { return store_->name(); }
  Result<ports::Schema> create_schema(std::uint32_t lanes) override;
  Result<ports::Schema> schema() override;
  Result<std::unique_ptr<ports::Session>> session(ports::Deadline deadline) override;
  Result<std::unique_ptr<ports::OwnTransaction>> own_transaction(ports::Deadline deadline) override;
  Result<std::vector<ports::LaneSummary>> lanes() override;
  Result<std::optional<ports::LaneRow>> lane(LaneNumber lane) override;
  Result<std::vector<ports::LaneRow>> lanes_in_use() override;
  Result<bool> has_undelivered_below(LaneNumber lane, std::uint64_t epoch) override;
  Result<std::optional<std::string>> progress(std::string_view source) override;
  Result<std::string> table_prefix() override;
  Result<void> end_session(const std::string& identity, ports::Deadline deadline) override;

 private:
  std::shared_ptr<Store> store_;
};

}  // namespace write_aside::sqlite
