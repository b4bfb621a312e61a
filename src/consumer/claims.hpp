// The partitions that this member has claimed, with the positions as the database has them.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "consumer/tables.hpp"
#include "write_aside/consumer.hpp"

namespace write_aside::consumer {

struct Held : Position {
  std::set<std::string> parked_keys;
  std::size_t parked_events = 0;
};

class Claims {
 public:
  Claims(Coordinator& coordinator, const Tables& tables, const ConsumerOptions& options, std::string stream_id);

  // Claims what is in `share` and not held, drops what is held and not in it. A partition that was lost to another member
  // is claimed again only after a rest, lest two members who both think that it is theirs keep taking it.
  [[nodiscard]] Result<void> follow(const std::vector<ports::TopicPartition>& share);

  void drop_all();
  // The lane that the units of this member take, so that the events that they publish stay in order; none at the guarantee
  // levels that have no lanes. When it was lost to another process, every partition has to be claimed again.
  [[nodiscard]] std::optional<LaneNumber> lane() const { return lane_; }
  [[nodiscard]] Result<void> keep_lane();

  [[nodiscard]] const std::map<ports::TopicPartition, Held>& held() const { return held_; }
  // Null: not held.
  [[nodiscard]] Held* find(const ports::TopicPartition& partition);
  // Another member has it now.
  void lose(const ports::TopicPartition& partition);
  // Nobody knows what its position is, since a COMMIT was not answered: it has to be claimed again, which waits for that
  // COMMIT or shuts it out.
  void doubt(const ports::TopicPartition& partition);
  // Is the position one of this stream and this topic, and is it still in there? `gone` if not.
  [[nodiscard]] Result<void> check(const ports::TopicPartition& partition, const Position& position) const;
  // The same by the last record that was applied, where there is no topic id to go by.
  [[nodiscard]] Result<void> check_last_record(const ports::TopicPartition& partition, const Position& position) const;
  // Looks again at what is parked in the partition, in the unit.
  [[nodiscard]] Result<void> load_parked(UnitOfWork& unit, const ports::TopicPartition& partition, Held& held) const;
  // Goes up when partitions come and go.
  [[nodiscard]] std::uint64_t version() const { return version_; }

 private:
  [[nodiscard]] Result<Held> claim(const ports::TopicPartition& partition);
  [[nodiscard]] Result<Position> position_of(UnitOfWork& unit, const ports::TopicPartition& partition);
  [[nodiscard]] Result<Position> first_position(const ports::TopicPartition& partition);
  // What the last member published is visible before the next one publishes, by whatever lane.
  [[nodiscard]] Result<void> settle(const std::optional<LaneNumber>& lane);
  [[nodiscard]] Result<std::string> topic_id(const std::string& topic) const;

  Coordinator& coordinator_;
  const Tables& tables_;
  const ConsumerOptions& options_;
  const std::string stream_id_;
  const std::string owner_;
  std::map<ports::TopicPartition, Held> held_;
  std::map<ports::TopicPartition, std::chrono::steady_clock::time_point> not_before_;
  std::optional<LaneNumber> lane_;
  std::uint64_t version_ = 0;
};

}  // namespace write_aside::consumer
