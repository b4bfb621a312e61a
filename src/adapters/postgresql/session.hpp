// A session on one of the library's own connections. It has one from begin() to the unit's end.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "adapters/postgresql/store.hpp"
#include "adapters/postgresql/unit_session.hpp"

namespace write_aside::postgresql {

class Session final : public UnitSession {
 public:
  explicit Session(std::shared_ptr<Store> store)
      : UnitSession(store->options().statement_timeout), store_(std::move(store)) {}
  ~Session() override;

  Result<void> begin(ports::Deadline deadline) override;
  ports::CommitReply commit(ports::Deadline deadline) override;
  Result<void> rollback() override;
  std::string identity() const override { return lease_ ? lease_->connection().identity() : lost_identity_; }

 private:
  Connection* open_connection() override { return lease_ ? &lease_->connection() : nullptr; }
  Error explain_failed_transaction() override;

  std::shared_ptr<Store> store_;
  std::optional<Lease> lease_;
  std::string lost_identity_;  // of the session whose COMMIT was not answered
};

}  // namespace write_aside::postgresql
