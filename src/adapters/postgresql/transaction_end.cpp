#include "adapters/postgresql/transaction_end.hpp"

#include <string>
#include <utility>

#include "adapters/postgresql/flight.hpp"

namespace write_aside::postgresql {
namespace {

using ports::CommitReply;
using State = CommitReply::State;

constexpr const char* step = "commit";
constexpr std::chrono::seconds rollback_patience{5};

CommitReply in_doubt(Connection& connection, Error error) {
  // A reply that still comes must not be taken for that to something else, and the server lets go sooner.
  connection.abandon();
  error.effect = Effect::unknown;
  error.retriable = false;
  return {State::in_doubt, std::move(error)};
}

// Nothing was sent: the server rolls back what a lost connection leaves open.
CommitReply nothing_sent(Connection& connection) {
  return {State::aborted, connection_error(connection.name(), step, "the connection was lost before the commit")};
}

// The rows are committed, but perhaps on this server alone.
std::optional<Error> replication_warning(Connection& connection) {
  auto lost = connection.take_lost_replication_wait();
  if (!lost) return std::nullopt;
  return Error{ErrorCode::timeout,
               Side::database,
               Effect::yes,
               false,
               "commit on " + connection.name() + " is done, but its wait for synchronous replication was ended (" +
                   lost->text + "); a failover now may lose it: check the standbys",
               lost->sqlstate};
}

Error rolled_back_by_server(const Connection& connection) {
  return {ErrorCode::statement,
          Side::database,
          Effect::no,
          false,
          "commit failed on " + connection.name() +
              ": a statement of the transaction had failed, so the server rolled it back",
          "ROLLBACK"};
}

Error guard_failed(const Connection& connection, const PGresult* result) {
  const Complaint complaint = complaint_of(result);
  Error error = statement_error(complaint, connection.name(), step);
  if (complaint.sqlstate == guard_failure) error.code = ErrorCode::transaction_ended;
  return error;
}

CommitReply read_reply(Connection& connection, const PGresult* result) {
  if (PQresultStatus(result) == PGRES_COMMAND_OK) {
    const std::string_view tag = PQcmdStatus(const_cast<PGresult*>(result));
    if (tag == "COMMIT") return {State::committed, replication_warning(connection)};
    if (tag == "ROLLBACK") return {State::aborted, rolled_back_by_server(connection)};
  }
  const Complaint complaint = complaint_of(result);
  Error error = statement_error(complaint, connection.name(), step);
  if (proves_rollback(complaint.sqlstate)) return {State::aborted, std::move(error)};
  return in_doubt(connection, std::move(error));
}

CommitReply fly(Connection& connection, const Guard* guard, ports::Deadline deadline) {
  Flight flight(connection, step);
  if (guard != nullptr) flight.queue_once(std::string(guard->sql).c_str(), guard->arguments);
  flight.queue_own("COMMIT");
  if (auto sent = flight.send(); !sent) return in_doubt(connection, std::move(sent).error());
  if (guard != nullptr) {
    auto guarded = flight.take_answer(deadline);
    if (!guarded) return in_doubt(connection, std::move(guarded).error());
    if (PQresultStatus(guarded->get()) != PGRES_TUPLES_OK) {
      Error error = guard_failed(connection, guarded->get());
      if (auto landed = flight.land(deadline); !landed) return in_doubt(connection, std::move(landed).error());
      error.effect = Effect::unknown;
      return {State::in_doubt, std::move(error)};
    }
  }
  auto answer = flight.take_answer(deadline);
  if (!answer) return in_doubt(connection, std::move(answer).error());
  CommitReply reply = read_reply(connection, answer->get());
  if (reply.state == State::in_doubt) return reply;
  // Whatever becomes of the connection now, the server has said what became of the transaction.
  if (!flight.land(deadline)) connection.abandon();
  return reply;
}

}  // namespace

CommitReply commit_transaction(Connection& connection, const Guard* guard, ports::Deadline deadline) {
  if (connection.is_broken()) return nothing_sent(connection);
  if (!connection.pending_begin().empty()) {
    // BEGIN was not sent either: there is nothing to commit.
    connection.forget_pending_begin();
    return {State::committed, {}};
  }
  return fly(connection, guard, deadline);
}

bool roll_back(Connection& connection) noexcept {
  try {
    connection.forget_pending_begin();
    if (connection.is_broken()) return false;
    if (!connection.in_transaction()) return true;
    Flight flight(connection, "roll back");
    flight.queue_own("ROLLBACK");
    const auto done = flight.run(std::chrono::steady_clock::now() + rollback_patience);
    return done && !connection.in_transaction();
  } catch (...) {
    connection.abandon();  // no memory for the command
    return false;
  }
}

}  // namespace write_aside::postgresql
