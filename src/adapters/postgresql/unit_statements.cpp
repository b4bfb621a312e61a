#include "adapters/postgresql/unit_statements.hpp"

#include <string>
#include <utility>

#include "adapters/postgresql/rows.hpp"

namespace write_aside::postgresql {
namespace {

std::string savepoint_name(int depth) { return "write_aside_scope_" + std::to_string(depth); }

constexpr std::string_view insert_row =
    "INSERT INTO @journal(lane, epoch, n, member, payload) VALUES ($1, $2, $3, $4, $5)";

// The search is narrow: a label epoch is never below the epoch of the key. What it sees is the statement's snapshot at
// READ COMMITTED, else the unit's: docs/decisions.md says why either will do.
constexpr std::string_view insert_row_in_order =
    "INSERT INTO @journal(lane, epoch, n, member, payload) "
    "SELECT $1::integer, $2::bigint, $3::bigint, $4::integer, $5::bytea "
    "WHERE NOT EXISTS (SELECT 1 FROM @journal WHERE lane = $1::integer AND epoch < $2::bigint "
    "AND delivered_at IS NULL AND coalesce(adopted_epoch, epoch) < $2::bigint)";

// A plan that was made when the journal was empty would scan it for every unit when it is large. For this transaction
// alone, in which no statement of the user's follows.
constexpr std::string_view search_by_key =
    "SELECT pg_catalog.set_config('enable_seqscan', 'off', true), "
    "pg_catalog.set_config('enable_bitmapscan', 'off', true), "
    "pg_catalog.set_config('jit', 'off', true), "
    "pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true)";

Result<void> run(Connection& connection, const std::string& sql, std::string_view what, ports::Deadline deadline) {
  Flight flight(connection, what);
  flight.queue_once(sql.c_str());
  auto done = flight.run(deadline);
  if (!done) return failure(std::move(done));
  return {};
}

}  // namespace

Result<void> open_savepoint(Connection& connection, int depth, ports::Deadline deadline) {
  return run(connection, "SAVEPOINT " + savepoint_name(depth), "savepoint", deadline);
}

Result<void> undo_savepoint(Connection& connection, int depth, ports::Deadline deadline) {
  const std::string name = savepoint_name(depth);
  Flight flight(connection, "roll back to the savepoint");
  flight.queue_once(("ROLLBACK TO SAVEPOINT " + name).c_str());
  // ROLLBACK TO keeps the savepoint itself open.
  flight.queue_once(("RELEASE SAVEPOINT " + name).c_str());
  if (auto sent = flight.send(); !sent) return sent;
  auto undone = flight.take(deadline);
  auto released = flight.take(deadline);
  if (!connection.is_broken()) {
    if (auto landed = flight.land(deadline); !landed) return landed;
  }
  if (!undone) return failure(std::move(undone));
  if (!released) return failure(std::move(released));
  return {};
}

Result<void> keep_savepoint(Connection& connection, int depth, ports::Deadline deadline) {
  return run(connection, "RELEASE SAVEPOINT " + savepoint_name(depth), "release the savepoint", deadline);
}

Result<std::optional<std::string>> read_progress(Connection& connection, std::string_view source,
                                                 ports::Deadline deadline) {
  Flight flight(connection, "read the progress");
  flight.queue_own("SELECT position FROM @progress WHERE source = $1", Arguments::of(source));
  auto answer = flight.run(deadline);
  if (!answer) return failure(std::move(answer));
  if (PQntuples(answer->get()) == 0) return std::nullopt;
  return std::string(Columns(answer->get(), 0).text(0));
}

Result<bool> advance_progress(Connection& connection, std::string_view source, std::optional<std::string_view> expected,
                              std::string_view position, ports::Deadline deadline) {
  Flight flight(connection, "advance the progress");
  if (expected) {
    flight.queue_own("UPDATE @progress SET position = $3 WHERE source = $1 AND position = $2",
                     Arguments::of(source, *expected, position));
  } else {
    flight.queue_own("INSERT INTO @progress(source, position) VALUES ($1, $2) ON CONFLICT (source) DO NOTHING",
                     Arguments::of(source, position));
  }
  auto answer = flight.run(deadline);
  if (!answer) return failure(std::move(answer));
  return changed_rows(answer->get()) == 1;
}

void queue_journal(Flight& flight, const ports::JournalEntry& entry) {
  const UnitId& key = entry.key;
  if (entry.strict_order) flight.queue_prelude(search_by_key);
  flight.queue_own(entry.strict_order ? insert_row_in_order : insert_row,
                   Arguments::of(key.lane, key.epoch, key.n, key.member, BlobView{entry.payload}));
}

ports::JournalReply read_journal_reply(const PGresult* result) {
  return changed_rows(result) == 1 ? ports::JournalReply::inserted : ports::JournalReply::refused_by_order;
}

}  // namespace write_aside::postgresql
