// A session on the caller's own sqlite3*.
//
// The caller's code runs statements on the handle that we do not see, so the unit's transaction carries a savepoint:
// COMMIT, ROLLBACK and a rollback to an outer savepoint remove it, and RELEASE tells that it is gone. The handle keeps
// every setting of its owner, and does not wait for the turn to write of this process: it may hold the file's lock
// already.
#pragma once

#include <string>

#include "adapters/sqlite/unit_session.hpp"

struct sqlite3;

namespace write_aside::sqlite {

class BorrowedHandleSession final : public UnitSession {
 public:
  BorrowedHandleSession(sqlite_handles::Connection connection, std::string database_id);
  ~BorrowedHandleSession() override;

  Result<void> begin(ports::Deadline deadline) override;
  ports::CommitReply commit(ports::Deadline deadline) override;
  Result<void> rollback() override;
  std::string identity() const override { return {}; }
  std::string database_id() const override { return database_id_; }

 private:
  sqlite_handles::Connection* open_connection() override;
  Result<void> confirm_transaction() override;
  [[nodiscard]] Result<void> begin_transaction(ports::Deadline deadline);
  [[nodiscard]] Result<void> release_guard();
  [[nodiscard]] ports::CommitReply over(ports::CommitReply reply);

  sqlite_handles::Connection connection_;
  std::string database_id_;
  std::string guard_;  // name of the savepoint, different in every session
  bool open_ = false;
};

}  // namespace write_aside::sqlite
