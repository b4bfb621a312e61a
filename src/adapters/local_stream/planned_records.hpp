// Records on their way into the file: looked through, given their partitions, and copied, so that nothing about them
// can be refused any more but for what the file itself has to say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/local_stream/store.hpp"
#include "write_aside/ports/event_stream.hpp"
#include "write_aside/result.hpp"

namespace write_aside::local_stream {

// Many small records in two pieces of memory, which are used again.
class PlannedRecords {
 public:
  struct Record {
    std::int64_t ref = 0;
    bool compacted = false;
    std::int64_t timestamp_ms = 0;
    std::string_view headers;  // as JSON
    std::optional<std::string_view> key;
    std::optional<std::string_view> value;
  };

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_.size() + entries_.size() * sizeof(Entry); }
  // Refers to the memory here, until the next change.
  [[nodiscard]] Record operator[](std::size_t index) const;

  // False, and nothing is added, if the name of a header is not UTF-8.
  [[nodiscard]] bool add(std::int64_t ref, bool compacted, const ports::RecordView& record);
  // Takes back all but the first `size`.
  void cut(std::size_t size);
  void clear();

 private:
  struct Part {
    std::size_t begin = 0;
    std::size_t size = 0;
  };
  struct Entry {
    std::int64_t ref = 0;
    std::int64_t timestamp_ms = 0;
    Part headers;
    std::optional<Part> key;
    std::optional<Part> value;
    bool compacted = false;
  };
  [[nodiscard]] Part add(std::string_view text);
  [[nodiscard]] std::string_view text(Part part) const {
    return std::string_view(bytes_).substr(part.begin, part.size);
  }

  std::vector<Entry> entries_;
  std::string bytes_;
};

// Looks records through, and chooses their partitions. One thread at a time.
class Planner {
 public:
  explicit Planner(Store& store) : store_(store) {}
  // Adds all of them to `planned`, or none.
  [[nodiscard]] Result<void> plan(std::span<const ports::RecordView> records, PlannedRecords& planned);

 private:
  [[nodiscard]] Result<void> add(const ports::RecordView& record, PlannedRecords& planned);
  [[nodiscard]] Result<void> check_size(const ports::RecordView& record) const;
  [[nodiscard]] Result<void> choose_topic(std::string_view name);
  [[nodiscard]] Result<std::int32_t> choose_partition(const ports::RecordView& record) const;

  Store& store_;
  TopicPointer topic_;      // of the record before; most calls write to one
  std::uint32_t turn_ = 0;  // keyless records of one call go to one partition, those of the next call to the next
};

[[nodiscard]] std::int64_t wall_clock_ms();

}  // namespace write_aside::local_stream
