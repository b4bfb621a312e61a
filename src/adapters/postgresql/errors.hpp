// SQLSTATEs, turned into this library's errors.
#pragma once

#include <string>
#include <string_view>

#include "adapters/postgresql/handles.hpp"
#include "write_aside/error.hpp"

namespace write_aside::postgresql {

// What the server, or libpq in its place, said about a command that failed.
struct Complaint {
  std::string sqlstate;  // empty: it is libpq's own, and the connection is lost
  std::string text;      // one line, without the values that DETAIL may hold
};
[[nodiscard]] Complaint complaint_of(const PGresult* result);
// The first line of a text of libpq's.
[[nodiscard]] std::string first_line(std::string_view text);

// `what` failed on `name`. Not for COMMIT: until then nothing has taken effect, so the effect is `no`.
[[nodiscard]] Error statement_error(const Complaint& complaint, std::string_view name, std::string_view what);

// The server cannot be reached, or not any more.
[[nodiscard]] Error connection_error(std::string_view name, std::string_view what, std::string_view said);
[[nodiscard]] Error timeout_error(std::string_view name, std::string_view what);

// C5: this answer to COMMIT proves that the transaction was rolled back.
[[nodiscard]] bool proves_rollback(std::string_view sqlstate);

}  // namespace write_aside::postgresql
