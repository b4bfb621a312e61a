#include "adapters/sqlite_handles/errors.hpp"

#include <sqlite3.h>

#include <array>
#include <utility>

namespace write_aside::sqlite_handles {
namespace {

struct Meaning {
  ErrorCode code;
  Effect effect;
  bool retriable;
  const char* remedy;  // empty where SQLite's message says all there is to say
};

constexpr std::array<std::pair<int, const char*>, 46> code_names = {{
    {SQLITE_ERROR, "SQLITE_ERROR"},
    {SQLITE_INTERNAL, "SQLITE_INTERNAL"},
    {SQLITE_PERM, "SQLITE_PERM"},
    {SQLITE_ABORT, "SQLITE_ABORT"},
    {SQLITE_BUSY, "SQLITE_BUSY"},
    {SQLITE_LOCKED, "SQLITE_LOCKED"},
    {SQLITE_NOMEM, "SQLITE_NOMEM"},
    {SQLITE_READONLY, "SQLITE_READONLY"},
    {SQLITE_INTERRUPT, "SQLITE_INTERRUPT"},
    {SQLITE_IOERR, "SQLITE_IOERR"},
    {SQLITE_CORRUPT, "SQLITE_CORRUPT"},
    {SQLITE_NOTFOUND, "SQLITE_NOTFOUND"},
    {SQLITE_FULL, "SQLITE_FULL"},
    {SQLITE_CANTOPEN, "SQLITE_CANTOPEN"},
    {SQLITE_PROTOCOL, "SQLITE_PROTOCOL"},
    {SQLITE_SCHEMA, "SQLITE_SCHEMA"},
    {SQLITE_TOOBIG, "SQLITE_TOOBIG"},
    {SQLITE_CONSTRAINT, "SQLITE_CONSTRAINT"},
    {SQLITE_MISMATCH, "SQLITE_MISMATCH"},
    {SQLITE_MISUSE, "SQLITE_MISUSE"},
    {SQLITE_NOLFS, "SQLITE_NOLFS"},
    {SQLITE_AUTH, "SQLITE_AUTH"},
    {SQLITE_RANGE, "SQLITE_RANGE"},
    {SQLITE_NOTADB, "SQLITE_NOTADB"},
    {SQLITE_BUSY_RECOVERY, "SQLITE_BUSY_RECOVERY"},
    {SQLITE_BUSY_SNAPSHOT, "SQLITE_BUSY_SNAPSHOT"},
    {SQLITE_BUSY_TIMEOUT, "SQLITE_BUSY_TIMEOUT"},
    {SQLITE_LOCKED_SHAREDCACHE, "SQLITE_LOCKED_SHAREDCACHE"},
    {SQLITE_CONSTRAINT_CHECK, "SQLITE_CONSTRAINT_CHECK"},
    {SQLITE_CONSTRAINT_COMMITHOOK, "SQLITE_CONSTRAINT_COMMITHOOK"},
    {SQLITE_CONSTRAINT_FOREIGNKEY, "SQLITE_CONSTRAINT_FOREIGNKEY"},
    {SQLITE_CONSTRAINT_NOTNULL, "SQLITE_CONSTRAINT_NOTNULL"},
    {SQLITE_CONSTRAINT_PRIMARYKEY, "SQLITE_CONSTRAINT_PRIMARYKEY"},
    {SQLITE_CONSTRAINT_TRIGGER, "SQLITE_CONSTRAINT_TRIGGER"},
    {SQLITE_CONSTRAINT_UNIQUE, "SQLITE_CONSTRAINT_UNIQUE"},
    {SQLITE_CONSTRAINT_ROWID, "SQLITE_CONSTRAINT_ROWID"},
    {SQLITE_CONSTRAINT_DATATYPE, "SQLITE_CONSTRAINT_DATATYPE"},
    {SQLITE_READONLY_CANTLOCK, "SQLITE_READONLY_CANTLOCK"},
    {SQLITE_READONLY_DIRECTORY, "SQLITE_READONLY_DIRECTORY"},
    {SQLITE_IOERR_READ, "SQLITE_IOERR_READ"},
    {SQLITE_IOERR_SHORT_READ, "SQLITE_IOERR_SHORT_READ"},
    {SQLITE_IOERR_WRITE, "SQLITE_IOERR_WRITE"},
    {SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC"},
    {SQLITE_IOERR_TRUNCATE, "SQLITE_IOERR_TRUNCATE"},
    {SQLITE_IOERR_SHMOPEN, "SQLITE_IOERR_SHMOPEN"},
    {SQLITE_CORRUPT_INDEX, "SQLITE_CORRUPT_INDEX"},
}};

const char* find_name(int code) {
  for (const auto& [known, name] : code_names) {
    if (known == code) return name;
  }
  return nullptr;
}

// The reply to a statement other than COMMIT: SQLite undoes a failed statement, so most codes prove `no`.
Meaning meaning_of(int code) {
  // Another transaction wrote since this one began to read: waiting does not help, running it again does.
  if (code == SQLITE_BUSY_SNAPSHOT) return {ErrorCode::conflict, Effect::no, true, "run the unit again"};
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::busy, Effect::no, true,
              "somebody else holds the file's lock: try again, or raise busy_timeout"};
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return {ErrorCode::read_only, Effect::no, false, "check the permissions of the file and its directory"};
    case SQLITE_FULL:
      return {ErrorCode::storage_full, Effect::no, false, "make space"};
    case SQLITE_IOERR:
      return {ErrorCode::io, Effect::unknown, false, "check the disk and the system's log"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorCode::corrupt, Effect::unknown, false, "check the path, or restore the file from a backup"};
    case SQLITE_CANTOPEN:
      return {ErrorCode::unreachable, Effect::no, false, "check that the file and its directory exist and may be read"};
    case SQLITE_CONSTRAINT:
      return {ErrorCode::constraint, Effect::no, false, ""};
    case SQLITE_ERROR:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
    case SQLITE_AUTH:
    case SQLITE_RANGE:
    case SQLITE_SCHEMA:
      return {ErrorCode::statement, Effect::no, false, ""};
    case SQLITE_INTERRUPT:
      return {ErrorCode::statement, Effect::no, true, ""};
    default:
      return {ErrorCode::unknown, Effect::unknown, false, ""};
  }
}

}  // namespace

std::string code_name(int code) {
  const char* name = find_name(code);
  if (name == nullptr) name = find_name(code & 0xff);
  return std::string(name != nullptr ? name : "SQLITE") + " (" + std::to_string(code) + ")";
}

Error make_error(int code, Side side, std::string_view name, std::string_view what, std::string_view said) {
  const Meaning meaning = meaning_of(code);
  std::string message;
  message.append(what).append(" failed on ").append(name);
  if (!said.empty()) message.append(": ").append(said);
  if (*meaning.remedy != '\0') message.append("; ").append(meaning.remedy);
  return {meaning.code, side, meaning.effect, meaning.retriable, std::move(message), code_name(code)};
}

}  // namespace write_aside::sqlite_handles
