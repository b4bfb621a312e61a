#include "adapters/sqlite/unit_statements.hpp"

#include <string>
#include <utility>

namespace write_aside::sqlite {
namespace {

using sqlite_handles::Connection;

std::string savepoint_name(int depth) { return "write_aside_scope_" + std::to_string(depth); }

constexpr std::string_view insert_row =
    "INSERT INTO main.write_aside_journal(lane, epoch, n, member, payload) VALUES (?1, ?2, ?3, ?4, ?5)";

// The search is narrow: a label epoch is never below the epoch of the key.
constexpr std::string_view insert_row_in_order =
    "INSERT INTO main.write_aside_journal(lane, epoch, n, member, payload) SELECT ?1, ?2, ?3, ?4, ?5 "
    "WHERE NOT EXISTS (SELECT 1 FROM main.write_aside_journal WHERE lane = ?1 AND epoch < ?2 "
    "AND delivered_at IS NULL AND coalesce(adopted_epoch, epoch) < ?2)";

}  // namespace

Result<void> open_savepoint(Connection& connection, int depth) {
  return connection.run("SAVEPOINT " + savepoint_name(depth), "savepoint");
}

Result<void> undo_savepoint(Connection& connection, int depth) {
  if (auto undone = connection.run("ROLLBACK TO " + savepoint_name(depth), "roll back to the savepoint"); !undone) {
    return undone;
  }
  // ROLLBACK TO keeps the savepoint itself open.
  return keep_savepoint(connection, depth);
}

Result<void> keep_savepoint(Connection& connection, int depth) {
  return connection.run("RELEASE " + savepoint_name(depth), "release the savepoint");
}

Result<std::optional<std::string>> read_progress(Connection& connection, std::string_view source) {
  auto statement =
      connection.prepare("SELECT position FROM main.write_aside_progress WHERE source = ?", "read the progress");
  if (!statement) return failure(std::move(statement));
  auto row = statement->bind_all(source).step();
  if (!row) return failure(std::move(row));
  if (!*row) return std::nullopt;
  return std::string(statement->text(0));
}

Result<bool> advance_progress(Connection& connection, std::string_view source, std::optional<std::string_view> expected,
                              std::string_view position) {
  auto statement = expected ? connection.prepare(
                                  "UPDATE main.write_aside_progress SET position = ?3 WHERE source = ?1 "
                                  "AND position = ?2",
                                  "advance the progress")
                            : connection.prepare(
                                  "INSERT INTO main.write_aside_progress(source, position) SELECT ?1, ?3 "
                                  "WHERE ?2 IS NULL ON CONFLICT(source) DO NOTHING",
                                  "advance the progress");
  if (!statement) return failure(std::move(statement));
  auto changed = statement->bind_all(source, expected, position).run();
  if (!changed) return failure(std::move(changed));
  return *changed == 1;
}

Result<ports::JournalReply> insert_journal(Connection& connection, const ports::JournalEntry& entry) {
  auto statement = connection.prepare(entry.strict_order ? insert_row_in_order : insert_row, "insert the journal row");
  if (!statement) return failure(std::move(statement));
  const UnitId& key = entry.key;
  auto changed = statement->bind_all(key.lane, key.epoch, key.n, key.member, BlobView{entry.payload}).run();
  if (!changed) return failure(std::move(changed));
  return *changed == 1 ? ports::JournalReply::inserted : ports::JournalReply::refused_by_order;
}

}  // namespace write_aside::sqlite
