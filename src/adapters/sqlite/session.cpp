#include "adapters/sqlite/session.hpp"

#include <utility>

namespace write_aside::sqlite {

using ports::CommitReply;

Result<void> Session::begin(ports::Deadline deadline) {
  if (transaction_) {
    return failure({ErrorCode::internal,
                    Side::coordinator,
                    Effect::no,
                    false,
                    "begin on " + store_->name() + ": the unit before is not over",
                    {}});
  }
  start_afresh();
  auto transaction = WriteTransaction::begin(store_, Purpose::units, deadline);
  if (!transaction) return failure(std::move(transaction));
  transaction_.emplace(std::move(*transaction));
  return {};
}

sqlite_handles::Connection* Session::open_connection() { return transaction_ ? &transaction_->connection() : nullptr; }

Result<void> Session::confirm_transaction() {
  // Nobody but us has this connection, and execute() refuses what ends a transaction.
  if (!transaction_) return failure(transaction_missing(store_->name()));
  if (transaction_->connection().in_transaction()) return {};
  return failure(transaction_ended(store_->name(), Effect::no));
}

CommitReply Session::commit(ports::Deadline deadline) {
  if (!transaction_) return {CommitReply::State::aborted, transaction_missing(store_->name())};
  CommitReply reply;
  if (rolled_back()) {
    reply = {CommitReply::State::aborted, rolled_back()};
  } else {
    reply = transaction_->commit(deadline);
  }
  transaction_.reset();
  return reply;
}

Result<void> Session::rollback() {
  // Where ROLLBACK fails the connection is closed, which rolls back as well.
  transaction_.reset();
  return {};
}

}  // namespace write_aside::sqlite
