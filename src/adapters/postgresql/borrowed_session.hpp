// A session on the caller's own PGconn*.
//
// The caller's code runs statements on the handle that we do not see, so the unit remembers the server's number of its
// transaction. A guard that compares it travels in front of the journal INSERT and in front of COMMIT, in the same
// flight: if the caller has committed or rolled back, neither is run. It costs no round trip.
#pragma once

#include <memory>
#include <string>

#include "adapters/postgresql/unit_session.hpp"

namespace write_aside::postgresql {

class BorrowedHandleSession final : public UnitSession {
 public:
  BorrowedHandleSession(std::unique_ptr<Connection> connection, std::string database_id);
  ~BorrowedHandleSession() override;

  Result<void> begin(ports::Deadline deadline) override;
  ports::CommitReply commit(ports::Deadline deadline) override;
  Result<void> rollback() override;
  std::string identity() const override { return connection_->identity(); }
  std::string database_id() const override { return database_id_; }

 private:
  Connection* open_connection() override { return open_ ? connection_.get() : nullptr; }
  const Guard* guard() const override { return &guard_; }
  Error explain_failed_transaction() override;
  [[nodiscard]] Result<bool> was_rolled_back();
  // The transaction is over; the handle is outside any, or lost.
  [[nodiscard]] ports::CommitReply over(ports::CommitReply reply);

  std::unique_ptr<Connection> connection_;
  std::string database_id_;
  Arguments transaction_;  // its number, which is never given out again
  std::string transaction_text_;
  Guard guard_;
  bool open_ = false;
};

}  // namespace write_aside::postgresql
