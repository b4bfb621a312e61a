#include "adapters/postgresql/borrowed_session.hpp"

#include <utility>

#include "adapters/postgresql/flight.hpp"
#include "adapters/postgresql/rows.hpp"
#include "adapters/postgresql/session_setup.hpp"
#include "adapters/postgresql/tables.hpp"
#include "write_aside/adapters/postgresql.hpp"

namespace write_aside::postgresql {
namespace {

using ports::CommitReply;

constexpr std::chrono::seconds borrow_patience{10};
constexpr std::chrono::minutes statement_patience{1};

// The cast fails, with words for the server's log, if another transaction is open or none. The function in its operand
// keeps the planner from trying it beforehand. What the caller may have set for this transaction alone must not make
// its COMMIT less than durable, nor hide the warning that it was not replicated.
constexpr std::string_view guard_sql =
    "SELECT CASE WHEN pg_catalog.pg_current_xact_id_if_assigned()::text = $1 THEN 0 "
    "ELSE ('the transaction of the unit was ended behind its back, this is ' || "
    "coalesce(pg_catalog.pg_current_xact_id_if_assigned()::text, 'none'))::integer END, "
    "CASE WHEN pg_catalog.current_setting('synchronous_commit') IN ('off', 'local') "
    "THEN pg_catalog.set_config('synchronous_commit', 'on', true) END, "
    "CASE WHEN pg_catalog.current_setting('client_min_messages') = 'error' "
    "THEN pg_catalog.set_config('client_min_messages', 'warning', true) END";

tl::unexpected<Error> unsuitable(const std::string& name, const std::string& why) {
  return failure({ErrorCode::invalid_argument,
                  Side::caller,
                  Effect::no,
                  false,
                  "the handle on " + name + " cannot carry a unit: " + why,
                  {}});
}

// Nothing else may be under way on the handle.
Result<void> check_state(const PGconn* handle, const std::string& name) {
  if (PQstatus(handle) != CONNECTION_OK) {
    return failure(connection_error(name, "begin", "the handle has lost its connection"));
  }
  if (PQpipelineStatus(handle) != PQ_PIPELINE_OFF) {
    return unsuitable(name, "it is in pipeline mode; take its results and call PQexitPipelineMode");
  }
  switch (PQtransactionStatus(handle)) {
    case PQTRANS_IDLE:
    case PQTRANS_INTRANS:
      return {};
    case PQTRANS_ACTIVE:
      return unsuitable(name, "a command is under way; take its results, or end its COPY");
    case PQTRANS_INERROR:
      return unsuitable(name, "a statement of its transaction has failed; roll it back first");
    case PQTRANS_UNKNOWN:
      break;
  }
  return failure(connection_error(name, "begin", "the handle has lost its connection"));
}

std::string name_of(const PGconn* handle) {
  const auto text = [](const char* value) { return std::string(value != nullptr ? value : ""); };
  return "postgresql://" + text(PQhost(handle)) + ":" + text(PQport(handle)) + "/" + text(PQdb(handle));
}

}  // namespace

BorrowedHandleSession::BorrowedHandleSession(std::unique_ptr<Connection> connection, std::string database_id)
    : UnitSession(statement_patience),
      connection_(std::move(connection)),
      database_id_(std::move(database_id)),
      guard_{guard_sql, transaction_} {}

BorrowedHandleSession::~BorrowedHandleSession() {
  if (!open_) return;
  start_afresh();
  (void)roll_back(*connection_);
}

Result<void> BorrowedHandleSession::begin(ports::Deadline deadline) {
  if (open_) return unsuitable(connection_->name(), "the unit before is not over");
  if (auto good = check_state(connection_->raw(), connection_->name()); !good) return good;
  start_afresh();
  const bool taken_over = connection_->in_transaction();
  // At the isolation level that the caller has set for his sessions.
  if (!taken_over) connection_->begin_with_next("BEGIN READ WRITE");
  Flight flight(*connection_, "begin");
  flight.queue_once(
      "SELECT pg_catalog.pg_current_xact_id()::text, pg_catalog.current_setting('transaction_read_only')");
  auto answer = flight.run(deadline);
  if (!answer) {
    if (!taken_over) (void)roll_back(*connection_);
    return failure(std::move(answer));
  }
  const Columns columns(answer->get(), 0);
  if (columns.text(1) == "on") {
    if (!taken_over) (void)roll_back(*connection_);
    return unsuitable(connection_->name(), "its transaction is READ ONLY");
  }
  transaction_text_ = columns.text(0);
  transaction_ = Arguments::of(transaction_text_);
  open_ = true;
  return {};
}

// After a failure nothing can be asked in the transaction. It cannot commit any more either, so it is ended here, and
// the server is asked what became of the unit's: if that one was committed before, this one was the caller's.
Result<bool> BorrowedHandleSession::was_rolled_back() {
  if (!roll_back(*connection_)) {
    return failure(connection_error(connection_->name(), "roll back", "the connection was lost"));
  }
  Flight flight(*connection_, "ask for the transaction's end");
  flight.queue_once("SELECT pg_catalog.pg_xact_status($1::pg_catalog.xid8)", transaction_);
  auto answer = flight.run(reply_deadline());
  if (!answer) return failure(std::move(answer));
  return Columns(answer->get(), 0).text(0) == "aborted";
}

Error BorrowedHandleSession::explain_failed_transaction() {
  auto rolled_back = was_rolled_back();
  if (!rolled_back) return std::move(rolled_back).error();
  if (!*rolled_back) return transaction_ended(connection_->name(), Effect::unknown);
  return {ErrorCode::statement,
          Side::database,
          Effect::no,
          false,
          "a statement had failed on the handle on " + connection_->name() +
              ", and PostgreSQL ran nothing more in its transaction; the unit is rolled back",
          {}};
}

CommitReply BorrowedHandleSession::commit(ports::Deadline deadline) {
  if (!open_) return {CommitReply::State::aborted, transaction_missing()};
  if (auto possible = may_go_on(); !possible) {
    Error error = std::move(possible).error();
    const bool proven = error.code != ErrorCode::transaction_ended;
    return over({proven ? CommitReply::State::aborted : CommitReply::State::in_doubt, std::move(error)});
  }
  CommitReply reply = commit_on(*connection_, deadline);
  if (reply.error && reply.error->code == ErrorCode::transaction_ended) {
    reply.error = transaction_ended(connection_->name(), Effect::unknown);
  }
  return over(std::move(reply));
}

CommitReply BorrowedHandleSession::over(CommitReply reply) {
  (void)roll_back(*connection_);
  open_ = false;
  return reply;
}

Result<void> BorrowedHandleSession::rollback() {
  if (!open_) return {};
  open_ = false;
  // The caller's own COMMIT or ROLLBACK shows as a transaction that is over, or is another one.
  auto rolled_back = was_rolled_back();
  start_afresh();
  if (!rolled_back) return failure(std::move(rolled_back));
  if (!*rolled_back) return failure(transaction_ended(connection_->name(), Effect::unknown));
  return {};
}

}  // namespace write_aside::postgresql

namespace write_aside {

Result<std::unique_ptr<ports::Session>> BorrowedSession<PGconn>::borrow(PGconn* handle) {
  using namespace postgresql;
  if (handle == nullptr) {
    return failure({ErrorCode::invalid_argument, Side::caller, Effect::no, false, "the PGconn handle is null", {}});
  }
  const std::string name = postgresql::name_of(handle);
  if (auto good = check_state(handle, name); !good) return failure(std::move(good));
  const auto deadline = std::chrono::steady_clock::now() + borrow_patience;
  auto connection = Connection::borrow(handle, name);
  if (auto good = check_session(*connection, {}, deadline); !good) return failure(std::move(good));
  if (connection->table_prefix().empty()) return failure(not_initialised(name));
  auto schema = read_identity(*connection, deadline);
  if (!schema) return failure(std::move(schema));
  return std::make_unique<BorrowedHandleSession>(std::move(connection), std::move(schema->database_id));
}

}  // namespace write_aside
