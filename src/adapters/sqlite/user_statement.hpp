// Statements of the user's, run in a unit's transaction.
#pragma once

#include <span>
#include <string_view>

#include "adapters/sqlite_handles/connection.hpp"
#include "write_aside/value.hpp"

namespace write_aside::sqlite {

inline constexpr std::size_t row_count_max = 1'000'000;  // of one result, which is held in memory

// One statement, that may change rows but not the transaction: BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, ATTACH,
// DETACH and settings that the guarantee rests on are refused.
[[nodiscard]] Result<Rows> run_user_statement(sqlite_handles::Connection& connection, std::string_view sql,
                                              std::span<const Parameter> parameters);

}  // namespace write_aside::sqlite
