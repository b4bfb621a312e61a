#include "adapters/sqlite/transaction_end.hpp"

#include <sqlite3.h>

#include <utility>

namespace write_aside::sqlite {
namespace {

using ports::CommitReply;
using sqlite_handles::Connection;

// A writing statement of the caller's that is not finished: COMMIT stays busy however long one waits.
bool has_unfinished_write(const Connection& connection) {
  for (sqlite3_stmt* statement = sqlite3_next_stmt(connection.raw(), nullptr); statement != nullptr;
       statement = sqlite3_next_stmt(connection.raw(), statement)) {
    if (sqlite3_stmt_busy(statement) != 0 && sqlite3_stmt_readonly(statement) == 0) return true;
  }
  return false;
}

bool is_busy(const Error& error) { return error.code == ErrorCode::busy; }

// Nothing was committed, on the evidence of the code, of autocommit before and after, and of our ROLLBACK.
bool proves_rollback(const Connection& connection, const Error& error, Handle handle, bool was_open) {
  if (connection.in_transaction()) return false;  // the ROLLBACK failed
  const bool refused = error.code == ErrorCode::constraint || error.code == ErrorCode::storage_full;
  // SQLite refused and kept the transaction open until our own ROLLBACK ended it.
  if (was_open) return refused || is_busy(error) || error.code == ErrorCode::conflict;
  // SQLite ended the transaction by itself. On a borrowed handle the code proves nothing: a caller's WAL hook runs
  // after a successful COMMIT, and its code takes the place of SQLITE_OK.
  return refused && handle == Handle::own;
}

}  // namespace

bool roll_back(Connection& connection) noexcept {
  try {
    if (!connection.in_transaction()) return true;
    // The result says less than the state: SQLite may have rolled back by itself.
    (void)connection.run("ROLLBACK", "roll back");
    return !connection.in_transaction();
  } catch (...) {
    return false;  // no memory for the statement
  }
}

CommitReply commit_transaction(Connection& connection, const CommitOptions& options) {
  Error error;
  // Bounded by the deadline: sleep_before_retry ends it.
  for (int attempt = 0;; ++attempt) {
    auto done = connection.run("COMMIT", "commit");
    if (done) return {CommitReply::State::committed, {}};
    error = std::move(done).error();
    if (!is_busy(error) || !connection.in_transaction() || !options.may_wait) break;
    if (has_unfinished_write(connection)) {
      error.message += "; a statement on the handle is not finished: reset or finalise it before the commit";
      break;
    }
    if (!sqlite_handles::sleep_before_retry(attempt, options.deadline)) break;
  }
  const bool was_open = connection.in_transaction();
  if (was_open) (void)roll_back(connection);
  if (proves_rollback(connection, error, options.handle, was_open)) {
    error.effect = Effect::no;
    return {CommitReply::State::aborted, std::move(error)};
  }
  error.effect = Effect::unknown;
  error.retriable = false;
  return {CommitReply::State::in_doubt, std::move(error)};
}

}  // namespace write_aside::sqlite
