// SQLite's result codes, turned into this library's errors.
#pragma once

#include <string>
#include <string_view>

#include "write_aside/error.hpp"

struct sqlite3;

namespace write_aside::sqlite_handles {

// "SQLITE_BUSY (5)"; an extended code has its own name where it matters, else that of its primary code.
[[nodiscard]] std::string code_name(int code);

// `what` failed on `name`; `said` is SQLite's own message. A code that is not known says nothing about the effect.
[[nodiscard]] Error make_error(int code, Side side, std::string_view name, std::string_view what,
                               std::string_view said);

}  // namespace write_aside::sqlite_handles
