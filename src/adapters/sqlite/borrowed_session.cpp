#include "adapters/sqlite/borrowed_session.hpp"

#include <sqlite3.h>

#include <atomic>
#include <utility>

#include "adapters/sqlite/tables.hpp"
#include "adapters/sqlite/transaction_end.hpp"
#include "write_aside/adapters/sqlite.hpp"

namespace write_aside::sqlite {
namespace {

using ports::CommitReply;
using sqlite_handles::Connection;

constexpr std::int64_t synchronous_full = 2;

std::string new_guard_name() {
  static std::atomic<std::uint64_t> last{0};
  return "write_aside_unit_" + std::to_string(++last);
}

Error unsuitable(const Connection& connection, const std::string& why) {
  return {ErrorCode::invalid_argument,
          Side::caller,
          Effect::no,
          false,
          "the handle on " + connection.name() + " cannot carry a unit: " + why,
          {}};
}

// A COMMIT on this handle must be as durable as one on our own, or a power cut takes back the decision after the
// stream has followed it.
Result<void> check_durability(Connection& connection) {
  auto synchronous = connection.read_text("PRAGMA main.synchronous", "read a setting");
  if (!synchronous) return failure(std::move(synchronous));
  if (std::atoi(synchronous->c_str()) < synchronous_full) {
    return failure(unsuitable(connection, "its commits may be lost at a power cut; run PRAGMA synchronous=FULL on it"));
  }
  auto journal = connection.read_text("PRAGMA main.journal_mode", "read a setting");
  if (!journal) return failure(std::move(journal));
  if (*journal == "off" || *journal == "memory") {
    return failure(unsuitable(connection, "journal_mode=" + *journal + "; run PRAGMA journal_mode=WAL on it"));
  }
  if (sqlite3_db_readonly(connection.raw(), "main") == 1) {
    return failure(connection.error(SQLITE_READONLY, "begin", "the handle is read-only"));
  }
  return {};
}

// A handle that is inside a transaction which has read nothing yet takes the write lock at once: otherwise our own
// reads would fix its snapshot, and its first write could fail because somebody wrote in between.
Result<void> lock_fresh_transaction(Connection& connection) {
  if (!connection.in_transaction() || sqlite3_txn_state(connection.raw(), "main") != SQLITE_TXN_NONE) return {};
  auto locked = connection.run("UPDATE main.write_aside_meta SET version = version WHERE 0", "begin");
  if (!locked && locked.error().code == ErrorCode::statement) return {};  // no table: read_schema tells it
  return locked;
}

}  // namespace

BorrowedHandleSession::BorrowedHandleSession(Connection connection, std::string database_id)
    : connection_(std::move(connection)), database_id_(std::move(database_id)), guard_(new_guard_name()) {}

BorrowedHandleSession::~BorrowedHandleSession() {
  if (open_) (void)roll_back(connection_);
}

Result<void> BorrowedHandleSession::begin(ports::Deadline deadline) {
  if (open_) return failure(unsuitable(connection_, "the unit before is not over"));
  start_afresh();
  const bool taken_over = connection_.in_transaction();
  if (!taken_over) {
    if (auto begun = begin_transaction(deadline); !begun) return begun;
  }
  auto guarded = connection_.run("SAVEPOINT " + guard_, "begin");
  if (!guarded) {
    if (!taken_over) (void)roll_back(connection_);
    return guarded;
  }
  open_ = true;
  return {};
}

// The handle's own busy handler stays; what it does not wait for is waited for here.
Result<void> BorrowedHandleSession::begin_transaction(ports::Deadline deadline) {
  for (int attempt = 0;; ++attempt) {
    auto begun = connection_.run("BEGIN IMMEDIATE", "begin");
    if (begun || begun.error().code != ErrorCode::busy) return begun;
    if (!sqlite_handles::sleep_before_retry(attempt, deadline)) return begun;
  }
}

Connection* BorrowedHandleSession::open_connection() { return open_ ? &connection_ : nullptr; }

// Fails, and changes nothing, if the savepoint is gone.
Result<void> BorrowedHandleSession::release_guard() {
  if (!connection_.in_transaction()) return failure(transaction_ended(connection_.name(), Effect::unknown));
  auto released = connection_.run("RELEASE " + guard_, "release the unit's savepoint");
  // "no such savepoint" is the only error that RELEASE of a valid name compiles to; a busy handle is another thing.
  if (!released && released.error().code == ErrorCode::statement) {
    return failure(transaction_ended(connection_.name(), Effect::unknown));
  }
  return released;
}

Result<void> BorrowedHandleSession::confirm_transaction() {
  if (!open_) return failure(transaction_missing(connection_.name()));
  if (auto released = release_guard(); !released) return released;
  // Guards the time from the journal INSERT to the COMMIT.
  return connection_.run("SAVEPOINT " + guard_, "renew the unit's savepoint");
}

CommitReply BorrowedHandleSession::commit(ports::Deadline deadline) {
  if (!open_) return {CommitReply::State::aborted, transaction_missing(connection_.name())};
  if (rolled_back()) {
    return over({CommitReply::State::aborted, rolled_back()});
  }
  if (auto released = release_guard(); !released) {
    Error error = std::move(released).error();
    // The caller may have committed the unit's rows, with or without the journal row, or rolled them back.
    if (error.code == ErrorCode::transaction_ended) return over({CommitReply::State::in_doubt, std::move(error)});
    const bool proven = roll_back(connection_);
    error.effect = proven ? Effect::no : Effect::unknown;
    return over({proven ? CommitReply::State::aborted : CommitReply::State::in_doubt, std::move(error)});
  }
  return over(commit_transaction(connection_, {Handle::borrowed, deadline, true}));
}

// The handle comes back outside any transaction, with no statement of ours left on it.
CommitReply BorrowedHandleSession::over(CommitReply reply) {
  (void)roll_back(connection_);
  connection_.forget_statements();
  open_ = false;
  return reply;
}

Result<void> BorrowedHandleSession::rollback() {
  if (!open_) return {};
  const bool ours = rolled_back() || release_guard().has_value();
  const bool proven = roll_back(connection_);
  connection_.forget_statements();
  open_ = false;
  if (!ours) return failure(transaction_ended(connection_.name(), Effect::unknown));
  if (!proven) {
    return failure(unsuitable(connection_, "ROLLBACK failed; close it, which undoes the unit"));
  }
  return {};
}

}  // namespace write_aside::sqlite

namespace write_aside {

Result<std::unique_ptr<ports::Session>> BorrowedSession<sqlite3>::borrow(sqlite3* handle) {
  using namespace sqlite;
  if (handle == nullptr) {
    return failure({ErrorCode::invalid_argument, Side::caller, Effect::no, false, "the sqlite3 handle is null", {}});
  }
  const char* path = sqlite3_db_filename(handle, "main");
  auto connection =
      Connection::borrow(handle, Side::database, "sqlite:" + std::string(path != nullptr ? path : "(memory)"));
  if (auto durable = check_durability(connection); !durable) return failure(std::move(durable));
  if (auto locked = lock_fresh_transaction(connection); !locked) return failure(std::move(locked));
  auto schema = read_schema(connection);
  if (!schema) return failure(std::move(schema));
  return std::make_unique<BorrowedHandleSession>(std::move(connection), std::move(schema->database_id));
}

}  // namespace write_aside
