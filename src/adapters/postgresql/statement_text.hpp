// Statements that a unit may not run: those that would end its transaction, or outlive it on the connection.
#pragma once

#include <string>
#include <string_view>

#include "write_aside/result.hpp"

namespace write_aside::postgresql {

// `name`: of the database, for the message. The server itself refuses text that holds more than one statement.
[[nodiscard]] Result<void> check_statement_text(std::string_view sql, std::string_view name);

}  // namespace write_aside::postgresql
