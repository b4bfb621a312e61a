// A connection to a SQLite file, with its prepared statements.
//
// One thread at a time. An own connection is opened in WAL mode and waits for locks of other connections until its
// deadline; a borrowed one keeps every setting of its owner.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "adapters/sqlite_handles/statement.hpp"
#include "adapters/sqlite_handles/statement_cache.hpp"
#include "write_aside/result.hpp"

struct sqlite3;

namespace write_aside::sqlite_handles {

using Deadline = std::chrono::steady_clock::time_point;

struct CloseConnection {
  void operator()(sqlite3* handle) const noexcept;
};
using ConnectionHandle = std::unique_ptr<sqlite3, CloseConnection>;

struct ConnectionOptions {
  Side side = Side::database;  // of the errors
  std::string name;            // for messages: "sqlite:shop.db"
  bool create = true;
  bool query_only = false;  // refuses to write
  std::chrono::milliseconds busy_timeout{10'000};
  bool synchronous_normal = false;
  // Deleted bytes are overwritten only where that costs no further page (some builds of SQLite overwrite all).
  bool secure_delete_fast = false;
  int wal_autocheckpoint_pages = 1'000;
  std::size_t statements_max = 64;
};

class Connection {
 public:
  [[nodiscard]] static Result<Connection> open(const std::string& path, const ConnectionOptions& options);
  [[nodiscard]] static Connection borrow(sqlite3* handle, Side side, std::string name);
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) = delete;
  ~Connection();

  // From now on locks are waited for until `deadline`, and not longer than busy_timeout from now. No effect on a
  // borrowed connection. Without a call each wait ends busy_timeout after it began.
  void wait_until(Deadline deadline);

  // From the cache, or prepared and cached. `what` names it in errors and must live as long as the statement.
  // Exactly one statement: what follows it in `sql` is ignored, so callers check foreign text first.
  [[nodiscard]] Result<Statement> prepare(std::string_view sql, std::string_view what);
  // The same for text that comes from a user, in a cache of its own: a statement of ours that was prepared with the
  // same text must not let a user's pass unchecked. Both checks run once, before the statement enters the cache;
  // `text` before it is compiled, because compiling a PRAGMA may run it already; `tail` sees what follows it.
  struct Checks {
    Result<void> (*text)(const Connection& connection, std::string_view sql);
    Result<void> (*tail)(const Connection& connection, std::string_view rest);
  };
  [[nodiscard]] Result<Statement> prepare_foreign(std::string_view sql, std::string_view what, const Checks& checks);
  // Prepares, steps to the end; for statements without parameters.
  [[nodiscard]] Result<void> run(std::string_view sql, std::string_view what);

  // The first column of the first row, empty if there is none; for PRAGMA.
  [[nodiscard]] Result<std::string> read_text(std::string_view sql, std::string_view what);

  // The error for `code`, with SQLite's last message, or with `said`.
  [[nodiscard]] Error error(int code, std::string_view what) const;
  [[nodiscard]] Error error(int code, std::string_view what, std::string_view said) const;

  [[nodiscard]] bool in_transaction() const;  // autocommit is off
  [[nodiscard]] sqlite3* raw() const { return raw_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Side side() const { return side_; }
  [[nodiscard]] const StatementCache& foreign_statements() const { return foreign_; }
  // Finalises every cached statement.
  void forget_statements();

 private:
  struct BusyWait;
  Connection(ConnectionHandle own, sqlite3* raw, Side side, std::string name, std::size_t statements_max);
  [[nodiscard]] Result<void> configure(const ConnectionOptions& options);
  [[nodiscard]] Result<void> switch_to_wal();
  [[nodiscard]] Result<Statement> prepare_in(StatementCache& cache, std::string_view sql, std::string_view what,
                                             const Checks* checks);

  static int on_busy(void* wait, int count);

  std::unique_ptr<BusyWait> busy_;
  ConnectionHandle own_;  // empty for a borrowed one
  sqlite3* raw_;
  Side side_;
  std::string name_;
  StatementCache cache_;  // both are destroyed before the connection is closed
  StatementCache foreign_;
};

// Sleeps for a short, jittered time that grows with `attempt`, from about 100 us to 5 ms, and not past `deadline`;
// false, at once, when the deadline is over. For waits that SQLite's busy handler does not cover.
[[nodiscard]] bool sleep_before_retry(int attempt, Deadline deadline);

}  // namespace write_aside::sqlite_handles
