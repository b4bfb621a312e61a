// The tables of the records, and the statements on them.
//
// SQLite appends cheaply at the right end of a table alone; elsewhere it moves rows between neighbouring pages and
// writes all of them. A table of their own for the partitions that are written together halves the pages of a batch.
// Their number is fixed, so that topics need no tables of their own: the partition `ref` is in record_N, N = ref % 32.
#pragma once

#include <cstdint>
#include <string>

namespace write_aside::local_stream {

inline constexpr std::int64_t record_tables = 32;

struct RecordStatements {
  std::string insert;         // position, producer, timestamp_ms, headers, key, value
  std::string read;           // from position, to position
  std::string discard;        // first position, last position, producer
  std::string read_keyed;     // from position, to position, how many
  std::string delete_before;  // ref, key, offset: the record that compaction remembers for the key, if it is older
};

[[nodiscard]] const RecordStatements& record_statements(std::int64_t ref);

// Makes the tables, and the view over all of them.
[[nodiscard]] std::string create_record_tables();

}  // namespace write_aside::local_stream
