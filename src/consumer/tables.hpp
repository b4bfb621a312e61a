// The consumer's tables, through the unit of work in which its handler runs: positions and inbox (docs/format.md).
//
// The statements are the same for SQLite and PostgreSQL. Parameters are written `$1`, `$2` in the order of their first use:
// SQLite takes these for names and numbers them so.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "write_aside/consumer.hpp"
#include "write_aside/ports/event_stream.hpp"
#include "write_aside/unit_of_work.hpp"

namespace write_aside::consumer {

struct Position {
  std::int64_t next_offset = 0;
  std::int64_t generation = 0;
  std::string stream_id;  // of the stream and the topic that the offset belongs to
  std::string topic_id;
  std::optional<LaneNumber> lane = {};  // that carried the events of the last unit
  // The last record that was applied, to be known again: where the stream tells no topic ids, another record there shows
  // that the topic was made anew.
  std::optional<std::int64_t> last_offset = {};
  std::string last_seen = {};  // fingerprint_of() it
};

class Tables {
 public:
  Tables(std::string prefix, std::string consumer) : prefix_(std::move(prefix)), consumer_(std::move(consumer)) {}

  // Raises the generation. None: the partition has no position yet.
  [[nodiscard]] Result<std::optional<Position>> claim(UnitOfWork& unit, const ports::TopicPartition& partition,
                                                      const std::string& owner) const;
  // False: somebody else has made it meanwhile.
  [[nodiscard]] Result<bool> create(UnitOfWork& unit, const ports::TopicPartition& partition, const std::string& owner,
                                    const Position& position) const;
  // Locks the position until the unit ends. False: it is another one, or another member has claimed the partition.
  [[nodiscard]] Result<bool> advance(UnitOfWork& unit, const ports::TopicPartition& partition, const Position& from,
                                     const Position& to) const;
  // As it is, without claiming.
  [[nodiscard]] Result<std::optional<Position>> find(UnitOfWork& unit, const ports::TopicPartition& partition) const;

  // Enters the events; how many were new. If not all were, it is not known which: then enter_each().
  [[nodiscard]] Result<std::size_t> enter_all(UnitOfWork& unit, std::span<const ReceivedEvent> events) const;
  // Enters one event, or moves its entry to the later record. True: it is new.
  [[nodiscard]] Result<bool> enter(UnitOfWork& unit, const ReceivedEvent& event) const;
  // Deletes entries that came with records below `begin`, at most some thousand; how many it deleted.
  [[nodiscard]] Result<std::int64_t> prune(UnitOfWork& unit, const ports::TopicPartition& partition,
                                           std::int64_t begin) const;

  // Notes the event's unit as the latest of its key. False: a later one of its lane is noted already.
  [[nodiscard]] Result<bool> note_latest(UnitOfWork& unit, const ReceivedEvent& event, const UnitId& place) const;

  // Keeps an event that was not applied. `error`: why.
  [[nodiscard]] Result<void> park(UnitOfWork& unit, const ReceivedEvent& event, ParkedEvent::State state,
                                  const std::string& error, std::int64_t now_ms) const;
  // The keys of all kept events of the partition, and how many events there are.
  struct ParkedKeys {
    std::set<std::string> keys;
    std::size_t events = 0;
  };
  [[nodiscard]] Result<ParkedKeys> parked_keys(UnitOfWork& unit, const ports::TopicPartition& partition,
                                               std::size_t events_max) const;
  // Those to be tried now, in their order: none of the same key before them is parked.
  [[nodiscard]] Result<std::vector<ReceivedEvent>> due_parked(UnitOfWork& unit,
                                                              const ports::TopicPartition& partition) const;
  // False: it is no longer there.
  [[nodiscard]] Result<bool> unpark(UnitOfWork& unit, const ReceivedEvent& event) const;
  [[nodiscard]] Result<void> park_again(UnitOfWork& unit, const ReceivedEvent& event, const std::string& error) const;

 private:
  [[nodiscard]] std::string sql(std::string_view text) const;  // `@` becomes the prefix

  std::string prefix_;
  std::string consumer_;
};

}  // namespace write_aside::consumer
