// What a fake event stream holds: topics, open transactions, fenced producers. Shared by all the FakeEventStream
// objects of all processes of a test, it is "the broker": it stays when a process dies.
//
// It behaves as Kafka does: the end of a transaction takes an offset of its own (a marker that nobody reads), aborted
// records keep theirs, a read_committed reader stops at the first open record, a transaction that grows too old is
// aborted and its producer fenced. The decision to commit or abort is one; its markers may come to the partitions one
// after the other.
//
// Safe from many threads or fibers: everything happens under a mutex, which is given up while waiting for records.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "write_aside/ports/event_stream.hpp"
#include "write_aside/ports/runtime.hpp"

namespace write_aside::support {

struct FakeStreamOptions {
  std::size_t record_bytes_max = 1u << 20;
  bool markers = true;   // the end of a transaction takes an offset
  bool compacts = true;  // compacted topics lose their replaced records whenever a transaction ends
  // The end of a transaction reaches each partition up to that much later, and readers see it only then. Whoever
  // initialises or goes on with the transactional id waits for that.
  std::chrono::nanoseconds marker_delay_max{0};
  // A reader sees what was appended before some moment, which lies up to that much behind; each reader has a span of its
  // own.
  std::chrono::nanoseconds reader_lag_max{0};
  // A producer that may hold records back does so.
  bool holds_back = false;
};

class FakeEventStreamState {
 public:
  using PartitionName = std::pair<std::string, std::int32_t>;

  // The clock and the waits are the runtime's. In a World that is best World::outside().
  explicit FakeEventStreamState(ports::Runtime& runtime, FakeStreamOptions options = {});
  FakeEventStreamState(const FakeEventStreamState&) = delete;
  FakeEventStreamState& operator=(const FakeEventStreamState&) = delete;

  // For tests. What a read_committed reader sees of a topic, in order of partition and offset, once the markers that
  // are under way are there.
  [[nodiscard]] std::vector<ports::StoredRecord> committed(const std::string& topic);
  [[nodiscard]] std::size_t open_transactions();
  // Told of each record at the moment its transaction is committed, from within the call that ends it.
  void on_commit(std::function<void(const ports::StoredRecord&)> hear) { on_commit_ = std::move(hear); }
  // Time-outs of transactions come that much earlier.
  void pass_time(std::chrono::nanoseconds span);
  // Data loss: everything from `offset` on is gone.
  void truncate(const std::string& topic, std::int32_t partition, std::int64_t offset);

 private:
  friend class FakeEventStream;
  friend class FakeTransactionalProducer;
  friend class FakeProducer;
  friend class FakeReader;
  friend class FakeGroupMember;

  using Guard = std::unique_lock<ports::Mutex>;

  enum class Fate { open, committed, aborted, marker };
  struct Entry {
    ports::StoredRecord record;
    Fate fate = Fate::committed;
    std::string transactional_id;
    ports::Deadline appended = {};
  };
  struct Partition {
    std::vector<Entry> entries;  // in order of offset; compaction leaves gaps
    std::int64_t next_offset = 0;

    [[nodiscard]] std::int64_t stable_end() const;  // before the first open record
    [[nodiscard]] std::int64_t end(ports::Isolation isolation) const {
      return isolation == ports::Isolation::read_committed ? stable_end() : next_offset;
    }
    // The same for somebody who does not see what was appended after `horizon`.
    [[nodiscard]] std::int64_t end(ports::Isolation isolation, ports::Deadline horizon) const;
    [[nodiscard]] static bool shows(const Entry& entry, ports::Isolation isolation);
  };
  struct Topic {
    ports::TopicInfo info;
    std::vector<Partition> partitions;
    std::uint32_t turn = 0;  // of records without a key
  };
  struct ProducerState {
    std::uint64_t epoch = 0;
    bool open = false;
    std::optional<ports::Deadline> deadline = {};  // from the first record on
    std::chrono::milliseconds timeout{0};
    std::set<PartitionName> touched = {};
  };

  // The end of a transaction on its way to one partition.
  struct Marker {
    ports::Deadline due;
    std::string transactional_id;
    PartitionName partition;
    ports::Ending ending;
  };

  // Locks, and first does what time has brought.
  [[nodiscard]] Guard guard();
  [[nodiscard]] ports::Deadline now() { return runtime_.now() + ahead_; }
  [[nodiscard]] std::chrono::nanoseconds draw_lag();
  [[nodiscard]] Result<Partition*> partition(const std::string& topic, std::int32_t number);
  // Checks all the records, then appends them; the offset of the first.
  [[nodiscard]] Result<std::int64_t> append(std::span<const ports::RecordView> records,
                                            const std::string& transactional_id);
  // Those that a producer held back, as one call.
  [[nodiscard]] Result<std::int64_t> append(const std::vector<ports::StoredRecord>& records,
                                            const std::string& transactional_id);
  [[nodiscard]] Result<std::vector<PartitionName>> place(std::span<const ports::RecordView> records);
  void end_transaction(const std::string& transactional_id, ports::Ending ending);
  void hear_of_commit(const std::string& transactional_id, const ProducerState& producer);
  void arrive(const Marker& marker);
  // Every marker under way of this transactional id arrives.
  void complete(const std::string& transactional_id);
  void complete_all();
  void compact(Partition& partition);

  ports::Runtime& runtime_;
  FakeStreamOptions options_;
  std::unique_ptr<ports::Mutex> mutex_;
  std::unique_ptr<ports::Condition> changed_;
  std::chrono::nanoseconds ahead_{0};
  std::string identity_;
  std::map<std::string, Topic> topics_;
  std::map<std::string, ProducerState> producers_;  // by transactional id
  std::vector<Marker> markers_;                     // under way
  std::function<void(const ports::StoredRecord&)> on_commit_;
  std::map<std::string, std::map<PartitionName, std::int64_t>> positions_;
  std::map<std::string, std::map<std::string, ports::Deadline>> groups_;  // members, and until when they live
};

[[nodiscard]] ports::StoredRecord stored(const ports::RecordView& record);  // without its place
[[nodiscard]] Error fake_stream_error(ErrorCode code, std::string message);

}  // namespace write_aside::support
