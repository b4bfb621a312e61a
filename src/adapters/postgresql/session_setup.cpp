#include "adapters/postgresql/session_setup.hpp"

#include <utility>

#include "adapters/postgresql/flight.hpp"
#include "adapters/postgresql/rows.hpp"

namespace write_aside::postgresql {
namespace {

constexpr int oldest_version = 130'000;
constexpr int version_with_connection_check = 140'000;

// pg_stat_get_activity shows a role its own sessions. The schema is that where search_path finds our tables.
constexpr const char* ask_session =
    "SELECT pg_catalog.pg_backend_pid(), (extract(epoch FROM a.backend_start) * 1000000)::pg_catalog.int8, "
    "pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('synchronous_commit'), "
    "(SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.oid = pg_catalog.to_regclass('write_aside_meta')) "
    "FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a";

// A backend that waits for a lock notices within a second that its client is gone.
constexpr const char* check_client = "SET client_connection_check_interval = '1s'";

// Our own transactions are short and know the index they search by. A plan that was made when the journal was small
// must not scan it when it is large, and a bitmap of index entries does not remember which of them are dead: it reads
// all rows that were deleted since the last vacuum, ten times a second. Where there is nothing but a scan, it costs more
// than anything by these settings, and the server would compile the plan: for 80 ms, for a table of one row. A process
// that is stopped in the middle must not keep a lane locked.
constexpr const char* set_own_session =
    "SELECT pg_catalog.set_config('client_min_messages', 'warning', false), "
    "pg_catalog.set_config('enable_seqscan', 'off', false), "
    "pg_catalog.set_config('enable_bitmapscan', 'off', false), "
    "pg_catalog.set_config('jit', 'off', false), "
    "pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', false), "
    "pg_catalog.set_config('lock_timeout', '10s', false), "
    "pg_catalog.set_config('idle_in_transaction_session_timeout', '2s', false)";

// The warning of a lost replication wait must come through, and nothing below it need.
constexpr const char* set_unit_session = "SELECT pg_catalog.set_config('client_min_messages', 'warning', false)";

Error unsuitable(const Connection& connection, ErrorCode code, const std::string& why) {
  return {code, Side::database, Effect::no, false, connection.name() + " cannot carry units: " + why, {}};
}

void note_tables(Connection& connection, const Options& options, const Columns& session) {
  if (!options.schema.empty()) {
    connection.set_table_prefix(table_prefix_of(connection, options.schema));
  } else if (!session.is_null(4)) {
    connection.set_table_prefix(table_prefix_of(connection, std::string(session.text(4))));
  }
}

}  // namespace

Result<void> check_session(Connection& connection, const Options& options, ports::Deadline deadline) {
  const int version = PQserverVersion(connection.raw());
  if (version < oldest_version) {
    return failure(unsuitable(connection, ErrorCode::invalid_argument,
                              "its version is " + std::to_string(version / 10'000) + "; PostgreSQL 13 is needed"));
  }
  Flight flight(connection, "look at the session");
  flight.queue_once(ask_session);
  auto answer = flight.run(deadline);
  if (!answer) return failure(std::move(answer));
  const Columns session(answer->get(), 0);
  connection.set_identity(std::string(session.text(0)) + ":" + std::string(session.text(1)));
  if (session.boolean(2)) {
    return failure(unsuitable(connection, ErrorCode::read_only,
                              "it is a standby; connect to the primary, or add target_session_attrs=read-write"));
  }
  const std::string_view durability = session.text(3);
  if ((durability == "off" || durability == "local") && !options.unsafe_asynchronous_commit) {
    return failure(unsuitable(connection, ErrorCode::invalid_argument,
                              "synchronous_commit=" + std::string(durability) +
                                  ", so a crash may take commits back; set it to on for this role or session"));
  }
  note_tables(connection, options, session);
  return {};
}

Result<void> set_up_session(Connection& connection, const Options& options, Purpose purpose, ports::Deadline deadline) {
  if (auto good = check_session(connection, options, deadline); !good) return good;
  Flight set(connection, "set up the session");
  set.queue_once(purpose == Purpose::own ? set_own_session : set_unit_session);
  if (auto done = set.run(deadline); !done) return failure(std::move(done));
  if (PQserverVersion(connection.raw()) < version_with_connection_check) return {};
  Flight check(connection, "set up the session");
  check.queue_once(check_client);
  // Some systems cannot; the wait then ends with the lock.
  if (auto done = check.run(deadline); !done && connection.is_broken()) return failure(std::move(done));
  return {};
}

Result<void> find_tables(Connection& connection, const Options& options, ports::Deadline deadline) {
  if (!options.schema.empty() || !connection.table_prefix().empty()) return {};
  Flight flight(connection, "look for the tables");
  flight.queue_once(ask_session);
  auto answer = flight.run(deadline);
  if (!answer) return failure(std::move(answer));
  note_tables(connection, options, Columns(answer->get(), 0));
  return {};
}

std::string table_prefix_of(const Connection& connection, const std::string& schema) {
  const TextHandle quoted(PQescapeIdentifier(connection.raw(), schema.data(), schema.size()));
  return quoted != nullptr ? std::string(quoted.get()) + ".write_aside_" : std::string();
}

}  // namespace write_aside::postgresql
