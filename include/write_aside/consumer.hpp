// The consumer: takes each event of its topics exactly once into a database.
//
// For every batch of events, one database transaction holds what your handler does, the events' entries in the inbox
// and the position in the stream: all of it happens, or nothing. So no crash, rebalance, redelivery or replay makes
// an event take effect twice, and none is passed over. What the handler publishes belongs to the same unit of
// work, at the guarantee level of the coordinator: consume, transform and produce is atomic.
//
//   position  where the next event is read, by partition, in the database. It is the truth; the stream's consumer group,
//             named like the consumer, only divides the partitions among the members.
//   inbox     the identities of the events that were applied: (ce_source, ce_id), or another one (see `identity_header`).
//             A second record of the same identity is passed over. An entry goes when the record that it came with
//             was removed from the stream, so that nobody can read it again; not by age.
//   generation  goes up by one whenever a member takes a partition. A member that was replaced without knowing, because it
//             was paused for instance, cannot commit: its generation is no longer the row's.
//
// Order: events of a partition are applied in their order, so those of a key are as well.
//
// Failures. An error of the handler that says `retriable` is tried again, with growing pauses, for `retry_for`; any other
// is the event's fault at once. A batch is halved until the event at fault stands alone. Then the consumer stops,
// with nothing applied from that event on, or parks it (`on_failure`): the event is kept in the database, is published to
// the dead-letter topic if there is one, and the position moves on, all in one unit of work. Later events of the same
// key wait for it in the database, or are parked too (`followers`); other keys go on. retry_parked() has parked events
// tried again by whoever holds their partition, drop_parked() gives them up; events that waited come next. A store that cannot be reached is waited for, for
// `store_patience`. run() stops at once, and says so, when the stream is not the one whose positions are stored (the
// topic was made anew, or lost records) or when records were removed before they were read (`gone`).
//
// Threads: one run() per consumer; stop() and progress() from any thread. Several consumers of one name, in one process
// or many, share the work. Lifetime: the coordinator outlives the consumer; a child of fork() leaves both alone. An
// exception thrown by the handler leaves run() with the batch rolled back.
//
//   auto consumer = Consumer::open(*coordinator, {.name = "totals", .topics = {"orders"}}).value();
//   auto done = consumer->run([](UnitOfWork& unit, std::span<const ReceivedEvent> events) -> Result<void> {
//     for (const ReceivedEvent& event : events) { … unit.execute("…", {event.key}) … }
//     return {};
//   });
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "write_aside/coordinator.hpp"
#include "write_aside/event.hpp"
#include "write_aside/result.hpp"
#include "write_aside/unit_of_work.hpp"

namespace write_aside {

// An event as it was read. `source` and `id` identify it for ever.
struct ReceivedEvent {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;  // none: a tombstone
  std::vector<Header> headers;
  std::int64_t timestamp_ms = 0;
  std::string source;
  std::string id;

  // The first header of that name; none: there is no such header.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
  // "orders[0]@17", as messages name the record.
  [[nodiscard]] std::string place() const;
};

struct ConsumerOptions {
  std::string name;  // positions and inbox belong to it, and the group has it; the same for all members
  std::vector<std::string> topics;
  // Kafka's static membership: the same after a restart, different for each member. Empty: a new member each time.
  std::string instance = {};

  enum class Start { beginning, end };
  Start start = Start::beginning;  // of a partition that has no position yet

  // The header whose value identifies an event within its topic, for instance "id" of Debezium's outbox. Empty: ce_source
  // and ce_id where the record has both, and otherwise its place (topic, partition, offset).
  std::string identity_header = {};

  enum class OnFailure { stop, park };
  OnFailure on_failure = OnFailure::stop;
  std::chrono::milliseconds retry_for{30'000};
  enum class Followers { wait, park };
  Followers followers = Followers::wait;
  std::string dead_letter_topic = {};  // parked events are published there as well; empty: they are not
  std::size_t parked_max = 10'000;     // of one partition, waiting ones included; with more the consumer stops

  // Pass over an event of a unit that was decided before another one, by the same lane of the same source, that changed
  // the same key (the header `wa-unit`): an older unit that was delivered late does not overwrite a newer one.
  bool strictly_increasing = false;

  std::size_t batch_max = 500;  // events in one transaction
  std::chrono::milliseconds store_patience{60'000};
  std::chrono::milliseconds session_timeout{10'000};  // of the group: a member silent for longer is replaced
  std::chrono::milliseconds prune_interval{60'000};
};

struct ConsumerProgress {
  std::uint64_t applied = 0;       // events given to the handler and committed
  std::uint64_t duplicates = 0;    // events passed over, since they had been applied before
  std::uint64_t outdated = 0;      // events passed over, since a newer one of their key had come (strictly_increasing)
  std::uint64_t parked = 0;        // events parked, waiting ones included
  std::uint64_t transactions = 0;  // committed batches
  std::size_t partitions = 0;      // held now
  std::int64_t lag = 0;  // offsets between the positions and the ends of these partitions, when last looked at
};

// An event that was parked, or waits for one of its key that was.
struct ParkedEvent {
  std::string consumer;
  ReceivedEvent event;
  enum class State { parked, waiting, retry };
  State state = State::parked;
  std::string error;  // why; of a waiting event: what it waits for
  std::int64_t parked_at_ms = 0;
};

// "parked", "waiting" or "retry", as in the table.
[[nodiscard]] std::string_view to_text(ParkedEvent::State state);

// Which parked events; what is empty does not matter.
struct ParkedFilter {
  std::string consumer;
  std::string topic = {};
  std::optional<std::int32_t> partition = {};
  std::optional<std::int64_t> offset = {};
  std::optional<std::string> key = {};
};

// In the order of topic, partition and offset, at most `count_max`.
[[nodiscard]] Result<std::vector<ParkedEvent>> parked_events(ports::Database& database, const ParkedFilter& filter,
                                                             std::size_t count_max);
// How many it concerned. The consumer tries them when it next looks, within about a second; they need not wait for it to run.
[[nodiscard]] Result<std::uint64_t> retry_parked(ports::Database& database, const ParkedFilter& filter);
// Gives up parked events for good, also those that are to be tried again; how many it were. Events that wait stay, and
// come next.
[[nodiscard]] Result<std::uint64_t> drop_parked(ports::Database& database, const ParkedFilter& filter);

namespace consumer {
class Loop;
}

class Consumer {
 public:
  using Handler = std::function<Result<void>(UnitOfWork& unit, std::span<const ReceivedEvent> events)>;

  // Checks options and tables. Fails with `not_initialised` before `init`, `unknown_topic` for a topic that is not there.
  [[nodiscard]] static Result<std::unique_ptr<Consumer>> open(Coordinator& coordinator, ConsumerOptions options);
  ~Consumer();

  // Applies events until stop(), or until an error; what was committed before stays.
  [[nodiscard]] Result<void> run(const Handler& handler);
  // The same, but returns once every partition is applied, by whichever member, up to where it ended at the call. What
  // was being committed then is waited for, 5 s at most (ports::committed_bounds).
  [[nodiscard]] Result<void> run_to_end(const Handler& handler);
  // Makes run() return after the batch under way, from any thread.
  void stop();
  [[nodiscard]] ConsumerProgress progress() const;

 private:
  explicit Consumer(std::unique_ptr<consumer::Loop> loop);
  [[nodiscard]] Result<void> run(const Handler& handler, bool to_end);
  std::unique_ptr<consumer::Loop> loop_;
};

}  // namespace write_aside
