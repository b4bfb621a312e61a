// What a unit's session does inside its transaction, on whichever connection that is.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "adapters/sqlite_handles/connection.hpp"
#include "write_aside/ports/database.hpp"

namespace write_aside::sqlite {

// Each is one statement or two of the transaction that is open on the connection.
[[nodiscard]] Result<void> open_savepoint(sqlite_handles::Connection& connection, int depth);
[[nodiscard]] Result<void> undo_savepoint(sqlite_handles::Connection& connection, int depth);
[[nodiscard]] Result<void> keep_savepoint(sqlite_handles::Connection& connection, int depth);

[[nodiscard]] Result<std::optional<std::string>> read_progress(sqlite_handles::Connection& connection,
                                                               std::string_view source);
[[nodiscard]] Result<bool> advance_progress(sqlite_handles::Connection& connection, std::string_view source,
                                            std::optional<std::string_view> expected, std::string_view position);
[[nodiscard]] Result<ports::JournalReply> insert_journal(sqlite_handles::Connection& connection,
                                                         const ports::JournalEntry& entry);

}  // namespace write_aside::sqlite
