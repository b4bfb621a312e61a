// The columns of the lane table and of the journal, and how their rows are read.
#pragma once

#include "adapters/sqlite_handles/statement.hpp"
#include "write_aside/ports/database.hpp"

namespace write_aside::sqlite {

#define WRITE_ASIDE_SQLITE_LANE_COLUMNS                                                                 \
  "lane, epoch, owner, owner_process, max(0, " WRITE_ASIDE_SQLITE_NOW                                   \
  " - heartbeat), settled_epoch, settled_n, ledger_offset, purged_epoch, purged_n, halted, stream_id, " \
  "ledger_id"

#define WRITE_ASIDE_SQLITE_JOURNAL_COLUMNS \
  "lane, epoch, n, member, adopted_epoch, adopted_n, tombstone, delivered_at IS NOT NULL, payload"

[[nodiscard]] ports::LaneRow read_lane_row(const sqlite_handles::Statement& statement);
[[nodiscard]] ports::JournalRow read_journal_row(const sqlite_handles::Statement& statement);

}  // namespace write_aside::sqlite
