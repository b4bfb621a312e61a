#include "adapters/postgresql/session.hpp"

#include <utility>

namespace write_aside::postgresql {
namespace {

using ports::CommitReply;

// READ WRITE, whatever the role's default is.
std::string_view begin_text(Isolation isolation) {
  switch (isolation) {
    case Isolation::role_default:
      return "BEGIN READ WRITE";
    case Isolation::read_committed:
      return "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
    case Isolation::repeatable_read:
      return "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE";
    case Isolation::serializable:
      return "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE";
  }
  return "BEGIN READ WRITE";
}

}  // namespace

Session::~Session() {
  if (lease_) (void)rollback();
}

Result<void> Session::begin(ports::Deadline deadline) {
  if (lease_) {
    return failure({ErrorCode::internal,
                    Side::coordinator,
                    Effect::no,
                    false,
                    "begin on " + store_->name() + ": the unit before is not over",
                    {}});
  }
  start_afresh();
  lost_identity_.clear();
  auto lease = Store::lease(store_, Purpose::units, deadline);
  if (!lease) return failure(std::move(lease));
  lease_.emplace(std::move(*lease));
  lease_->connection().begin_with_next(begin_text(store_->options().isolation));
  return {};
}

Error Session::explain_failed_transaction() {
  // Nobody but us has this connection, and whatever failed on it was noted.
  return transaction_ended(store_->name(), Effect::unknown);
}

CommitReply Session::commit(ports::Deadline deadline) {
  if (!lease_) return {CommitReply::State::aborted, transaction_missing()};
  CommitReply reply = commit_on(lease_->connection(), deadline);
  if (reply.state == CommitReply::State::in_doubt) lost_identity_ = lease_->connection().identity();
  lease_.reset();
  return reply;
}

Result<void> Session::rollback() {
  if (!lease_) return {};
  start_afresh();
  // Where ROLLBACK fails the connection is closed, which rolls back as well.
  (void)roll_back(lease_->connection());
  lease_.reset();
  return {};
}

}  // namespace write_aside::postgresql
