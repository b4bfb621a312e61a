// The event stream, as the coordination sees it: what Kafka promises, no more.
//
// Topics have partitions, partitions have offsets. A transactional producer is named by a transactional id;
// initialising an instance fences every older instance of that id and completes or aborts what it left open.
// A read_committed reader sees no record of an open or aborted transaction, nor any record behind the first
// open one of its partition. An adapter passes the contract suite (tests/contract).
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "write_aside/event.hpp"
#include "write_aside/result.hpp"

namespace write_aside::ports {

using Deadline = std::chrono::steady_clock::time_point;

// A header to be written. Refers to the caller's memory, like RecordView.
struct HeaderView {
  std::string_view name;
  std::string_view value;
};

// A record to be produced. Refers to the caller's memory for the duration of the call.
struct RecordView {
  std::string_view topic;
  std::optional<std::int32_t> partition = {};  // none: by key (murmur2); no key: any
  std::optional<std::string_view> key = {};
  std::optional<std::string_view> value = {};  // none: a tombstone
  std::span<const HeaderView> headers = {};
  std::int64_t timestamp_ms = 0;
};

// A record that was read.
struct StoredRecord {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<Header> headers;
  std::int64_t timestamp_ms = 0;
};

struct TopicInfo {
  std::string name;
  std::string id;  // of this incarnation of the topic; empty: the stream cannot tell
  std::int32_t partitions = 0;
  bool compacted = false;
  std::vector<std::string> warnings = {};  // settings under which acknowledged records may be lost, for the operator
};

struct TopicSpec {
  std::string name;
  std::int32_t partitions = 1;
  bool compacted = false;
};

// Hears about acknowledgements. Called from within `produce` or from any other thread, once per accepted
// `produce` call; must not call back into the producer.
class Deliveries {
 public:
  virtual ~Deliveries() = default;
  // `first_offset`: of the first record of the call that `token` names.
  virtual void delivered(std::uint64_t token, Result<std::int64_t> first_offset) = 0;
};

enum class Ending { commit, abort };

// What is known of the end of a stream transaction. `clean`: exactly one end request was sent and it was
// answered with success. Everything else proves nothing (KAFKA-17754), and the instance must be destroyed (B4).
struct EndReport {
  bool clean = false;
  std::optional<Error> error = {};
};

// Calls come from one thread at a time, `delivered` may come from others. Destroying the instance drops it
// without ending its transaction.
class TransactionalProducer {
 public:
  TransactionalProducer() = default;
  TransactionalProducer(const TransactionalProducer&) = delete;
  TransactionalProducer& operator=(const TransactionalProducer&) = delete;
  virtual ~TransactionalProducer() = default;

  // T2. Fences older instances; on return no transaction of this id is open.
  [[nodiscard]] virtual Result<void> initialise(Deadline deadline) = 0;
  [[nodiscard]] virtual Result<void> begin() = 0;
  // Accepts the records, in this order per partition; their acknowledgement comes through Deliveries under
  // `token`. On an error nothing was accepted and no acknowledgement comes.
  [[nodiscard]] virtual Result<void> produce(std::span<const RecordView> records, std::uint64_t token) = 0;
  // A committed transaction may become visible to readers a moment after this returns.
  [[nodiscard]] virtual EndReport end(Ending ending, Deadline deadline) = 0;
  // From now on the caller can produce again, elsewhere if need be, whatever is acknowledged and not committed. So the
  // stream may keep the records to itself until their transaction is committed. An acknowledgement then says that they
  // were accepted of an instance that nobody has fenced, not that they are stored; its offset may be below theirs; no
  // reader, not even a read_uncommitted one, sees them; that there is no space for them may show at the end alone.
  virtual void hold_back() {}
  // How long the stream takes to be ready for this producer's next transaction after a clean end. One that is begun
  // earlier is slow, not wrong; who has the choice takes another producer.
  [[nodiscard]] virtual std::chrono::milliseconds rest_after_end() const { return {}; }
};

// An idempotent producer without transactions. Safe from many threads.
class Producer {
 public:
  Producer() = default;
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;
  virtual ~Producer() = default;
  [[nodiscard]] virtual Result<void> produce(std::span<const RecordView> records, std::uint64_t token) = 0;
};

enum class Isolation { read_committed, read_uncommitted };

struct ReadFrom {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;  // offset_beginning, offset_end, or the first offset wanted
  // An offset that the partition does not have, since its records were removed or it is shorter, fails with `gone`;
  // otherwise the reader goes on at the beginning, or waits.
  bool exact = false;
};
inline constexpr std::int64_t offset_beginning = -2;
inline constexpr std::int64_t offset_end = -1;

// Reads the partitions it was opened on. One thread at a time.
class Reader {
 public:
  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  virtual ~Reader() = default;

