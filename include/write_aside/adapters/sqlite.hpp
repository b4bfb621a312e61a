// SQLite as the database: a file, opened in WAL mode with synchronous=FULL.
//
// URL: `sqlite:PATH`. The file is shared with other processes and with the user's own connections; SQLite lets one
// transaction write at a time, so units of work take turns.
//
// Threads: the Database is safe from many threads.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "write_aside/coordinator.hpp"
#include "write_aside/ports/database.hpp"
#include "write_aside/result.hpp"

struct sqlite3;

namespace write_aside::sqlite {

struct Options {
  bool create = true;  // make the file if it is missing
  // How long to wait for a lock that another process holds. 0: not at all.
  std::chrono::milliseconds busy_timeout{10'000};
  // `synchronous=FULL` survives a power cut. `NORMAL` may lose the last commits at a power cut, which breaks
  // exactly_once; for comparisons only.
  bool unsafe_synchronous_normal = false;
};

[[nodiscard]] Result<std::shared_ptr<ports::Database>> open(const std::string& path, Options options = {});

}  // namespace write_aside::sqlite

// A unit on the caller's own handle. The handle may be inside a transaction (begun by the caller) or not. A
// COMMIT or ROLLBACK that the caller runs behind the unit's back is detected at commit: `transaction_ended`.
template <>
struct write_aside::BorrowedSession<sqlite3> {
  [[nodiscard]] static Result<std::unique_ptr<ports::Session>> borrow(sqlite3* handle);
};
