#include "adapters/local_stream/reader.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "adapters/local_stream/log.hpp"
#include "adapters/local_stream/record_tables.hpp"
#include "adapters/local_stream/schema.hpp"
#include "adapters/local_stream/text.hpp"

namespace write_aside::local_stream {
namespace {

using sqlite_handles::Connection;
using sqlite_handles::Statement;

constexpr std::size_t poll_bytes_max = 16u << 20;
constexpr std::chrono::milliseconds shortest_wait{1};
constexpr std::chrono::milliseconds longest_wait{20};

std::optional<std::string> bytes_of(const Statement& statement, int column) {
  if (statement.is_null(column)) return std::nullopt;
  return std::string(statement.blob(column));  // text is stored as UTF-8: its bytes are the bytes
}

std::size_t size_of(const ports::StoredRecord& record) {
  std::size_t bytes = (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  for (const Header& header : record.headers) bytes += header.name.size() + header.value.size();
  return bytes;
}

// Ends the read transaction whatever happens; a rollback of one that only read cannot lose anything.
class Reading {
 public:
  explicit Reading(Connection& connection) : connection_(connection) {}
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  ~Reading() {
    if (connection_.in_transaction()) static_cast<void>(connection_.run("ROLLBACK", "end reading"));
  }
  [[nodiscard]] Result<void> begin() { return connection_.run("BEGIN", "begin to read"); }

 private:
  Connection& connection_;
};

}  // namespace

Result<Extent> read_extent(Connection& connection, std::int64_t ref) {
  auto read = connection.prepare(
      "SELECT begin_offset, coalesce((SELECT min(first_offset) FROM open_partition WHERE open_partition.ref = "
      "partition.ref), next_offset), next_offset FROM partition WHERE ref = ?",
      "read a partition");
  if (!read) return failure(std::move(read));
  auto row = read->bind_all(ref).step();
  if (!row) return failure(std::move(row));
  const Extent extent = *row ? Extent{read->integer(0), read->integer(1), read->integer(2)} : Extent{-1, -1, -1};
  const bool in_order = extent.begin <= extent.stable && extent.stable <= extent.next;
  if (is_offset(extent.begin) && is_offset(extent.next) && in_order) return extent;
  return failure(damaged(connection.name(), "the offsets of a partition are none, or not in order"));
}

bool LocalReader::Haul::is_full() const { return records.size() >= records_max || bytes >= poll_bytes_max; }

Result<std::unique_ptr<ports::Reader>> LocalReader::open(std::shared_ptr<Store> store,
                                                         const std::vector<ports::ReadFrom>& from,
                                                         ports::Isolation isolation) {
  auto connection = store->reading_connection();
  if (!connection) return failure(std::move(connection));
  auto reader = std::make_unique<LocalReader>(std::move(store), std::move(*connection), isolation);
  for (const ports::ReadFrom& one : from) {
    if (auto added = reader->add(one); !added) return failure(std::move(added));
  }
  return reader;
}

Result<void> LocalReader::add(const ports::ReadFrom& from) {
  auto ref = store_->ref_of(connection_, from.topic, from.partition);
  if (!ref) return failure(std::move(ref));
  auto extent = read_extent(connection_, *ref);
  if (!extent) return failure(std::move(extent));
  std::int64_t offset = from.exact ? from.offset : std::max(from.offset, extent->begin);
  if (from.offset == ports::offset_beginning) offset = extent->begin;
  if (from.offset == ports::offset_end) offset = extent->end(isolation_);
  const Cursor cursor{from.topic, from.partition, *ref, offset, from.exact};
  if (from.exact && (offset < extent->begin || offset > extent->next)) return failure(gone(cursor, *extent));
  cursors_.push_back(cursor);
  return {};
}

Error LocalReader::gone(const Cursor& cursor, const Extent& extent) const {
  return {.code = ErrorCode::gone,
          .side = Side::stream,
          .effect = Effect::no,
          .message = "offset " + std::to_string(cursor.offset) + " of " + cursor.topic + '[' +
                     std::to_string(cursor.partition) + "] is not in " + store_->name() + ", which has " +
                     std::to_string(extent.begin) + " to " + std::to_string(extent.next),
          .driver = {}};
}

Notice& LocalReader::notice() {
  return isolation_ == ports::Isolation::read_committed ? store_->visible_notice() : store_->staged_notice();
}

Result<std::vector<ports::StoredRecord>> LocalReader::poll(std::size_t records_max, ports::Deadline deadline) {
  for (;;) {
    // Taken before reading: a commit in between is then noticed by the wait.
    const std::uint64_t seen = notice().count();
    auto version = data_version();
    if (!version) return failure(std::move(version));
    Haul haul;
    haul.records_max = records_max;
    if (auto read = read_all(haul); !read) return failure(std::move(read));
    if (!haul.records.empty() || records_max == 0) return std::move(haul.records);
    auto aborted = abort_timed_out(deadline);
    if (!aborted) return failure(std::move(aborted));
    if (*aborted) continue;
    if (store_->never_waits()) return std::move(haul.records);
    if (std::chrono::steady_clock::now() >= deadline) return std::move(haul.records);
    if (auto waited = wait(*version, seen, deadline); !waited) return failure(std::move(waited));
  }
}

Result<std::int64_t> LocalReader::position(const std::string& topic, std::int32_t partition) {
  for (const Cursor& cursor : cursors_) {
    if (cursor.partition == partition && cursor.topic == topic) return cursor.offset;
  }
  return failure({.code = ErrorCode::invalid_argument,
                  .side = Side::caller,
                  .effect = Effect::no,
                  .message = "this reader of " + store_->name() + " was not opened on partition " +
                             std::to_string(partition) + " of topic '" + topic + "'",
                  .driver = {}});
}

Result<std::int64_t> LocalReader::data_version() {
  auto read = connection_.prepare("PRAGMA data_version", "read");
  if (!read) return failure(std::move(read));
  auto row = read->step();
  if (!row) return failure(std::move(row));
  return read->integer(0);
}

Result<void> LocalReader::read_all(Haul& haul) {
  time_out_at_ms_.reset();
  Reading reading(connection_);
  if (auto begun = reading.begin(); !begun) return begun;
  for (std::size_t count = 0; count < cursors_.size() && !haul.is_full(); ++count) {
    Cursor& cursor = cursors_[(first_cursor_ + count) % cursors_.size()];
    if (auto read = read_partition(cursor, haul); !read) return read;
  }
  if (!cursors_.empty()) first_cursor_ = (first_cursor_ + 1) % cursors_.size();
  return {};
}

Result<void> LocalReader::read_partition(Cursor& cursor, Haul& haul) {
  auto extent = read_extent(connection_, cursor.ref);
  if (!extent) return failure(std::move(extent));
  if (cursor.exact && cursor.offset < extent->begin) return failure(gone(cursor, *extent));
  const std::int64_t end = extent->end(isolation_);
  if (end < extent->next) {
    if (auto noted = note_time_out(cursor.ref); !noted) return noted;
  }
  if (cursor.offset >= end) return {};
  auto read = connection_.prepare(record_statements(cursor.ref).read, "read records");
  if (!read) return failure(std::move(read));
  read->bind_all(position_of(cursor.ref, cursor.offset), position_of(cursor.ref, end));
  while (!haul.is_full()) {
    auto row = read->step();
    if (!row) return failure(std::move(row));
    if (!*row) {
      cursor.offset = end;  // also over what was aborted or compacted away
      return {};
    }
    const std::int64_t position = read->integer(0);
    if (position < position_of(cursor.ref, cursor.offset) || position >= position_of(cursor.ref, end)) {
      return failure(damaged(store_->name(), "the records of a partition are not in order"));
    }
    auto headers = parse_headers(read->text(2));
    if (!headers) return failure(std::move(headers));
    ports::StoredRecord record{.topic = cursor.topic,
                               .partition = cursor.partition,
                               .offset = offset_of(position),
                               .key = bytes_of(*read, 3),
                               .value = bytes_of(*read, 4),
                               .headers = std::move(*headers),
                               .timestamp_ms = read->integer(1)};
    cursor.offset = record.offset + 1;
    haul.bytes += size_of(record);
    haul.records.push_back(std::move(record));
  }
  return {};
}

Result<void> LocalReader::note_time_out(std::int64_t ref) {
  auto read = connection_.prepare(
      "SELECT min(deadline_ms) FROM open_partition CROSS JOIN open_transaction USING (producer) WHERE ref = ?", "read");
  if (!read) return failure(std::move(read));
  auto row = read->bind_all(ref).step();
  if (!row) return failure(std::move(row));
  if (read->is_null(0)) return {};
  time_out_at_ms_ = std::min(read->integer(0), time_out_at_ms_.value_or(read->integer(0)));
  return {};
}

bool LocalReader::may_have_timed_out() const { return time_out_at_ms_ && wall_clock_ms() > *time_out_at_ms_; }

// The owner of the transaction in the way may be dead: then nobody else would ever end it. True if one was aborted.
Result<bool> LocalReader::abort_timed_out(ports::Deadline deadline) {
  if (!may_have_timed_out()) return false;
  auto writing = store_->write(Durability::staged, "abort a timed-out transaction", deadline);
  if (!writing) {
    // Reading goes on without it, the next poll tries again.
    if (writing.error().code == ErrorCode::busy) return false;
    return failure(std::move(writing));
  }
  auto aborted = abort_expired(*writing, wall_clock_ms());
  if (!aborted || !*aborted) return aborted;
  if (auto committed = writing->commit(true); !committed) return failure(std::move(committed));
  return true;
}

// Returns when there may be something new, or at the deadline.
Result<void> LocalReader::wait(std::int64_t version, std::uint64_t seen, ports::Deadline deadline) {
  for (std::chrono::milliseconds pause = shortest_wait;; pause = std::min(2 * pause, longest_wait)) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) return {};
    if (notice().wait(seen, std::min(deadline, now + pause))) return {};
    auto current = data_version();
    if (!current) return failure(std::move(current));
    if (*current != version) return {};
    if (may_have_timed_out()) return {};
  }
}

}  // namespace write_aside::local_stream
