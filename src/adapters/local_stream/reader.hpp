// Reads partitions of a local stream on a connection of its own.
//
// Waiting takes no thread: a commit of this process gives notice, and one of another process is seen in the file's
// data version, which is looked at every 1 to 20 ms.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/local_stream/store.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::local_stream {

// What a partition holds at one moment.
struct Extent {
  std::int64_t begin = 0;
  std::int64_t stable = 0;  // first offset of the first open transaction; without one, `next`
  std::int64_t next = 0;

  [[nodiscard]] std::int64_t end(ports::Isolation isolation) const {
    return isolation == ports::Isolation::read_committed ? stable : next;
  }
};
[[nodiscard]] Result<Extent> read_extent(sqlite_handles::Connection& connection, std::int64_t ref);

class LocalReader final : public ports::Reader {
 public:
  [[nodiscard]] static Result<std::unique_ptr<ports::Reader>> open(std::shared_ptr<Store> store,
                                                                   const std::vector<ports::ReadFrom>& from,
                                                                   ports::Isolation isolation);

  LocalReader(std::shared_ptr<Store> store, sqlite_handles::Connection connection, ports::Isolation isolation)
      : store_(std::move(store)), connection_(std::move(connection)), isolation_(isolation) {}

  Result<std::vector<ports::StoredRecord>> poll(std::size_t records_max, ports::Deadline deadline) override;
  Result<std::int64_t> position(const std::string& topic, std::int32_t partition) override;

 private:
  struct Cursor {
    std::string topic;
    std::int32_t partition = 0;
    std::int64_t ref = 0;
    std::int64_t offset = 0;  // the next to be read
    bool exact = false;
  };
  // One poll's yield, and its limits.
  struct Haul {
    std::vector<ports::StoredRecord> records;
    std::size_t records_max = 0;
    std::size_t bytes = 0;
    [[nodiscard]] bool is_full() const;
  };

  [[nodiscard]] Result<void> add(const ports::ReadFrom& from);
  [[nodiscard]] Error gone(const Cursor& cursor, const Extent& extent) const;
  [[nodiscard]] Result<std::int64_t> data_version();
  [[nodiscard]] Result<void> read_all(Haul& haul);
  [[nodiscard]] Result<void> read_partition(Cursor& cursor, Haul& haul);
  [[nodiscard]] Result<void> note_time_out(std::int64_t ref);
  [[nodiscard]] bool may_have_timed_out() const;
  [[nodiscard]] Result<bool> abort_timed_out(ports::Deadline deadline);
  [[nodiscard]] Result<void> wait(std::int64_t version, std::uint64_t seen, ports::Deadline deadline);
  [[nodiscard]] Notice& notice();

  std::shared_ptr<Store> store_;
  sqlite_handles::Connection connection_;
  ports::Isolation isolation_;
  std::vector<Cursor> cursors_;
  std::size_t first_cursor_ = 0;                // rotates, so that a busy partition does not starve the others
  std::optional<std::int64_t> time_out_at_ms_;  // when the first of the transactions in the way times out
};

}  // namespace write_aside::local_stream
