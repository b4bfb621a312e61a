// What the producers do to the tables, each inside one write transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "adapters/local_stream/planned_records.hpp"
#include "adapters/local_stream/store.hpp"
#include "write_aside/result.hpp"

namespace write_aside::local_stream {

// A partition that records were appended to.
struct Target {
  std::int64_t ref = 0;
  bool compacted = false;
  std::int64_t first_offset = 0;
  std::int64_t next_offset = 0;
};
struct Appended {
  std::vector<Target> targets;
  std::int64_t offset = 0;  // of the record that was asked for
};
// Appends the records, as written by `producer` or, without one, by nobody in particular. Whether they are committed is
// decided by the marks of open transactions alone. Tells the offset of the record with the index `asked_for`.
[[nodiscard]] Result<Appended> append(Writing& writing, const PlannedRecords& records,
                                      std::optional<std::int64_t> producer, std::size_t asked_for);
// Deletes what the open transaction of `producer` has written, if there is one. The offsets are not used again.
[[nodiscard]] Result<void> discard_transaction(Writing& writing, std::int64_t producer);
// Removes the marks of the open transaction of `producer`: its records are committed now.
[[nodiscard]] Result<void> close_transaction(Writing& writing, std::int64_t producer);
// Aborts up to `transactions_max` transactions that are older than their time-out, and fences their producers.
// True if there were any.
[[nodiscard]] Result<bool> abort_expired(Writing& writing, std::int64_t now_ms);
// Deletes, below the first open offset of a compacted partition, records that a newer one with the same key
// replaces. Each record is looked at once; what one call leaves, the next one takes up. The newest record of a key
// stays for ever, also if it is a tombstone.
[[nodiscard]] Result<void> compact(Writing& writing, std::int64_t ref);

}  // namespace write_aside::local_stream
