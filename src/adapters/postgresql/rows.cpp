#include "adapters/postgresql/rows.hpp"

#include <charconv>
#include <cstring>
#include <string>

namespace write_aside::postgresql {
namespace {

std::int64_t to_integer(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::string_view Columns::text(int column) const {
  return {PQgetvalue(result_, row_, column), static_cast<std::size_t>(PQgetlength(result_, row_, column))};
}

std::int64_t Columns::integer(int column) const { return to_integer(text(column)); }

std::string Columns::bytes(int column) const {
  std::size_t length = 0;
  const auto* escaped = reinterpret_cast<const unsigned char*>(PQgetvalue(result_, row_, column));
  const TextHandle plain(reinterpret_cast<char*>(PQunescapeBytea(escaped, &length)));
  return plain != nullptr ? std::string(plain.get(), length) : std::string();
}

ports::LaneRow read_lane_row(const Columns& columns) {
  ports::LaneRow row;
  row.lane = columns.integer_as<LaneNumber>(0);
  row.epoch = columns.integer_as<std::uint64_t>(1);
  row.owner = columns.text(2);
  row.owner_process = columns.text(3);
  row.heartbeat_age = std::chrono::milliseconds(columns.integer(4));
  if (!columns.is_null(5)) {
    row.settled = BatchId{columns.integer_as<std::uint64_t>(5), columns.integer_as<std::uint64_t>(6)};
  }
  row.ledger_offset = columns.integer(7);
  row.purged = {columns.integer_as<std::uint64_t>(8), columns.integer_as<std::uint64_t>(9)};
  row.halted = columns.text(10);
  row.stream_id = columns.text(11);
  row.ledger_id = columns.text(12);
  return row;
}

ports::JournalRow read_journal_row(const Columns& columns) {
  ports::JournalRow row;
  row.key = {columns.integer_as<LaneNumber>(0), columns.integer_as<std::uint64_t>(1),
             columns.integer_as<std::uint64_t>(2), columns.integer_as<std::uint32_t>(3)};
  if (!columns.is_null(4)) {
    row.adopted = BatchId{columns.integer_as<std::uint64_t>(4), columns.integer_as<std::uint64_t>(5)};
  }
  row.tombstone = columns.boolean(6);
  row.delivered = columns.boolean(7);
  if (!columns.is_null(8)) row.payload = columns.bytes(8);
  return row;
}

std::int64_t changed_rows(const PGresult* result) { return to_integer(PQcmdTuples(const_cast<PGresult*>(result))); }

}  // namespace write_aside::postgresql
