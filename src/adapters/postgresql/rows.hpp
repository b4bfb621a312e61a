// How the rows of results are read: single columns, lane rows, journal rows.
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>

#include "adapters/postgresql/handles.hpp"
#include "write_aside/ports/database.hpp"

namespace write_aside::postgresql {

// The database's clock in milliseconds since 1970, as an SQL expression; it goes on within a transaction.
#define WRITE_ASIDE_POSTGRESQL_NOW "(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::pg_catalog.int8"

#define WRITE_ASIDE_POSTGRESQL_LANE_COLUMNS                                                  \
  "lane, epoch, owner, owner_process, greatest(0, " WRITE_ASIDE_POSTGRESQL_NOW               \
  " - heartbeat), settled_epoch, settled_n, ledger_offset, purged_epoch, purged_n, halted, " \
  "stream_id, ledger_id"

#define WRITE_ASIDE_POSTGRESQL_JOURNAL_COLUMNS \
  "lane, epoch, n, member, adopted_epoch, adopted_n, tombstone, delivered_at IS NOT NULL, payload"

// One row of a result in text format; columns count from 0.
class Columns {
 public:
  Columns(const PGresult* result, int row) : result_(result), row_(row) {}

  [[nodiscard]] bool is_null(int column) const { return PQgetisnull(result_, row_, column) != 0; }
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] bool boolean(int column) const { return text(column) == "t"; }
  [[nodiscard]] std::string bytes(int column) const;  // of a bytea
  template <std::integral T>
  [[nodiscard]] T integer_as(int column) const {
    return static_cast<T>(integer(column));
  }

 private:
  const PGresult* result_;
  int row_;
};

[[nodiscard]] ports::LaneRow read_lane_row(const Columns& columns);
[[nodiscard]] ports::JournalRow read_journal_row(const Columns& columns);

// How many rows a command changed.
[[nodiscard]] std::int64_t changed_rows(const PGresult* result);

}  // namespace write_aside::postgresql
