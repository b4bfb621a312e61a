#include "adapters/local_stream/log.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <utility>

#include "adapters/local_stream/errors.hpp"
#include "adapters/local_stream/record_tables.hpp"
#include "adapters/local_stream/schema.hpp"
#include "adapters/local_stream/text.hpp"

namespace write_aside::local_stream {
namespace {

using sqlite_handles::Connection;
using sqlite_handles::Statement;

constexpr int expired_max = 64;
constexpr int compact_records_max = 1'000;

// As text where it is text, so that a person with sqlite3 can read it.
void bind_bytes(Statement& statement, int index, const std::optional<std::string_view>& bytes) {
  if (!bytes) {
    statement.bind(index, nullptr);
  } else if (is_text(*bytes)) {
    statement.bind(index, *bytes);
  } else {
    statement.bind(index, BlobView{*bytes});
  }
}

// Runs one statement to its end with integers as parameters.
template <class... Integers>
Result<void> run(Connection& connection, std::string_view sql, std::string_view what, Integers... values) {
  auto statement = connection.prepare(sql, what);
  if (!statement) return failure(std::move(statement));
  statement->bind_all(std::int64_t{values}...);
  if (auto stepped = statement->step(); !stepped) return failure(std::move(stepped));
  return {};
}

// The place in `targets` of the record's partition, which is most often that of the record before.
Result<std::size_t> target_of(Connection& connection, const PlannedRecords::Record& record,
                              std::vector<Target>& targets, std::size_t before) {
  if (before < targets.size() && targets[before].ref == record.ref) return before;
  const auto known =
      std::find_if(targets.begin(), targets.end(), [&record](const Target& t) { return t.ref == record.ref; });
  const auto index = static_cast<std::size_t>(known - targets.begin());
  if (known != targets.end()) return index;
  auto read = connection.prepare("SELECT next_offset FROM partition WHERE ref = ?", "produce");
  if (!read) return failure(std::move(read));
  auto row = read->bind_all(record.ref).step();
  if (!row) return failure(std::move(row));
  const std::int64_t next = *row ? read->integer(0) : -1;
  if (!is_offset(next)) return failure(damaged(connection.name(), "the next offset of a partition is none"));
  targets.push_back({record.ref, record.compacted, next, next});
  return index;
}

}  // namespace

Result<Appended> append(Writing& writing, const PlannedRecords& records, std::optional<std::int64_t> producer,
                        std::size_t asked_for) {
  Connection& connection = writing.connection();
  Appended appended;
  std::size_t last = 0;  // the target of the record before
  std::array<std::optional<Statement>, record_tables> inserts;
  for (std::size_t index = 0; index < records.size(); ++index) {
    const PlannedRecords::Record record = records[index];
    auto found = target_of(connection, record, appended.targets, last);
    if (!found) return failure(std::move(found));
    Target& at = appended.targets[last = *found];
    if (at.next_offset >= offset_max) {
      return failure(refused(ErrorCode::storage_full,
                             "a partition of " + connection.name() + " has used all offsets; use another topic"));
    }
    std::optional<Statement>& insert = inserts[static_cast<std::size_t>(at.ref % record_tables)];
    if (!insert) {
      auto prepared = connection.prepare(record_statements(at.ref).insert, "produce");
      if (!prepared) return failure(std::move(prepared));
      insert.emplace(*std::move(prepared));
    }
    insert->bind_all(position_of(at.ref, at.next_offset), producer, record.timestamp_ms, record.headers);
    bind_bytes(*insert, 5, record.key);
    bind_bytes(*insert, 6, record.value);
    if (auto stepped = insert->step(); !stepped) return failure(std::move(stepped));
    insert->reset();
    if (index == asked_for) appended.offset = at.next_offset;
    ++at.next_offset;
  }
  for (const Target& target : appended.targets) {
    auto updated = run(connection, "UPDATE partition SET next_offset = ? WHERE ref = ?", "produce", target.next_offset,
                       target.ref);
    if (!updated) return failure(std::move(updated));
  }
  return appended;
}

Result<void> discard_transaction(Writing& writing, std::int64_t producer) {
  Connection& connection = writing.connection();
  std::vector<std::int64_t> positions;
  {
    auto read = connection.prepare("SELECT ref, first_offset FROM open_partition WHERE producer = ?", "abort");
    if (!read) return failure(std::move(read));
    read->bind_all(producer);
    for (;;) {
      auto row = read->step();
      if (!row) return failure(std::move(row));
      if (!*row) break;
      if (!is_ref(read->integer(0)) || !is_offset(read->integer(1))) {
        return failure(damaged(connection.name(), "the place of an open transaction is none"));
      }
      positions.push_back(position_of(read->integer(0), read->integer(1)));
    }
  }
  for (const std::int64_t position : positions) {
    const std::int64_t ref = position >> offset_bits;
    auto deleted =
        run(connection, record_statements(ref).discard, "abort", position, position_of(ref, offset_max), producer);
    if (!deleted) return deleted;
  }
  return close_transaction(writing, producer);
}

Result<void> close_transaction(Writing& writing, std::int64_t producer) {
  // The table holds what is open now, a few rows; an index by producer would cost a page more at every end.
  auto closed = run(writing.connection(), "DELETE FROM open_partition WHERE producer = ?", "end", producer);
  if (!closed) return closed;
  return run(writing.connection(), "DELETE FROM open_transaction WHERE producer = ?", "end", producer);
}

Result<bool> abort_expired(Writing& writing, std::int64_t now_ms) {
  Connection& connection = writing.connection();
  std::vector<std::int64_t> producers;
  {
    auto read =
        connection.prepare("SELECT producer FROM open_transaction WHERE deadline_ms < ? LIMIT ?", "look for time-outs");
    if (!read) return failure(std::move(read));
    read->bind_all(now_ms, expired_max);
    for (;;) {
      auto row = read->step();
      if (!row) return failure(std::move(row));
      if (!*row) break;
      producers.push_back(read->integer(0));
    }
  }
  for (const std::int64_t producer : producers) {
    // The epoch first: its owner, if it still lives, must not go on as if its records were there.
    auto fenced = run(connection, "UPDATE producer SET epoch = epoch + 1 WHERE id = ?", "abort", producer);
    if (!fenced) return failure(std::move(fenced));
    if (auto discarded = discard_transaction(writing, producer); !discarded) return failure(std::move(discarded));
  }
  return !producers.empty();
}

namespace {

struct Window {
  std::int64_t from = 0;
  std::int64_t upto = 0;
};

// What is decided but was not yet looked at. A record behind an open one waits: a read_committed reader cannot see
// it, so the older record of its key must stay for that reader.
Result<Window> undecided_window(Connection& connection, std::int64_t ref) {
  auto read = connection.prepare(
      "SELECT compacted_upto, coalesce((SELECT min(first_offset) FROM open_partition WHERE open_partition.ref = "
      "partition.ref), next_offset) FROM partition WHERE ref = ?",
      "compact");
  if (!read) return failure(std::move(read));
  auto row = read->bind_all(ref).step();
  if (!row) return failure(std::move(row));
  if (!*row) return Window{};
  const Window window{read->integer(0), read->integer(1)};
  if (is_offset(window.from) && is_offset(window.upto)) return window;
  return failure(damaged(connection.name(), "the offsets of a compacted partition are none"));
}

struct KeyedRecord {
  std::int64_t offset = 0;
  std::string key;
};

Result<std::vector<KeyedRecord>> keyed_records(Connection& connection, std::int64_t ref, Window window) {
  auto read = connection.prepare(record_statements(ref).read_keyed, "compact");
  if (!read) return failure(std::move(read));
  read->bind_all(position_of(ref, window.from), position_of(ref, window.upto), compact_records_max);
  std::vector<KeyedRecord> records;
  for (;;) {
    auto row = read->step();
    if (!row) return failure(std::move(row));
    if (!*row) return records;
    records.push_back({offset_of(read->integer(0)), std::string(read->blob(1))});
  }
}

// Deletes the record that `newer` replaces, if there is one, and remembers `newer` in its place.
Result<void> replace_older(Connection& connection, std::int64_t ref, const KeyedRecord& newer) {
  {
    auto older = connection.prepare(record_statements(ref).delete_before, "compact");
    if (!older) return failure(std::move(older));
    older->bind(1, ref);
    bind_bytes(*older, 2, newer.key);
    older->bind(3, newer.offset);
    if (auto stepped = older->step(); !stepped) return failure(std::move(stepped));
  }
  auto remember = connection.prepare(
      "INSERT INTO compacted_key (ref, key, offset) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET offset = "
      "excluded.offset",
      "compact");
  if (!remember) return failure(std::move(remember));
  remember->bind(1, ref);
  bind_bytes(*remember, 2, newer.key);
  remember->bind(3, newer.offset);
  if (auto stepped = remember->step(); !stepped) return failure(std::move(stepped));
  return {};
}

}  // namespace

Result<void> compact(Writing& writing, std::int64_t ref) {
  Connection& connection = writing.connection();
  auto window = undecided_window(connection, ref);
  if (!window) return failure(std::move(window));
  if (window->from >= window->upto) return {};
  auto records = keyed_records(connection, ref, *window);
  if (!records) return failure(std::move(records));
  for (const KeyedRecord& record : *records) {
    if (auto replaced = replace_older(connection, ref, record); !replaced) return replaced;
  }
  const bool all = records->size() < static_cast<std::size_t>(compact_records_max);
  return run(connection, "UPDATE partition SET compacted_upto = ? WHERE ref = ?", "compact",
             all ? window->upto : records->back().offset + 1, ref);
}

}  // namespace write_aside::local_stream
