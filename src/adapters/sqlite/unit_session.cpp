#include "adapters/sqlite/unit_session.hpp"

#include <utility>

#include "adapters/sqlite/unit_statements.hpp"
#include "adapters/sqlite/user_statement.hpp"

namespace write_aside::sqlite {

using sqlite_handles::Connection;

Error transaction_missing(const std::string& name) {
  return {ErrorCode::internal,
          Side::coordinator,
          Effect::no,
          false,
          "statement on " + name + " outside a unit's transaction; begin a unit first",
          {}};
}

Error transaction_ended(const std::string& name, Effect effect) {
  return {ErrorCode::transaction_ended,
          Side::caller,
          effect,
          false,
          "the unit's transaction on " + name +
              " was ended behind its back; leave COMMIT and ROLLBACK on this handle to the unit",
          {}};
}

template <class Work>
auto UnitSession::inside(Work work) -> decltype(work(std::declval<Connection&>())) {
  if (rolled_back_) return failure(*rolled_back_);
  Connection* connection = open_connection();
  if (connection == nullptr) return failure(transaction_missing("sqlite"));
  if (!connection->in_transaction()) return failure(transaction_ended(connection->name(), Effect::no));
  auto result = work(*connection);
  if (result || connection->in_transaction()) return result;
  // ON CONFLICT ROLLBACK, a full disk, an I/O error: the statement took the whole transaction with it. What follows
  // would be committed on its own, so nothing may follow.
  rolled_back_ = result.error();
  rolled_back_->message += "; SQLite rolled the whole unit back: run it again";
  return failure(*rolled_back_);
}

Result<Rows> UnitSession::execute(std::string_view sql, std::span<const Parameter> parameters) {
  return inside([&](Connection& connection) { return run_user_statement(connection, sql, parameters); });
}

Result<void> UnitSession::savepoint(int depth) {
  return inside([&](Connection& connection) { return open_savepoint(connection, depth); });
}
Result<void> UnitSession::rollback_to_savepoint(int depth) {
  return inside([&](Connection& connection) { return undo_savepoint(connection, depth); });
}
Result<void> UnitSession::release_savepoint(int depth) {
  return inside([&](Connection& connection) { return keep_savepoint(connection, depth); });
}

Result<std::optional<std::string>> UnitSession::progress(std::string_view source) {
  return inside([&](Connection& connection) { return read_progress(connection, source); });
}
Result<bool> UnitSession::advance(std::string_view source, std::optional<std::string_view> expected,
                                  std::string_view position) {
  return inside([&](Connection& connection) { return advance_progress(connection, source, expected, position); });
}

void UnitSession::send_journal(const ports::JournalEntry& entry) {
  if (rolled_back_) {
    Connection* connection = open_connection();
    journal_ = failure(transaction_ended(connection != nullptr ? connection->name() : "sqlite", Effect::no));
    return;
  }
  if (auto ours = confirm_transaction(); !ours) {
    journal_ = failure(std::move(ours));
    return;
  }
  journal_ = inside([&](Connection& connection) { return insert_journal(connection, entry); });
}

Result<ports::JournalReply> UnitSession::receive_journal() {
  if (!journal_) return failure(transaction_missing("sqlite"));
  auto reply = std::move(*journal_);
  journal_.reset();
  return reply;
}

}  // namespace write_aside::sqlite
