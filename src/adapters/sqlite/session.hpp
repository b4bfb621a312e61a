// A session on the library's own connection to the file. It has the turn to write from begin() to the unit's end.
#pragma once

#include <memory>
#include <optional>

#include "adapters/sqlite/store.hpp"
#include "adapters/sqlite/unit_session.hpp"

namespace write_aside::sqlite {

class Session final : public UnitSession {
 public:
  explicit Session(std::shared_ptr<Store> store) : store_(std::move(store)) {}

  Result<void> begin(ports::Deadline deadline) override;
  ports::CommitReply commit(ports::Deadline deadline) override;
  Result<void> rollback() override;
  // A lost connection of this process cannot commit any more: nothing has to be ended at a server.
  std::string identity() const override { return {}; }

 private:
  sqlite_handles::Connection* open_connection() override;
  Result<void> confirm_transaction() override;

  std::shared_ptr<Store> store_;
  std::optional<WriteTransaction> transaction_;
};

}  // namespace write_aside::sqlite
