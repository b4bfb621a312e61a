// How a transaction ends, and what the end proves (protocol, C5).
#pragma once

#include "adapters/sqlite_handles/connection.hpp"
#include "write_aside/ports/database.hpp"

namespace write_aside::sqlite {

enum class Handle { own, borrowed };

struct CommitOptions {
  Handle handle = Handle::own;
  ports::Deadline deadline;
  bool may_wait = true;
};

// COMMIT, tried again while the file is busy, until the deadline. Unless the reply is `in_doubt`, the connection is
// outside any transaction afterwards; in doubt, an own connection must be closed.
[[nodiscard]] ports::CommitReply commit_transaction(sqlite_handles::Connection& connection,
                                                    const CommitOptions& options);

// True if the connection is outside any transaction afterwards.
[[nodiscard]] bool roll_back(sqlite_handles::Connection& connection) noexcept;

}  // namespace write_aside::sqlite
