#include "adapters/postgresql/tables.hpp"

#include <array>
#include <optional>
#include <utility>

#include "adapters/postgresql/flight.hpp"
#include "adapters/postgresql/rows.hpp"
#include "adapters/postgresql/session_setup.hpp"

namespace write_aside::postgresql {
namespace {

// Columns of eight bytes come first, so that nothing is lost to alignment. The journal is a queue: every row dies
// young, so it is vacuumed by count instead of by share, and its payloads are not worth compressing. Nothing but its
// primary key is indexed for the INSERT; the second index holds only adopted rows, of which there are few or none.
constexpr std::array table_definitions = {
    "CREATE TABLE IF NOT EXISTS @meta(version bigint NOT NULL, database_id text NOT NULL)",

    "CREATE TABLE IF NOT EXISTS @lane("
    "lane integer PRIMARY KEY, epoch bigint NOT NULL DEFAULT 0, owner text NOT NULL DEFAULT '', "
    "owner_process text NOT NULL DEFAULT '', heartbeat bigint NOT NULL DEFAULT 0, "
    "settled_epoch bigint, settled_n bigint, ledger_offset bigint NOT NULL DEFAULT 0, "
    "purged_epoch bigint NOT NULL DEFAULT 0, purged_n bigint NOT NULL DEFAULT 0, "
    "halted text NOT NULL DEFAULT '', stream_id text NOT NULL DEFAULT '', ledger_id text NOT NULL DEFAULT '') "
    "WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500)",

    "CREATE TABLE IF NOT EXISTS @journal("
    "epoch bigint NOT NULL, n bigint NOT NULL, adopted_epoch bigint, adopted_n bigint, delivered_at bigint, "
    "lane integer NOT NULL, member integer NOT NULL, tombstone boolean NOT NULL DEFAULT false, payload bytea, "
    "PRIMARY KEY (lane, epoch, n, member)) "
    "WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, "
    "autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000, "
    "toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 5000)",

    "ALTER TABLE @journal ALTER COLUMN payload SET STORAGE EXTERNAL",

    "CREATE INDEX IF NOT EXISTS write_aside_journal_adopted ON @journal(lane, adopted_epoch, adopted_n) "
    "WHERE adopted_epoch IS NOT NULL",

    "CREATE TABLE IF NOT EXISTS @progress(source text PRIMARY KEY, position text NOT NULL) WITH (fillfactor = 50)",

    "CREATE TABLE IF NOT EXISTS @position("
    "next_offset bigint NOT NULL, generation bigint NOT NULL, last_offset bigint, partition integer NOT NULL, "
    "lane integer, last_seen text, consumer text NOT NULL, "
    "topic text NOT NULL, owner text NOT NULL, stream_id text NOT NULL, topic_id text NOT NULL, "
    "PRIMARY KEY (consumer, topic, partition)) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, "
    "autovacuum_vacuum_threshold = 500)",

    "CREATE TABLE IF NOT EXISTS @inbox("
    "record_offset bigint NOT NULL, partition integer NOT NULL, consumer text NOT NULL, source text NOT NULL, "
    "id text NOT NULL, topic text NOT NULL, PRIMARY KEY (consumer, source, id))",

    "CREATE TABLE IF NOT EXISTS @parked("
    "record_offset bigint NOT NULL, parked_at bigint NOT NULL, partition integer NOT NULL, consumer text NOT NULL, "
    "topic text NOT NULL, state text NOT NULL, error text NOT NULL, record_key bytea, record bytea NOT NULL, "
    "PRIMARY KEY (consumer, topic, partition, record_offset))",

    "CREATE TABLE IF NOT EXISTS @latest("
    "epoch bigint NOT NULL, n bigint NOT NULL, lane integer NOT NULL, member integer NOT NULL, consumer text NOT NULL, "
    "source text NOT NULL, topic text NOT NULL, record_key bytea NOT NULL, "
    "PRIMARY KEY (consumer, source, topic, record_key)) WITH (fillfactor = 70)",
};

constexpr std::array table_names = {"meta", "lane", "journal", "progress", "position", "inbox", "parked", "latest"};

// Any number: whoever makes our tables anywhere in this database waits here for the one before.
constexpr const char* lock_initialisation = "SELECT pg_catalog.pg_advisory_xact_lock(8606205478250873925)";

// The id is that of gen_random_uuid, the one source of randomness of PostgreSQL 13 that is not an extension.
constexpr std::string_view insert_meta =
    "INSERT INTO @meta(version, database_id) "
    "SELECT $1, substr(replace(pg_catalog.gen_random_uuid()::text, '-', ''), 17) "
    "WHERE NOT EXISTS (SELECT 1 FROM @meta)";

constexpr std::string_view insert_lanes =
    "INSERT INTO @lane(lane) SELECT number FROM pg_catalog.generate_series(0, $1::integer - 1) AS number "
    "WHERE NOT EXISTS (SELECT 1 FROM @lane AS there WHERE there.lane = number)";

constexpr const char* what_makes = "create the tables";
constexpr const char* what_reads = "read the schema";

Error table_error(const Connection& connection, ErrorCode code, const std::string& text) {
  return {code, Side::database, Effect::no, false, connection.name() + " " + text, {}};
}

Result<ResultHandle> run_once(Connection& connection, const std::string& sql, const Arguments& arguments,
                              ports::Deadline deadline, const char* what) {
  Flight flight(connection, what);
  flight.queue_once(sql.c_str(), arguments);
  return flight.run(deadline);
}

Result<bool> has_tables(Connection& connection, ports::Deadline deadline) {
  std::string sql = "SELECT true";
  for (const char* name : table_names) {
    sql += " AND pg_catalog.to_regclass($1 || '" + std::string(name) + "') IS NOT NULL";
  }
  auto answer = run_once(connection, sql, Arguments::of(connection.table_prefix()), deadline, what_reads);
  if (!answer) return failure(std::move(answer));
  return Columns(answer->get(), 0).boolean(0);
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

// Version and id; the lanes are counted apart, because a newer version may keep them elsewhere.
Result<ports::Schema> read_meta(Connection& connection, ports::Deadline deadline) {
  Flight flight(connection, what_reads);
  flight.queue_own("SELECT version, database_id FROM @meta LIMIT 1");
  auto answer = flight.run(deadline);
  if (!answer) return failure(std::move(answer));
  if (PQntuples(answer->get()) == 0) return ports::Schema{};
  const Columns meta(answer->get(), 0);
  return ports::Schema{meta.integer(0), std::string(meta.text(1)), 0};
}

Result<std::uint32_t> count_lanes(Connection& connection, ports::Deadline deadline) {
  Flight flight(connection, what_reads);
  flight.queue_own("SELECT count(*) FROM @lane");
  auto answer = flight.run(deadline);
  if (!answer) return failure(std::move(answer));
  return Columns(answer->get(), 0).integer_as<std::uint32_t>(0);
}

// A role may run `init` without the right to create anything, as long as nothing is missing.
Result<void> make_missing_tables(Connection& connection, const std::string& schema, ports::Deadline deadline) {
  std::optional<std::string> quoted;
  if (!schema.empty()) {
    const std::string prefix = table_prefix_of(connection, schema);
    quoted = prefix.substr(0, prefix.rfind('.'));
  }
  auto current = run_once(connection, "SELECT pg_catalog.current_schema(), pg_catalog.to_regnamespace($1) IS NULL",
                          Arguments::of(quoted), deadline, what_makes);
  if (!current) return failure(std::move(current));
  const Columns columns(current->get(), 0);
  if (schema.empty() && columns.is_null(0)) {
    return failure(table_error(connection, ErrorCode::invalid_argument,
                               "has no schema to make tables in: search_path names none that exists"));
  }
  if (!schema.empty() && columns.boolean(1)) {
    auto made = run_once(connection, "CREATE SCHEMA " + *quoted, {}, deadline, what_makes);
    if (!made) return failure(std::move(made));
  }
  const std::string target = schema.empty() ? std::string(columns.text(0)) : schema;
  connection.set_table_prefix(table_prefix_of(connection, target));
  for (const char* definition : table_definitions) {
    auto made = run_once(connection, connection.qualified(definition), {}, deadline, what_makes);
    if (!made) return failure(std::move(made));
  }
  return {};
}

Result<void> fill_tables(Connection& connection, std::uint32_t lanes, ports::Deadline deadline) {
  Flight meta(connection, what_makes);
  meta.queue_own(insert_meta, Arguments::of(ports::schema_version));
  if (auto written = meta.run(deadline); !written) return failure(std::move(written));
  Flight lane(connection, "create the lanes");
  lane.queue_own(insert_lanes, Arguments::of(lanes));
  if (auto written = lane.run(deadline); !written) return failure(std::move(written));
  return {};
}

}  // namespace

Error not_initialised(const std::string& name) {
  return {ErrorCode::not_initialised,
          Side::database,
          Effect::no,
          false,
          name + " has no write-aside tables; run 'write-aside init'",
          {}};
}

Result<ports::Schema> read_schema(Connection& connection, ports::Deadline deadline) {
  auto complete = has_tables(connection, deadline);
  if (!complete) return failure(std::move(complete));
  if (!*complete) return failure(not_initialised(connection.name()));
  auto schema = read_identity(connection, deadline);
  if (!schema) return schema;
  auto lanes = count_lanes(connection, deadline);
  if (!lanes) return failure(std::move(lanes));
  schema->lanes = *lanes;
  return schema;
}

Result<ports::Schema> read_identity(Connection& connection, ports::Deadline deadline) {
  auto schema = read_meta(connection, deadline);
  if (!schema) return schema;
  if (auto known = check_version(connection, schema->version); !known) return failure(std::move(known));
  return schema;
}

Result<ports::Schema> make_tables(Connection& connection, const std::string& schema, std::uint32_t lanes,
                                  ports::Deadline deadline) {
  auto locked = run_once(connection, lock_initialisation, {}, deadline, what_makes);
  if (!locked) return failure(std::move(locked));
  // Whoever was here before may have made them meanwhile.
  Options options;
  options.schema = schema;
  if (auto found = find_tables(connection, options, deadline); !found) return failure(std::move(found));
  bool complete = false;
  if (!connection.table_prefix().empty()) {
    auto there = has_tables(connection, deadline);
    if (!there) return failure(std::move(there));
    complete = *there;
  }
  if (complete) {
    // Tables of a newer version must not get ours in between.
    auto meta = read_meta(connection, deadline);
    if (!meta) return meta;
    if (meta->version != 0) {
      if (auto known = check_version(connection, meta->version); !known) return failure(std::move(known));
      auto there = count_lanes(connection, deadline);
      if (!there) return failure(std::move(there));
      if (*there >= lanes) return ports::Schema{meta->version, meta->database_id, *there};
    }
  } else if (auto made = make_missing_tables(connection, schema, deadline); !made) {
    return failure(std::move(made));
  }
  if (auto filled = fill_tables(connection, lanes, deadline); !filled) return failure(std::move(filled));
  return read_schema(connection, deadline);
}

}  // namespace write_aside::postgresql
