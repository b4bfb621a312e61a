#include "adapters/postgresql/unit_session.hpp"

#include <utility>

#include "adapters/postgresql/unit_statements.hpp"
#include "adapters/postgresql/user_statement.hpp"

namespace write_aside::postgresql {

using ports::CommitReply;
using ports::JournalReply;

namespace {

constexpr const char* what_inserts = "insert the journal row";

}  // namespace

Error transaction_missing() {
  return {ErrorCode::internal,
          Side::coordinator,
          Effect::no,
          false,
          "statement on postgresql outside a unit's transaction; begin a unit first",
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

void UnitSession::start_afresh() {
  failed_.reset();
  journal_.reset();
  no_flight_.reset();
}

Result<void> UnitSession::may_go_on() {
  if (failed_) return failure(*failed_);
  const Connection* connection = open_connection();
  if (connection == nullptr) return failure(transaction_missing());
  if (!connection->in_transaction()) return failure(transaction_ended(connection->name(), Effect::unknown));
  if (connection->pending_begin().empty() && connection->transaction_failed()) {
    failed_ = explain_failed_transaction();
    return failure(*failed_);
  }
  return {};
}

// Called where a statement failed: a failed transaction ends as a rollback, whatever is tried in it.
void UnitSession::note_failure(const Connection& connection, Error& error) {
  if (error.code == ErrorCode::transaction_ended) {
    // What became of the rows is for its message to say.
  } else if (connection.is_broken()) {
    error.message += "; the server rolls the unit back";
  } else if (connection.transaction_failed()) {
    error.message += "; PostgreSQL runs nothing more in this unit: roll it back, or to a savepoint";
  } else {
    return;
  }
  failed_ = error;
}

template <class Work>
auto UnitSession::inside(Work work) -> decltype(work(std::declval<Connection&>())) {
  if (auto possible = may_go_on(); !possible) return failure(std::move(possible));
  Connection& connection = *open_connection();
  auto result = work(connection);
  if (result) {
    if (connection.in_transaction()) return result;
    // No statement that passes our check ends a transaction; if one does, what follows would stand alone.
    failed_ = transaction_ended(connection.name(), Effect::unknown);
    return failure(*failed_);
  }
  note_failure(connection, result.error());
  return result;
}

Result<Rows> UnitSession::execute(std::string_view sql, std::span<const Parameter> parameters) {
  return inside(
      [&](Connection& connection) { return run_user_statement(connection, sql, parameters, reply_deadline()); });
}

Result<void> UnitSession::execute_all(std::span<const Statement> statements, std::size_t& failed) {
  failed = 0;
  while (failed < statements.size()) {
    const std::span<const Statement> some = first_flight(statements.subspan(failed));
    std::size_t done = 0;
    auto ran =
        inside([&](Connection& connection) { return run_user_statements(connection, some, done, reply_deadline()); });
    failed += done;
    if (!ran) return ran;
  }
  return {};
}

Result<void> UnitSession::savepoint(int depth) {
  return inside([&](Connection& connection) { return open_savepoint(connection, depth, reply_deadline()); });
}

Result<void> UnitSession::rollback_to_savepoint(int depth) {
  Connection* connection = open_connection();
  if (connection == nullptr) return failure(transaction_missing());
  if (connection->is_broken() && failed_) return failure(*failed_);
  auto undone = undo_savepoint(*connection, depth, reply_deadline());
  // Back before the failure, the transaction can go on.
  if (undone) {
    failed_.reset();
  } else {
    note_failure(*connection, undone.error());
  }
  return undone;
}

Result<void> UnitSession::release_savepoint(int depth) {
  return inside([&](Connection& connection) { return keep_savepoint(connection, depth, reply_deadline()); });
}

Result<std::optional<std::string>> UnitSession::progress(std::string_view source) {
  return inside([&](Connection& connection) { return read_progress(connection, source, reply_deadline()); });
}

Result<bool> UnitSession::advance(std::string_view source, std::optional<std::string_view> expected,
                                  std::string_view position) {
  return inside([&](Connection& connection) {
    return advance_progress(connection, source, expected, position, reply_deadline());
  });
}

void UnitSession::send_journal(const ports::JournalEntry& entry) {
  if (auto possible = may_go_on(); !possible) {
    no_flight_ = failure(std::move(possible));
    return;
  }
  journal_ = std::make_unique<Flight>(*open_connection(), what_inserts);
  if (const Guard* first = guard(); first != nullptr) {
    journal_->queue_once(std::string(first->sql).c_str(), first->arguments);
  }
  queue_journal(*journal_, entry);
  if (auto sent = journal_->send(); !sent) {
    no_flight_ = failure(std::move(sent));
    journal_.reset();
  }
}

// The answer to what travelled before the INSERT.
Result<void> UnitSession::take_guard(Flight& flight) {
  if (guard() == nullptr) return {};
  auto guarded = flight.take(reply_deadline());
  if (guarded) return {};
  if (guarded.error().driver != guard_failure) return failure(std::move(guarded));
  return failure(transaction_ended(flight.connection().name(), Effect::unknown));
}

Result<JournalReply> UnitSession::receive_journal() {
  if (no_flight_) {
    auto reply = std::move(*no_flight_);
    no_flight_.reset();
    return reply;
  }
  if (journal_ == nullptr) return failure(transaction_missing());
  const std::unique_ptr<Flight> flight = std::move(journal_);
  journal_.reset();
  Connection& connection = flight->connection();
  const auto ours = take_guard(*flight);
  auto answer = ours ? flight->take(reply_deadline()) : Result<ResultHandle>(failure(ours));
  if (!connection.is_broken()) {
    if (auto landed = flight->land(reply_deadline()); !landed && answer) answer = failure(std::move(landed));
  }
  if (answer) return read_journal_reply(answer->get());
  note_failure(connection, answer.error());
  return failure(std::move(answer));
}

CommitReply UnitSession::commit_on(Connection& connection, ports::Deadline deadline) {
  // A reply that nobody took would be taken for that to COMMIT.
  if (journal_ != nullptr) (void)receive_journal();
  CommitReply reply = commit_transaction(connection, guard(), deadline);
  if (reply.state == CommitReply::State::aborted && failed_) {
    const std::string evidence = std::move(reply.error->driver);
    reply.error = failed_;
    reply.error->driver += reply.error->driver.empty() || evidence.empty() ? evidence : ", " + evidence;
  }
  return reply;
}

}  // namespace write_aside::postgresql
