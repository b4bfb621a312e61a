// The tables of version 1 (docs/format.md), and what can be said about them through one connection.
//
// Every name is qualified with `main`, so that a user's temporary table of the same name is never taken for ours.
#pragma once

#include <cstdint>
#include <string>

#include "adapters/sqlite_handles/connection.hpp"
#include "write_aside/ports/database.hpp"

namespace write_aside::sqlite {

// The database's clock in milliseconds since 1970, as an SQL expression. SQLite 3.40 has no unixepoch('subsec').
#define WRITE_ASIDE_SQLITE_NOW "CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)"

inline constexpr std::uint32_t lanes_limit = 1'000;

// `not_initialised`, `newer_version`, or what the tables say.
[[nodiscard]] Result<ports::Schema> read_schema(sqlite_handles::Connection& connection);

// Inside a write transaction: makes what is missing.
[[nodiscard]] Result<ports::Schema> make_tables(sqlite_handles::Connection& connection, std::uint32_t lanes);

}  // namespace write_aside::sqlite
