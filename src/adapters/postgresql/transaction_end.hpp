// How a transaction ends, and what the end proves (protocol, C5).
#pragma once

#include <optional>
#include <string_view>

#include "adapters/postgresql/arguments.hpp"
#include "adapters/postgresql/connection.hpp"
#include "write_aside/ports/database.hpp"

namespace write_aside::postgresql {

// A statement that travels in front of COMMIT. It fails if the transaction is not the unit's any more, and COMMIT is
// skipped then.
struct Guard {
  std::string_view sql;
  const Arguments& arguments;
};

// The SQLSTATE with which a guard fails.
inline constexpr std::string_view guard_failure = "22P02";

// COMMIT, and nothing sent if the connection is lost already. In doubt, the connection is unusable afterwards;
// otherwise it is outside any transaction. `guard`: may be null.
[[nodiscard]] ports::CommitReply commit_transaction(Connection& connection, const Guard* guard,
                                                    ports::Deadline deadline);

// True if the connection is usable and outside any transaction afterwards.
[[nodiscard]] bool roll_back(Connection& connection) noexcept;

}  // namespace write_aside::postgresql
