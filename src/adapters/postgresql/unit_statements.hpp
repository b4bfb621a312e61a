// What a unit's session does inside its transaction, on whichever connection that is.
#pragma once

#include <optional>
#include <string_view>

#include "adapters/postgresql/flight.hpp"
#include "write_aside/ports/database.hpp"

namespace write_aside::postgresql {

// Each is one statement of the transaction that is open on the connection, or begins with it.
[[nodiscard]] Result<void> open_savepoint(Connection& connection, int depth, ports::Deadline deadline);
[[nodiscard]] Result<void> undo_savepoint(Connection& connection, int depth, ports::Deadline deadline);
[[nodiscard]] Result<void> keep_savepoint(Connection& connection, int depth, ports::Deadline deadline);

[[nodiscard]] Result<std::optional<std::string>> read_progress(Connection& connection, std::string_view source,
                                                               ports::Deadline deadline);
[[nodiscard]] Result<bool> advance_progress(Connection& connection, std::string_view source,
                                            std::optional<std::string_view> expected, std::string_view position,
                                            ports::Deadline deadline);

// Adds the journal INSERT to a flight; what its result says.
void queue_journal(Flight& flight, const ports::JournalEntry& entry);
[[nodiscard]] ports::JournalReply read_journal_reply(const PGresult* result);

}  // namespace write_aside::postgresql