  // Up to `records_max` records, in offset order per partition; empty if the deadline passes first, or if only a
  // position has moved.
  [[nodiscard]] virtual Result<std::vector<StoredRecord>> poll(std::size_t records_max, Deadline deadline) = 0;
  // The offset that the next record of the partition will at least have. It also passes over what is not
  // shown: aborted records, records removed by compaction.
  [[nodiscard]] virtual Result<std::int64_t> position(const std::string& topic, std::int32_t partition) = 0;
};

// A stored position of a named consumer.
struct Position {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;  // the next to be read
};

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  auto operator<=>(const TopicPartition&) const = default;
};

struct GroupSpec {
  std::string name;
  std::vector<std::string> topics;
  std::string instance = {};  // the same after a restart, different for each member; empty: a new one each time
  std::chrono::milliseconds session_timeout{10'000};  // a member silent for longer has left
};

// A member of a consumer group: the stream divides the partitions of the topics among its members. It divides work and
// promises nothing: for a while two members may hold the same partition, or none. Leaves when destroyed, but with
// an `instance` only when the session times out. One thread at a time.
class GroupMember {
 public:
  GroupMember() = default;
  GroupMember(const GroupMember&) = delete;
  GroupMember& operator=(const GroupMember&) = delete;
  virtual ~GroupMember() = default;

  // The member's partitions now, in order. Does not wait. Also its sign of life: call it a few times within the
  // session time-out.
  [[nodiscard]] virtual Result<std::vector<TopicPartition>> share() = 0;
  // Tells the stream, for those who look at it, how far the member has come.
  [[nodiscard]] virtual Result<void> report(std::span<const Position> positions) = 0;
};

// An event stream. Safe from many threads.
class EventStream {
 public:
  EventStream() = default;
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;
  virtual ~EventStream() = default;

  // For messages: "local:shop.events", without secrets.
  [[nodiscard]] virtual std::string name() const = 0;
  // The cluster's own random id.
  [[nodiscard]] virtual Result<std::string> identity() = 0;
  // None: no such topic.
  [[nodiscard]] virtual Result<std::optional<TopicInfo>> topic(const std::string& name) = 0;
  [[nodiscard]] virtual Result<std::vector<TopicInfo>> topics() = 0;
  // True if it was made, false if it was there already (with whatever settings).
  [[nodiscard]] virtual Result<bool> create_topic(const TopicSpec& spec, Deadline deadline) = 0;
  // Upper bound of key + value + headers of one record.
  [[nodiscard]] virtual std::size_t record_bytes_max() const = 0;
  // `deliveries` outlives the producer.
  [[nodiscard]] virtual Result<std::unique_ptr<TransactionalProducer>> transactional_producer(
      const std::string& transactional_id, std::chrono::milliseconds transaction_timeout, Deliveries& deliveries) = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<Producer>> producer(Deliveries& deliveries) = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<Reader>> reader(const std::vector<ReadFrom>& from,
                                                               Isolation isolation) = 0;
  // First offset still there and the offset after the last (of the committed ones under read_committed).
  struct Bounds {
    std::int64_t begin = 0;
    std::int64_t end = 0;
  };
  [[nodiscard]] virtual Result<Bounds> bounds(const std::string& topic, std::int32_t partition,
                                              Isolation isolation) = 0;
  [[nodiscard]] virtual Result<void> store_positions(const std::string& consumer,
                                                     std::span<const Position> positions) = 0;
  [[nodiscard]] virtual Result<std::vector<Position>> positions(const std::string& consumer) = 0;
  // `unknown_topic` if one of them is missing.
  [[nodiscard]] virtual Result<std::unique_ptr<GroupMember>> join_group(const GroupSpec& spec) = 0;
};

// The bounds for readers of what is committed, as one who knows that a unit is committed expects them: what was being
// committed at the call is taken in. Kafka answers the end of a stream transaction before its readers see it, mostly some
// milliseconds. Waits for that until `deadline` at most; a transaction left open, or a lost marker, takes that long.
[[nodiscard]] Result<EventStream::Bounds> committed_bounds(EventStream& stream, const std::string& topic,
                                                           std::int32_t partition, Deadline deadline);

// How long whoever stops at an end waits for it.
inline constexpr std::chrono::seconds committed_bounds_patience{5};

}  // namespace write_aside::ports
