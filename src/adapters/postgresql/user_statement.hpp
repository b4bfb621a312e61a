// Statements of the user's, run in a unit's transaction.
#pragma once

#include <span>
#include <string_view>

#include "adapters/postgresql/connection.hpp"
#include "write_aside/value.hpp"

namespace write_aside::postgresql {

inline constexpr std::size_t row_count_max = 1'000'000;  // of one result, which is held in memory

// One statement, that may change rows but not the transaction (statement_text.hpp).
[[nodiscard]] Result<Rows> run_user_statement(Connection& connection, std::string_view sql,
                                              std::span<const Parameter> parameters, ports::Deadline deadline);

// As many of them as travel together: what is on its way is held in memory.
[[nodiscard]] std::span<const Statement> first_flight(std::span<const Statement> statements);
// Those, in one flight; the rows that they give are dropped. `done`: how many were run before the first one that failed.
[[nodiscard]] Result<void> run_user_statements(Connection& connection, std::span<const Statement> statements,
                                               std::size_t& done, ports::Deadline deadline);

}  // namespace write_aside::postgresql
