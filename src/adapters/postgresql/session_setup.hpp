// What a fresh connection is asked and told before it is used.
#pragma once

#include <string>

#include "adapters/postgresql/connection.hpp"
#include "adapters/postgresql/store.hpp"

namespace write_aside::postgresql {

// Checks that commits on this session are final and durable; notes its identity and where our tables are. Changes
// nothing: good for a borrowed handle, too.
[[nodiscard]] Result<void> check_session(Connection& connection, const Options& options, ports::Deadline deadline);

// The same for one of our own, and sets what our work rests on.
[[nodiscard]] Result<void> set_up_session(Connection& connection, const Options& options, Purpose purpose,
                                          ports::Deadline deadline);

// Looks for our tables again, which may have been made since; leaves the prefix empty if they are not there.
[[nodiscard]] Result<void> find_tables(Connection& connection, const Options& options, ports::Deadline deadline);

// `"schema".write_aside_`
[[nodiscard]] std::string table_prefix_of(const Connection& connection, const std::string& schema);

}  // namespace write_aside::postgresql
