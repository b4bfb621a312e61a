// PostgreSQL 13 or later as the database.
//
// URL: libpq's own syntax, `postgresql://USER@HOST:PORT/DATABASE?option=value`; what it leaves out comes from libpq's
// environment variables, the password best from PGPASSWORD or ~/.pgpass. No message ever shows user or password.
//
// Promise: a unit's rows commit with its journal row or not at all, and no reply is taken for more than it proves.
// Connections are the library's own: at most `connections_max` for units and four for its own work, opened when they
// are needed. One that breaks is thrown away; after a restart of the server new ones are made.
// Connect to the primary itself, or through a pooler in session mode.
//
// After failure: a statement that fails leaves the unit's transaction failed, as PostgreSQL does. It can go on only by
// rolling back to a savepoint; otherwise its commit ends as `aborted`.
//
// Threads: the Database is safe from many threads, and starts none.
//
//   auto database = postgresql::open("postgresql://shop@127.0.0.1/shop");
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "write_aside/coordinator.hpp"
#include "write_aside/ports/database.hpp"
#include "write_aside/result.hpp"

// libpq's handle, as libpq-fe.h declares it.
struct pg_conn;
using PGconn = struct pg_conn;

namespace write_aside::postgresql {

// Of units on the library's own sessions. The library's own transactions run at READ COMMITTED in any case.
enum class Isolation { role_default, read_committed, repeatable_read, serializable };

struct Options {
  std::size_t connections_max =
      32;  // for units; who finds none free waits, bounded by CoordinatorOptions::session_timeout
  Isolation isolation = Isolation::role_default;
  // The schema of our tables. Empty: the one where search_path finds them; `init` makes them in its first schema.
  std::string schema = {};
  std::chrono::milliseconds connect_timeout{5'000};
  // The longest wait for the reply to a statement of a unit. After it the connection is closed, and the unit aborted.
  std::chrono::milliseconds statement_timeout{60'000};
  // A role or server with synchronous_commit=off or =local is refused: a crash may take back a commit that the
  // stream has followed, which breaks exactly_once. For comparisons only.
  bool unsafe_asynchronous_commit = false;
};

// Connects once, and checks the server. Fails with `unreachable`, with `read_only` on a standby, with
// `invalid_argument` where the URL, the server's version or its settings do not do.
[[nodiscard]] Result<std::shared_ptr<ports::Database>> open(const std::string& url, Options options = {});

}  // namespace write_aside::postgresql

// A unit on the caller's own handle, which must be outside pipeline mode, with no command under way, and either idle or
// inside a transaction that has not failed; that one is taken over, else one is begun at the handle's own isolation level.
// Nothing is prepared on it, and its settings stay.
//
// After the unit the handle is usable and outside any transaction, or, where a reply was lost or did not come in time,
// closed: PQstatus tells CONNECTION_BAD. A COMMIT or ROLLBACK that the caller runs behind the unit's back is detected at
// commit, `transaction_ended`, and no journal row is written in another transaction than the unit's. A notice receiver of
// the caller's own stays; then no lost wait for a standby is noticed.
//
// libpqxx gives its handle away and takes one over from 7.7.1 on (`std::move(connection).release_raw_connection()`,
// `pqxx::connection::seize_raw_connection(handle)`; both are for who knows what he does, it says). Begin the unit on the
// handle, let a pqxx::connection have it for the statements in a pqxx::nontransaction, take it back, commit. Tried by hand
// with 7.10.7; earlier ones, Debian's 6.4 too, keep the handle to themselves.
// SOCI 4.0: `static_cast<soci::postgresql_session_backend*>(session.get_backend())->conn_`, tried by the tests.
template <>
struct write_aside::BorrowedSession<PGconn> {
  [[nodiscard]] static Result<std::unique_ptr<ports::Session>> borrow(PGconn* handle);
};
