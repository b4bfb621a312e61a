#include "adapters/sqlite/tables.hpp"

#include <array>
#include <utility>

namespace write_aside::sqlite {
namespace {

using sqlite_handles::Connection;

// The journal is a table with rowids: with payloads inside the tree of the primary key, an INSERT and its COMMIT cost
// half as much again (measured with 300 B to 60 kB). The payload is last, so that a scan does not read the pages it
// overflows into. There is no index on undelivered rows: rows are deleted soon, and searches go by lane and epoch.
constexpr std::array table_definitions = {
    "CREATE TABLE IF NOT EXISTS main.write_aside_meta("
    "version INTEGER NOT NULL, database_id TEXT NOT NULL)",

    "CREATE TABLE IF NOT EXISTS main.write_aside_lane("
    "lane INTEGER PRIMARY KEY, epoch INTEGER NOT NULL DEFAULT 0, owner TEXT NOT NULL DEFAULT '', "
    "owner_process TEXT NOT NULL DEFAULT '', heartbeat INTEGER NOT NULL DEFAULT 0, "
    "settled_epoch INTEGER, settled_n INTEGER, ledger_offset INTEGER NOT NULL DEFAULT 0, "
    "purged_epoch INTEGER NOT NULL DEFAULT 0, purged_n INTEGER NOT NULL DEFAULT 0, "
    "halted TEXT NOT NULL DEFAULT '', stream_id TEXT NOT NULL DEFAULT '', ledger_id TEXT NOT NULL DEFAULT '')",

    "CREATE TABLE IF NOT EXISTS main.write_aside_journal("
    "lane INTEGER NOT NULL, epoch INTEGER NOT NULL, n INTEGER NOT NULL, member INTEGER NOT NULL, "
    "adopted_epoch INTEGER, adopted_n INTEGER, tombstone INTEGER NOT NULL DEFAULT 0, delivered_at INTEGER, "
    "payload BLOB, PRIMARY KEY(lane, epoch, n, member))",

    "CREATE TABLE IF NOT EXISTS main.write_aside_progress("
    "source TEXT NOT NULL PRIMARY KEY, position TEXT NOT NULL) WITHOUT ROWID",

    "CREATE TABLE IF NOT EXISTS main.write_aside_position("
    "consumer TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL, "
    "generation INTEGER NOT NULL, owner TEXT NOT NULL, lane INTEGER, last_offset INTEGER, last_seen TEXT, stream_id "
    "TEXT NOT NULL, topic_id TEXT NOT NULL, "
    "PRIMARY KEY(consumer, topic, partition)) WITHOUT ROWID",

    // With rowids, so that the oldest entries are found first when they are pruned.
    "CREATE TABLE IF NOT EXISTS main.write_aside_inbox("
    "consumer TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, "
    "record_offset INTEGER NOT NULL, PRIMARY KEY(consumer, source, id))",

    "CREATE TABLE IF NOT EXISTS main.write_aside_parked("
    "consumer TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, record_offset INTEGER NOT NULL, "
    "state TEXT NOT NULL, parked_at INTEGER NOT NULL, error TEXT NOT NULL, record_key BLOB, record BLOB NOT NULL, "
    "PRIMARY KEY(consumer, topic, partition, record_offset))",

    "CREATE TABLE IF NOT EXISTS main.write_aside_latest("
    "consumer TEXT NOT NULL, source TEXT NOT NULL, topic TEXT NOT NULL, record_key BLOB NOT NULL, "
    "lane INTEGER NOT NULL, epoch INTEGER NOT NULL, n INTEGER NOT NULL, member INTEGER NOT NULL, "
    "PRIMARY KEY(consumer, source, topic, record_key)) WITHOUT ROWID",
};

Error table_error(const Connection& connection, ErrorCode code, const std::string& text) {
  return {code, connection.side(), Effect::no, false, connection.name() + " " + text, {}};
}

Error not_initialised(const Connection& connection) {
  return table_error(connection, ErrorCode::not_initialised, "has no write-aside tables; run 'write-aside init'");
}

Result<bool> has_tables(Connection& connection) {
  auto count = connection.prepare(
      "SELECT count(*) FROM main.sqlite_master WHERE type = 'table' AND name IN "
      "('write_aside_meta', 'write_aside_lane', 'write_aside_journal', 'write_aside_progress', 'write_aside_position', "
      "'write_aside_inbox', 'write_aside_parked', 'write_aside_latest')",
      "read the schema");
  if (!count) return failure(std::move(count));
  auto row = count->step();
  if (!row) return failure(std::move(row));
  return count->integer(0) == static_cast<std::int64_t>(table_definitions.size());
}

// Version and id; the lanes are counted apart, because a newer version may keep them elsewhere.
Result<ports::Schema> read_meta(Connection& connection) {
  auto meta = connection.prepare("SELECT version, database_id FROM main.write_aside_meta LIMIT 1", "read the schema");
  if (!meta) return failure(std::move(meta));
  auto row = meta->step();
  if (!row) return failure(std::move(row));
  if (!*row) return ports::Schema{};
  return ports::Schema{meta->integer(0), std::string(meta->text(1)), 0};
}

Result<void> check_version(const Connection& connection, std::int64_t version) {
  if (version == ports::schema_version) return {};
  if (version > ports::schema_version) {
    return failure(table_error(connection, ErrorCode::newer_version,
                               "has tables of version " + std::to_string(version) + ", this library knows version " +
                                   std::to_string(ports::schema_version) + "; install a newer write-aside"));
  }
  return failure(table_error(connection, ErrorCode::corrupt,
                             "has write-aside tables without a valid version; restore it from a backup"));
}

}  // namespace

Result<ports::Schema> read_schema(Connection& connection) {
  auto lanes = connection.prepare("SELECT count(*) FROM main.write_aside_lane", "read the schema");
  if (!lanes) {
    // The statement does not compile without its table; anything else is an error of its own.
    if (lanes.error().code != ErrorCode::statement) return failure(std::move(lanes));
    return failure(not_initialised(connection));
  }
  auto complete = has_tables(connection);
  if (!complete) return failure(std::move(complete));
  if (!*complete) return failure(not_initialised(connection));
  auto schema = read_meta(connection);
  if (!schema) return schema;
  if (auto known = check_version(connection, schema->version); !known) return failure(std::move(known));
  auto row = lanes->step();
  if (!row) return failure(std::move(row));
  schema->lanes = lanes->integer_as<std::uint32_t>(0);
  return schema;
}

Result<ports::Schema> make_tables(Connection& connection, std::uint32_t lanes) {
  // Tables of a newer version must not get ours in between.
  if (auto meta = read_meta(connection); meta && meta->version != 0) {
    if (auto known = check_version(connection, meta->version); !known) return failure(std::move(known));
  }
  for (const char* definition : table_definitions) {
    if (auto made = connection.run(definition, "create the tables"); !made) return failure(std::move(made));
  }
  auto meta = connection.prepare(
      "INSERT INTO main.write_aside_meta(version, database_id) SELECT ?, lower(hex(randomblob(8))) "
      "WHERE NOT EXISTS (SELECT 1 FROM main.write_aside_meta)",
      "create the tables");
  if (!meta) return failure(std::move(meta));
  if (auto written = meta->bind_all(ports::schema_version).run(); !written) return failure(std::move(written));
  auto lane = connection.prepare("INSERT OR IGNORE INTO main.write_aside_lane(lane) VALUES (?)", "create the lanes");
  if (!lane) return failure(std::move(lane));
  for (std::uint32_t number = 0; number < lanes; ++number) {
    lane->reset();
    if (auto written = lane->bind_all(number).run(); !written) return failure(std::move(written));
  }
  return read_schema(connection);
}

}  // namespace write_aside::sqlite
