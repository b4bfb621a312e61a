#include "adapters/postgresql/own_transaction.hpp"

#include <algorithm>
#include <utility>

#include "adapters/postgresql/flight.hpp"
#include "adapters/postgresql/rows.hpp"
#include "adapters/postgresql/transaction_end.hpp"

namespace write_aside::postgresql {
namespace {

using ports::JournalRow;
using ports::LaneRow;

// A row's label epoch is never below the epoch of its key, so `epoch < ...` narrows a search for old labels to old
// keys. Tombstones have delivered_at set and are passed over everywhere.
#define UNDELIVERED_BELOW "lane = $1 AND epoch < $2 AND delivered_at IS NULL AND coalesce(adopted_epoch, epoch) < $2"
#define SELECT_JOURNAL "SELECT " WRITE_ASIDE_POSTGRESQL_JOURNAL_COLUMNS " FROM @journal WHERE "
#define SET_DELIVERED "UPDATE @journal SET delivered_at = " WRITE_ASIDE_POSTGRESQL_NOW " WHERE "
// Rows that keep their first label, and adopted ones, which have an index of their own: a scan of every row of the
// lane would be read ten times a second.
#define OF_FIRST_LABEL "lane = $1 AND epoch = $2 AND adopted_epoch IS NULL AND delivered_at IS NULL "
#define OF_ADOPTED_LABEL "lane = $1 AND adopted_epoch = $2 AND delivered_at IS NULL "

constexpr std::int64_t purge_rows_max = 10'000;  // of one call; the next one goes on

Error over() { return {ErrorCode::internal, Side::database, Effect::no, false, "the transaction is over already", {}}; }

}  // namespace

OwnTransaction::OwnTransaction(Lease lease, ports::Deadline deadline) : lease_(std::move(lease)), deadline_(deadline) {
  lease_->connection().begin_with_next("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
}

OwnTransaction::~OwnTransaction() {
  if (lease_) (void)roll_back(lease_->connection());
}

Result<ResultHandle> OwnTransaction::run(std::string_view sql, std::string_view what, const Arguments& arguments) {
  if (!lease_) return failure(over());
  Flight flight(lease_->connection(), what);
  flight.queue_own(sql, arguments);
  return flight.run(deadline_);
}

Result<std::uint64_t> OwnTransaction::change(std::string_view sql, std::string_view what, const Arguments& arguments) {
  auto result = run(sql, what, arguments);
  if (!result) return failure(std::move(result));
  return static_cast<std::uint64_t>(changed_rows(result->get()));
}

Result<std::vector<JournalRow>> OwnTransaction::select(std::string_view sql, const Arguments& arguments) {
  auto result = run(sql, "read the journal", arguments);
  if (!result) return failure(std::move(result));
  const int count = PQntuples(result->get());
  std::vector<JournalRow> rows;
  rows.reserve(static_cast<std::size_t>(count));
  // Every statement given to select has a LIMIT.
  for (int row = 0; row < count; ++row) rows.push_back(read_journal_row(Columns(result->get(), row)));
  return rows;
}

Result<std::optional<LaneRow>> OwnTransaction::lock_lane(LaneNumber lane) {
  auto result = run("SELECT " WRITE_ASIDE_POSTGRESQL_LANE_COLUMNS " FROM @lane WHERE lane = $1 FOR UPDATE",
                    "lock the lane", Arguments::of(lane));
  if (!result) return failure(std::move(result));
  if (PQntuples(result->get()) == 0) return std::nullopt;
  return read_lane_row(Columns(result->get(), 0));
}

Result<void> OwnTransaction::write_lane(const LaneRow& row, bool beat) {
  std::optional<std::uint64_t> settled_epoch;
  std::optional<std::uint64_t> settled_n;
  if (row.settled) {
    settled_epoch = row.settled->epoch;
    settled_n = row.settled->n;
  }
  auto changed = change(
      "UPDATE @lane SET epoch = $2, owner = $3, owner_process = $4, heartbeat = CASE WHEN $5::boolean "
      "THEN " WRITE_ASIDE_POSTGRESQL_NOW
      " ELSE heartbeat END, settled_epoch = $6, settled_n = $7, ledger_offset = $8, purged_epoch = $9, "
      "purged_n = $10, halted = $11, stream_id = $12, ledger_id = $13 WHERE lane = $1",
      "write the lane",
      Arguments::of(row.lane, row.epoch, row.owner, row.owner_process, beat, settled_epoch, settled_n,
                    row.ledger_offset, row.purged.epoch, row.purged.n, row.halted, row.stream_id, row.ledger_id));
  if (!changed) return failure(std::move(changed));
  if (*changed == 1) return {};
  return failure({ErrorCode::invalid_argument,
                  Side::database,
                  Effect::no,
                  false,
                  "there is no lane " + std::to_string(row.lane) + "; add lanes with 'write-aside init'",
                  {}});
}

Result<std::vector<JournalRow>> OwnTransaction::undelivered_below(LaneNumber lane, std::uint64_t epoch,
                                                                  std::size_t limit) {
  return select(SELECT_JOURNAL UNDELIVERED_BELOW " ORDER BY epoch, n, member LIMIT $3",
                Arguments::of(lane, epoch, limit));
}

Result<std::vector<JournalRow>> OwnTransaction::undelivered_labelled(LaneNumber lane, BatchId label,
                                                                     std::size_t limit) {
  return select("SELECT * FROM (" SELECT_JOURNAL OF_FIRST_LABEL "AND n = $3 UNION ALL " SELECT_JOURNAL OF_ADOPTED_LABEL
                "AND adopted_n = $3) AS labelled ORDER BY epoch, n, member LIMIT $4",
                Arguments::of(lane, label.epoch, label.n, limit));
}

Result<std::optional<JournalRow>> OwnTransaction::row(const UnitId& key) {
  auto rows = select(SELECT_JOURNAL "lane = $1 AND epoch = $2 AND n = $3 AND member = $4 LIMIT 1",
                     Arguments::of(key.lane, key.epoch, key.n, key.member));
  if (!rows) return failure(std::move(rows));
  if (rows->empty()) return std::nullopt;
  return std::move(rows->front());
}

Result<std::uint64_t> OwnTransaction::deliver_covered(LaneNumber lane, BatchId label) {
  const Arguments arguments = Arguments::of(lane, label.epoch, label.n);
  auto first = change(SET_DELIVERED OF_FIRST_LABEL "AND n <= $3", "set rows delivered", arguments);
  if (!first) return first;
  auto adopted = change(SET_DELIVERED OF_ADOPTED_LABEL "AND adopted_n <= $3", "set adopted rows delivered", arguments);
  if (!adopted) return adopted;
  return *first + *adopted;
}

Result<std::uint64_t> OwnTransaction::deliver(const UnitId& key) {
  return change(SET_DELIVERED "lane = $1 AND epoch = $2 AND n = $3 AND member = $4 AND delivered_at IS NULL",
                "set a row delivered", Arguments::of(key.lane, key.epoch, key.n, key.member));
}

Result<std::uint64_t> OwnTransaction::adopt_all(LaneNumber lane, BatchId label) {
  return change("UPDATE @journal SET adopted_epoch = $2, adopted_n = $3 WHERE " UNDELIVERED_BELOW, "adopt rows",
                Arguments::of(lane, label.epoch, label.n));
}

Result<bool> OwnTransaction::adopt(const UnitId& key, BatchId label) {
  auto changed = change(
      "UPDATE @journal SET adopted_epoch = $5, adopted_n = $6 WHERE lane = $1 AND epoch = $2 AND n = $3 "
      "AND member = $4 AND delivered_at IS NULL AND coalesce(adopted_epoch, epoch) < $5",
      "adopt a row", Arguments::of(key.lane, key.epoch, key.n, key.member, label.epoch, label.n));
  if (!changed) return failure(std::move(changed));
  return *changed == 1;
}

Result<std::uint64_t> OwnTransaction::delete_settled(LaneNumber lane, BatchId upto) {
  return change("DELETE FROM @journal WHERE " OF_FIRST_LABEL "AND n <= $3", "delete settled rows",
                Arguments::of(lane, upto.epoch, upto.n));
}

// The conflict clause waits for a row that is being inserted just as a plain INSERT does, and does nothing only if that
// row commits; it names the primary key, so no other conflict passes for one (D2). At REPEATABLE READ it would fail on
// a row that its snapshot does not show; own transactions are READ COMMITTED.
Result<bool> OwnTransaction::insert_tombstone(const UnitId& key) {
  auto inserted = change(
      "INSERT INTO @journal(lane, epoch, n, member, tombstone, delivered_at) "
      "VALUES ($1, $2, $3, $4, true, " WRITE_ASIDE_POSTGRESQL_NOW ") ON CONFLICT (lane, epoch, n, member) DO NOTHING",
      "insert a tombstone", Arguments::of(key.lane, key.epoch, key.n, key.member));
  if (!inserted) return failure(std::move(inserted));
  return *inserted == 1;
}

Result<std::optional<BatchId>> OwnTransaction::purge(LaneNumber lane, std::chrono::seconds retention) {
  auto result =
      run("DELETE FROM @journal WHERE ctid = ANY (ARRAY(SELECT ctid FROM @journal WHERE lane = $1 "
          "AND delivered_at <= " WRITE_ASIDE_POSTGRESQL_NOW
          " - $2::bigint ORDER BY epoch, n, member LIMIT $3)) RETURNING epoch, n",
          "purge the journal", Arguments::of(lane, std::chrono::milliseconds(retention).count(), purge_rows_max));
  if (!result) return failure(std::move(result));
  std::optional<BatchId> highest;
  const int count = PQntuples(result->get());
  for (int row = 0; row < count; ++row) {
    const Columns columns(result->get(), row);
    highest = std::max(
        highest, std::optional(BatchId{columns.integer_as<std::uint64_t>(0), columns.integer_as<std::uint64_t>(1)}));
  }
  return highest;
}

ports::CommitReply OwnTransaction::commit() {
  if (!lease_) return {ports::CommitReply::State::in_doubt, over()};
  auto reply = commit_transaction(lease_->connection(), nullptr, deadline_);
  lease_.reset();
  return reply;
}

}  // namespace write_aside::postgresql
