#include "adapters/sqlite/own_transaction.hpp"

#include <algorithm>
#include <utility>

#include "adapters/sqlite/rows.hpp"
#include "adapters/sqlite/tables.hpp"

namespace write_aside::sqlite {
namespace {

using ports::JournalRow;
using ports::LaneRow;
using sqlite_handles::Statement;

// A row's label epoch is never below the epoch of its key, so `epoch < ?` narrows a search for old labels to old keys.
// Tombstones have delivered_at set and are passed over everywhere.
#define UNDELIVERED_BELOW "lane = ?1 AND epoch < ?2 AND delivered_at IS NULL AND coalesce(adopted_epoch, epoch) < ?2"

constexpr std::string_view set_delivered = "UPDATE main.write_aside_journal SET delivered_at = " WRITE_ASIDE_SQLITE_NOW;

constexpr std::int64_t purge_rows_max = 10'000;  // of one call; the next one goes on

Error over() { return {ErrorCode::internal, Side::database, Effect::no, false, "the transaction is over already", {}}; }

}  // namespace

Result<Statement> OwnTransaction::prepare(std::string_view sql, std::string_view what) {
  if (!transaction_) return failure(over());
  return transaction_->connection().prepare(sql, what);
}

template <class... T>
Result<std::uint64_t> OwnTransaction::change(std::string_view sql, std::string_view what, const T&... values) {
  auto statement = prepare(sql, what);
  if (!statement) return failure(std::move(statement));
  auto changed = statement->bind_all(values...).run();
  if (!changed) return failure(std::move(changed));
  return static_cast<std::uint64_t>(*changed);
}

template <class... T>
Result<std::vector<JournalRow>> OwnTransaction::select(std::string_view sql, const T&... values) {
  auto statement = prepare(sql, "read the journal");
  if (!statement) return failure(std::move(statement));
  statement->bind_all(values...);
  std::vector<JournalRow> rows;
  // Every statement given to select has a LIMIT.
  for (;;) {
    auto row = statement->step();
    if (!row) return failure(std::move(row));
    if (!*row) return rows;
    rows.push_back(read_journal_row(*statement));
  }
}

Result<std::optional<LaneRow>> OwnTransaction::lock_lane(LaneNumber lane) {
  auto statement =
      prepare("SELECT " WRITE_ASIDE_SQLITE_LANE_COLUMNS " FROM main.write_aside_lane WHERE lane = ?", "read the lane");
  if (!statement) return failure(std::move(statement));
  auto row = statement->bind_all(lane).step();
  if (!row) return failure(std::move(row));
  if (!*row) return std::nullopt;
  return read_lane_row(*statement);
}

Result<void> OwnTransaction::write_lane(const LaneRow& row, bool beat) {
  std::optional<std::uint64_t> settled_epoch;
  std::optional<std::uint64_t> settled_n;
  if (row.settled) {
    settled_epoch = row.settled->epoch;
    settled_n = row.settled->n;
  }
  auto changed = change(
      "UPDATE main.write_aside_lane SET epoch = ?2, owner = ?3, owner_process = ?4, "
      "heartbeat = CASE WHEN ?5 THEN " WRITE_ASIDE_SQLITE_NOW
      " ELSE heartbeat END, settled_epoch = ?6, settled_n = ?7, ledger_offset = ?8, purged_epoch = ?9, "
      "purged_n = ?10, halted = ?11, stream_id = ?12, ledger_id = ?13 WHERE lane = ?1",
      "write the lane", row.lane, row.epoch, row.owner, row.owner_process, beat, settled_epoch, settled_n,
      row.ledger_offset, row.purged.epoch, row.purged.n, row.halted, row.stream_id, row.ledger_id);
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
  return select("SELECT " WRITE_ASIDE_SQLITE_JOURNAL_COLUMNS " FROM main.write_aside_journal WHERE " UNDELIVERED_BELOW
                " ORDER BY epoch, n, member LIMIT ?3",
                lane, epoch, limit);
}

Result<std::vector<JournalRow>> OwnTransaction::undelivered_labelled(LaneNumber lane, BatchId label,
                                                                     std::size_t limit) {
  return select("SELECT " WRITE_ASIDE_SQLITE_JOURNAL_COLUMNS
                " FROM main.write_aside_journal WHERE lane = ?1 AND epoch <= ?2 AND delivered_at IS NULL "
                "AND coalesce(adopted_epoch, epoch) = ?2 AND coalesce(adopted_n, n) = ?3 "
                "ORDER BY epoch, n, member LIMIT ?4",
                lane, label.epoch, label.n, limit);
}

Result<std::optional<JournalRow>> OwnTransaction::row(const UnitId& key) {
  auto rows = select("SELECT " WRITE_ASIDE_SQLITE_JOURNAL_COLUMNS
                     " FROM main.write_aside_journal WHERE lane = ? AND epoch = ? AND n = ? AND member = ? LIMIT 1",
                     key.lane, key.epoch, key.n, key.member);
  if (!rows) return failure(std::move(rows));
  if (rows->empty()) return std::nullopt;
  return std::move(rows->front());
}

Result<std::uint64_t> OwnTransaction::deliver_covered(LaneNumber lane, BatchId label) {
  static const std::string sql = std::string(set_delivered) +
                                 " WHERE lane = ?1 AND epoch <= ?2 AND delivered_at IS NULL "
                                 "AND coalesce(adopted_epoch, epoch) = ?2 AND coalesce(adopted_n, n) <= ?3";
  return change(sql, "set rows delivered", lane, label.epoch, label.n);
}

Result<std::uint64_t> OwnTransaction::deliver(const UnitId& key) {
  static const std::string sql =
      std::string(set_delivered) + " WHERE lane = ? AND epoch = ? AND n = ? AND member = ? AND delivered_at IS NULL";
  return change(sql, "set a row delivered", key.lane, key.epoch, key.n, key.member);
}

Result<std::uint64_t> OwnTransaction::adopt_all(LaneNumber lane, BatchId label) {
  return change("UPDATE main.write_aside_journal SET adopted_epoch = ?2, adopted_n = ?3 WHERE " UNDELIVERED_BELOW,
                "adopt rows", lane, label.epoch, label.n);
}

Result<bool> OwnTransaction::adopt(const UnitId& key, BatchId label) {
  auto changed = change(
      "UPDATE main.write_aside_journal SET adopted_epoch = ?5, adopted_n = ?6 WHERE lane = ?1 AND epoch = ?2 "
      "AND n = ?3 AND member = ?4 AND delivered_at IS NULL AND coalesce(adopted_epoch, epoch) < ?5",
      "adopt a row", key.lane, key.epoch, key.n, key.member, label.epoch, label.n);
  if (!changed) return failure(std::move(changed));
  return *changed == 1;
}

Result<std::uint64_t> OwnTransaction::delete_settled(LaneNumber lane, BatchId upto) {
  return change(
      "DELETE FROM main.write_aside_journal WHERE lane = ? AND epoch = ? AND n <= ? "
      "AND delivered_at IS NULL AND adopted_epoch IS NULL",
      "delete settled rows", lane, upto.epoch, upto.n);
}

Result<bool> OwnTransaction::insert_tombstone(const UnitId& key) {
  auto inserted = change(
      "INSERT INTO main.write_aside_journal(lane, epoch, n, member, tombstone, delivered_at) "
      "VALUES (?, ?, ?, ?, 1, " WRITE_ASIDE_SQLITE_NOW ")",
      "insert a tombstone", key.lane, key.epoch, key.n, key.member);
  if (inserted) return true;
  // Only the primary key's own conflict proves that a row is there (D2).
  if (inserted.error().driver.starts_with("SQLITE_CONSTRAINT_PRIMARYKEY")) return false;
  return failure(std::move(inserted));
}

Result<std::optional<BatchId>> OwnTransaction::purge(LaneNumber lane, std::chrono::seconds retention) {
  auto statement = prepare(
      "DELETE FROM main.write_aside_journal WHERE rowid IN (SELECT rowid FROM main.write_aside_journal "
      "WHERE lane = ?1 AND delivered_at <= " WRITE_ASIDE_SQLITE_NOW
      " - ?2 ORDER BY epoch, n, member LIMIT ?3) RETURNING epoch, n",
      "purge the journal");
  if (!statement) return failure(std::move(statement));
  statement->bind_all(lane, std::chrono::milliseconds(retention).count(), purge_rows_max);
  std::optional<BatchId> highest;
  for (;;) {
    auto row = statement->step();
    if (!row) return failure(std::move(row));
    if (!*row) return highest;
    const BatchId batch{statement->integer_as<std::uint64_t>(0), statement->integer_as<std::uint64_t>(1)};
    highest = std::max(highest, std::optional(batch));
  }
}

ports::CommitReply OwnTransaction::commit() {
  if (!transaction_) return {ports::CommitReply::State::in_doubt, over()};
  auto reply = transaction_->commit(deadline_);
  transaction_.reset();
  return reply;
}

}  // namespace write_aside::sqlite
