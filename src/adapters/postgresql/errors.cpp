#include "adapters/postgresql/errors.hpp"

#include <utility>

namespace write_aside::postgresql {
namespace {

struct Meaning {
  ErrorCode code;
  bool retriable = false;
  const char* remedy = "";  // empty where the server's message says all there is to say
};

constexpr const char* run_again = "run the unit again";
constexpr const char* try_again = "the server closed the connection; try again";

// Single codes whose class says less.
Meaning meaning_of_code(std::string_view state) {
  if (state == "55P03") return {ErrorCode::busy, true, "somebody else holds the lock; try again"};
  if (state == "25006") return {ErrorCode::read_only, false, "connect to a server and a database that can be written"};
  if (state == "25P03" || state == "25P04") return {ErrorCode::unreachable, true, try_again};
  if (state == "57014") return {ErrorCode::timeout, false, "it was cancelled, or its statement_timeout passed"};
  if (state == "53100") return {ErrorCode::storage_full, false, "make space"};
  if (state == "53300") return {ErrorCode::unreachable, true, "raise max_connections, or use a smaller pool"};
  return {ErrorCode::unknown, false, ""};
}

Meaning meaning_of_class(std::string_view state) {
  const std::string_view kind = state.substr(0, 2);
  if (kind == "40") return {ErrorCode::conflict, true, run_again};
  if (kind == "23") return {ErrorCode::constraint, false, ""};
  if (kind == "08" || kind == "57") return {ErrorCode::unreachable, true, try_again};
  if (kind == "28" || kind == "3D") return {ErrorCode::unreachable, false, "check user, password and database"};
  if (kind == "53") return {ErrorCode::busy, true, "the server is short of resources"};
  if (kind == "58") return {ErrorCode::io, false, "check the server's disk and log"};
  if (kind == "XX") return {ErrorCode::io, false, "check the server's log"};
  for (const std::string_view known : {"0A", "0L", "0P", "20", "21", "22", "24", "25", "26", "2B", "2F",
                                       "34", "38", "39", "3B", "3F", "42", "44", "54", "55", "HV", "P0"}) {
    if (kind == known) return {ErrorCode::statement, false, ""};
  }
  return {ErrorCode::unknown, false, ""};
}

Meaning meaning_of(std::string_view state) {
  if (state == "XX001" || state == "XX002") return {ErrorCode::corrupt, false, "check the server's log"};
  const Meaning meaning = meaning_of_code(state);
  return meaning.code != ErrorCode::unknown ? meaning : meaning_of_class(state);
}

std::string sentence(std::string_view what, std::string_view name, std::string_view said, std::string_view remedy) {
  std::string message;
  message.append(what).append(" failed on ").append(name);
  if (!said.empty()) message.append(": ").append(said);
  if (!remedy.empty()) message.append("; ").append(remedy);
  return message;
}

}  // namespace

std::string first_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r' || text.back() == '.')) text.remove_suffix(1);
  return std::string(text);
}

Complaint complaint_of(const PGresult* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  return {state != nullptr ? state : "", first_line(text != nullptr ? text : PQresultErrorMessage(result))};
}

Error statement_error(const Complaint& complaint, std::string_view name, std::string_view what) {
  if (complaint.sqlstate.empty()) return connection_error(name, what, complaint.text);
  const Meaning meaning = meaning_of(complaint.sqlstate);
  return {meaning.code,
          Side::database,
          Effect::no,
          meaning.retriable,
          sentence(what, name, complaint.text, meaning.remedy),
          complaint.sqlstate};
}

Error connection_error(std::string_view name, std::string_view what, std::string_view said) {
  return {ErrorCode::unreachable,
          Side::database,
          Effect::no,
          true,
          sentence(what, name, said, "check that the server runs; try again"),
          "CONNECTION_BAD"};
}

Error timeout_error(std::string_view name, std::string_view what) {
  return {ErrorCode::timeout,
          Side::database,
          Effect::no,
          true,
          sentence(what, name, "no reply in time", "the connection was closed; try again, or allow more time"),
          {}};
}

bool proves_rollback(std::string_view sqlstate) {
  // 40003, statement_completion_unknown, says by its name that it proves nothing.
  return (sqlstate.starts_with("40") && sqlstate != "40003") || sqlstate.starts_with("23");
}

}  // namespace write_aside::postgresql
