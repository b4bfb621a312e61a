// The tables of version 1 (docs/format.md), and what can be said about them through one connection.
//
// Every name is qualified with the schema where they were found, so that a user's search_path and temporary tables
// never put another table in their place.
#pragma once

#include <cstdint>
#include <string>

#include "adapters/postgresql/connection.hpp"
#include "write_aside/ports/database.hpp"

namespace write_aside::postgresql {

inline constexpr std::uint32_t lanes_limit = 1'000;

[[nodiscard]] Error not_initialised(const std::string& name);

// `not_initialised`, `newer_version`, or what the tables say.
[[nodiscard]] Result<ports::Schema> read_schema(Connection& connection, ports::Deadline deadline);

// The same without counting lanes, in one round trip; trusts that all tables are there if one is.
[[nodiscard]] Result<ports::Schema> read_identity(Connection& connection, ports::Deadline deadline);

// Inside a transaction: makes what is missing, in `schema`, or in the first schema of search_path if that is empty.
// One caller at a time, by a lock at the server.
[[nodiscard]] Result<ports::Schema> make_tables(Connection& connection, const std::string& schema, std::uint32_t lanes,
                                                ports::Deadline deadline);

}  // namespace write_aside::postgresql
