// What the producers do to the tables, each inside one write transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adapters/local_stream/store.hpp"
#include "write_aside/ports/event_stream.hpp"
#include "write_aside/result.hpp"

namespace write_aside::local_stream {

// Appends records. Kept by a producer, so that its buffers are reused: records come by the hundred.
class Appender {
 public:
  explicit Appender(Store& store) : store_(store) {}

  // Refuses what can be refused without the file: records above the limit.
  [[nodiscard]] Result<void> check(std::span<const ports::RecordView> records) const;
  // Appends all of them, for the open transaction of `producer` or, without one, as committed. Returns the offset
  // of the first. `touched()` then holds the partitions of the call.
  [[nodiscard]] Result<std::int64_t> append(Writing& writing, std::span<const ports::RecordView> records,
                                            std::optional<std::int64_t> producer);
  struct Target {
    std::int64_t ref = 0;
    bool compacted = false;
    std::int64_t first_offset = 0;
    std::int64_t next_offset = 0;
  };
  [[nodiscard]] const std::vector<Target>& targets() const { return targets_; }

 private:
  [[nodiscard]] Result<void> choose_topic(Writing& writing, std::string_view name);
  [[nodiscard]] Result<std::int32_t> choose_partition(const ports::RecordView& record);
  [[nodiscard]] Result<Target*> target(Writing& writing, std::int64_t ref);
  [[nodiscard]] Result<void> write_next_offsets(Writing& writing);

  Store& store_;
  TopicPointer topic_;  // of the record before; most calls write to one
  std::vector<Target> targets_;
  std::size_t last_target_ = 0;
  std::uint32_t turn_ = 0;  // keyless records of one call go to one partition, those of the next call to the next
  std::string headers_;
};

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

[[nodiscard]] std::int64_t wall_clock_ms();

}  // namespace write_aside::local_stream
