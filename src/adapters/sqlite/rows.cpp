#include "adapters/sqlite/rows.hpp"

#include <string>

namespace write_aside::sqlite {

ports::LaneRow read_lane_row(const sqlite_handles::Statement& statement) {
  ports::LaneRow row;
  row.lane = statement.integer_as<LaneNumber>(0);
  row.epoch = statement.integer_as<std::uint64_t>(1);
  row.owner = statement.text(2);
  row.owner_process = statement.text(3);
  row.heartbeat_age = std::chrono::milliseconds(statement.integer(4));
  if (!statement.is_null(5)) {
    row.settled = BatchId{statement.integer_as<std::uint64_t>(5), statement.integer_as<std::uint64_t>(6)};
  }
  row.ledger_offset = statement.integer(7);
  row.purged = {statement.integer_as<std::uint64_t>(8), statement.integer_as<std::uint64_t>(9)};
  row.halted = statement.text(10);
  row.stream_id = statement.text(11);
  row.ledger_id = statement.text(12);
  return row;
}

ports::JournalRow read_journal_row(const sqlite_handles::Statement& statement) {
  ports::JournalRow row;
  row.key = {statement.integer_as<LaneNumber>(0), statement.integer_as<std::uint64_t>(1),
             statement.integer_as<std::uint64_t>(2), statement.integer_as<std::uint32_t>(3)};
  if (!statement.is_null(4)) {
    row.adopted = BatchId{statement.integer_as<std::uint64_t>(4), statement.integer_as<std::uint64_t>(5)};
  }
  row.tombstone = statement.integer(6) != 0;
  row.delivered = statement.integer(7) != 0;
  row.payload = statement.blob(8);
  return row;
}

}  // namespace write_aside::sqlite
