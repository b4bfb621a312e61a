#include "adapters/local_stream/record_tables.hpp"

#include <array>

namespace write_aside::local_stream {
namespace {

RecordStatements statements_on(const std::string& table) {
  return {.insert = "INSERT INTO " + table +
                    " (position, producer, timestamp_ms, headers, key, value) VALUES (?, ?, ?, ?, ?, ?)",
          .read = "SELECT position, timestamp_ms, headers, key, value FROM " + table +
                  " WHERE position >= ? AND position < ? ORDER BY position",
          .discard = "DELETE FROM " + table + " WHERE position BETWEEN ? AND ? AND producer = ?",
          .read_keyed = "SELECT position, key FROM " + table +
                        " WHERE position >= ? AND position < ? AND key IS NOT NULL ORDER BY position LIMIT ?",
          .delete_before = "DELETE FROM " + table +
                           " WHERE position = (SELECT (ref << 40) + offset FROM compacted_key "
                           "WHERE ref = ? AND key = ? AND offset < ?)"};
}

std::string name_of(std::int64_t number) { return "record_" + std::to_string(number); }

std::string select_committed(std::int64_t number) {
  const std::string n = std::to_string(number);
  return "SELECT topic.name, partition.number, r.position - (partition.ref << 40), r.key, r.value, r.headers, "
         "r.timestamp_ms FROM topic CROSS JOIN partition ON partition.topic = topic.id AND partition.ref % " +
         std::to_string(record_tables) + " = " + n + " CROSS JOIN " + name_of(number) +
         " AS r ON r.position >= partition.ref << 40 AND r.position < (partition.ref << 40) + coalesce((SELECT "
         "min(first_offset) FROM open_partition WHERE open_partition.ref = partition.ref), 1 << 40)";
}

}  // namespace

const RecordStatements& record_statements(std::int64_t ref) {
  static const auto all = [] {
    std::array<RecordStatements, record_tables> made;
    for (std::int64_t number = 0; number < record_tables; ++number) made[number] = statements_on(name_of(number));
    return made;
  }();
  return all[static_cast<std::size_t>(ref % record_tables)];
}

// The `producer` of a record is the transactional producer that wrote it: the records of an open transaction are those
// of its producer from the partition's `first_offset` on, because a producer has one transaction at a time.
std::string create_record_tables() {
  std::string tables;
  std::string view = "CREATE VIEW committed_records (topic, partition, offset, key, value, headers, timestamp_ms) AS ";
  for (std::int64_t number = 0; number < record_tables; ++number) {
    tables += "CREATE TABLE " + name_of(number) +
              " (position INTEGER PRIMARY KEY, producer INTEGER, timestamp_ms INTEGER NOT NULL, headers TEXT NOT NULL, "
              "key, value);";
    view += (number == 0 ? "" : " UNION ALL ") + select_committed(number);
  }
  return tables + view + ";";
}

}  // namespace write_aside::local_stream
