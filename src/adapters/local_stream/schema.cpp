#include "adapters/local_stream/schema.hpp"

#include <sqlite3.h>

#include <chrono>
#include <optional>
#include <utility>

#include "adapters/local_stream/record_tables.hpp"
#include "adapters/sqlite_handles/connection.hpp"
#include "adapters/sqlite_handles/errors.hpp"

namespace write_aside::local_stream {
namespace {

using sqlite_handles::Connection;
using sqlite_handles::ConnectionHandle;

constexpr const char* tables = R"sql(
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE topic (
  id INTEGER PRIMARY KEY,
  uid TEXT NOT NULL,
  name TEXT NOT NULL UNIQUE,
  partitions INTEGER NOT NULL,
  compacted INTEGER NOT NULL);
CREATE TABLE partition (
  ref INTEGER PRIMARY KEY,
  topic INTEGER NOT NULL REFERENCES topic,
  number INTEGER NOT NULL,
  next_offset INTEGER NOT NULL DEFAULT 0,
  begin_offset INTEGER NOT NULL DEFAULT 0,
  compacted_upto INTEGER NOT NULL DEFAULT 0,
  UNIQUE (topic, number));
CREATE TABLE producer (
  id INTEGER PRIMARY KEY,
  transactional_id TEXT NOT NULL UNIQUE,
  epoch INTEGER NOT NULL);
CREATE TABLE open_transaction (
  producer INTEGER PRIMARY KEY,
  started_ms INTEGER NOT NULL,
  deadline_ms INTEGER NOT NULL);
CREATE TABLE open_partition (
  ref INTEGER NOT NULL,
  producer INTEGER NOT NULL,
  first_offset INTEGER NOT NULL,
  PRIMARY KEY (ref, producer)) WITHOUT ROWID;
CREATE TABLE compacted_key (
  ref INTEGER NOT NULL,
  key NOT NULL,
  offset INTEGER NOT NULL,
  PRIMARY KEY (ref, key)) WITHOUT ROWID;
CREATE TABLE consumer_position (
  consumer TEXT NOT NULL,
  ref INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  PRIMARY KEY (consumer, ref)) WITHOUT ROWID;
INSERT INTO meta VALUES ('stream_id', lower(hex(randomblob(16))));
)sql";

Error cannot_open(ErrorCode code, const std::string& name, const std::string& why) {
  return {.code = code,
          .side = Side::stream,
          .effect = Effect::no,
          .message = "open failed on " + name + ": " + why,
          .driver = {}};
}

// Statements that must not stay in a cache: a pragma takes effect when it is prepared.
Result<void> execute(Connection& connection, const std::string& sql, std::string_view what) {
  const int code = sqlite3_exec(connection.raw(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(connection.error(code, what));
  return {};
}

Result<std::int64_t> number(Connection& connection, const std::string& sql) {
  auto statement = connection.prepare(sql, "open");
  if (!statement) return failure(std::move(statement));
  auto row = statement->step();
  if (!row) return failure(std::move(row));
  return *row ? statement->integer(0) : 0;
}

enum class Kind { empty, ours };

// Tells the file's kind by its header; reads only.
Result<Kind> inspect(Connection& connection) {
  auto tag = number(connection, "PRAGMA application_id");
  if (!tag) return failure(std::move(tag));
  auto version = number(connection, "PRAGMA user_version");
  if (!version) return failure(std::move(version));
  auto objects = number(connection, "SELECT count(*) FROM sqlite_master");
  if (!objects) return failure(std::move(objects));
  const std::string& name = connection.name();
  if (*tag == application_id) {
    // SQLite would run them at our own statements.
    auto triggers = number(connection, "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'");
    if (!triggers) return failure(std::move(triggers));
    if (*triggers > 0) {
      return failure(
          cannot_open(ErrorCode::corrupt, name, "the file holds triggers, which no local stream has; drop them"));
    }
    if (*version == schema_version && *objects > 0) return Kind::ours;
    if (*version > schema_version) {
      return failure(cannot_open(ErrorCode::newer_version, name,
                                 "the file has version " + std::to_string(*version) + ", this program reads up to " +
                                     std::to_string(schema_version) + "; use a newer program"));
    }
    return failure(cannot_open(ErrorCode::corrupt, name, "the file's version is not valid; restore it from a backup"));
  }
  if (*tag == 0 && *version == 0 && *objects == 0) return Kind::empty;
  return failure(cannot_open(ErrorCode::corrupt, name,
                             "this is a SQLite file, but not a local stream; give the stream a file of its own"));
}

// In one read transaction: another process may be making the stream between two of the questions.
Result<Kind> inspect_snapshot(Connection& connection) {
  if (auto begun = execute(connection, "BEGIN", "open"); !begun) return failure(std::move(begun));
  auto kind = inspect(connection);
  if (auto ended = execute(connection, "COMMIT", "open"); kind && !ended) return failure(std::move(ended));
  return kind;
}

Result<void> create_tables(Connection& connection) {
  // Another process may be doing the same: look again under the lock.
  if (auto begun = execute(connection, "BEGIN IMMEDIATE", "create the stream"); !begun) return begun;
  auto kind = inspect(connection);
  if (!kind || *kind == Kind::ours) {
    auto ended = execute(connection, "ROLLBACK", "create the stream");
    return kind ? ended : failure(std::move(kind));
  }
  const std::string script = tables + create_record_tables() +
                             "PRAGMA application_id=" + std::to_string(application_id) +
                             ";PRAGMA user_version=" + std::to_string(schema_version) + ";COMMIT";
  return execute(connection, script, "create the stream");
}

// SQLite may answer BUSY to the switch without asking the busy handler.
Result<void> switch_to_wal(Connection& connection, std::chrono::milliseconds busy_timeout) {
  const auto deadline = std::chrono::steady_clock::now() + busy_timeout;
  for (int attempt = 0;; ++attempt) {
    auto switched = execute(connection, "PRAGMA journal_mode=WAL", "switch to WAL mode");
    if (switched || switched.error().code != ErrorCode::busy) return switched;
    if (!sqlite_handles::sleep_before_retry(attempt, deadline)) return switched;
  }
}

}  // namespace

Error damaged(const std::string& name, const std::string& what) {
  return {.code = ErrorCode::corrupt,
          .side = Side::stream,
          .effect = Effect::no,
          .message = name + " is damaged: " + what + "; restore it from a backup",
          .driver = {}};
}

Result<void> prepare_file(const std::string& path, const std::string& name, const Options& options) {
  sqlite3* raw = nullptr;
  const int flags =
      SQLITE_OPEN_READWRITE | (options.create ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  const ConnectionHandle handle(raw);
  if (code != SQLITE_OK) {
    return failure(sqlite_handles::make_error(code, Side::stream, name, "open",
                                              raw != nullptr ? sqlite3_errmsg(raw) : sqlite3_errstr(code)));
  }
  sqlite3_busy_timeout(raw, static_cast<int>(options.busy_timeout.count()));
  Connection connection = Connection::borrow(raw, Side::stream, name);
  auto kind = inspect_snapshot(connection);
  if (!kind) return failure(std::move(kind));
  if (*kind == Kind::empty) {
    if (!options.create) {
      return failure(cannot_open(ErrorCode::not_initialised, name, "the file is empty; run 'write-aside init'"));
    }
    if (auto created = create_tables(connection); !created) return created;
  }
  return switch_to_wal(connection, options.busy_timeout);
}

}  // namespace write_aside::local_stream
