// What run() does: follows the group's division, claims partitions, reads, applies, and looks after positions.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "consumer/applier.hpp"
#include "consumer/claims.hpp"
#include "consumer/patience.hpp"
#include "core/opening_process.hpp"
#include "write_aside/consumer.hpp"

namespace write_aside::consumer {

class Loop {
 public:
  Loop(Coordinator& coordinator, ConsumerOptions options, std::string prefix, std::string stream_id);

  [[nodiscard]] Result<void> run(const Consumer::Handler& handler, bool to_end);
  void stop() { patience_.stop(); }
  [[nodiscard]] ConsumerProgress progress() const;
  [[nodiscard]] const core::OpeningProcess& opened_in() const { return opened_in_; }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  [[nodiscard]] Result<void> turn(const Consumer::Handler& handler);
  [[nodiscard]] Result<void> join();
  void leave();
  // Gives up what others have now, claims what is new, and reads from the positions.
  [[nodiscard]] Result<void> follow_share();
  [[nodiscard]] Result<void> open_reader();
  [[nodiscard]] Result<std::vector<ReceivedEvent>> read();
  // Positions pass over what readers are not shown, so that they do not fall behind the stream's beginning.
  [[nodiscard]] Result<void> pass_over_gaps();
  [[nodiscard]] Result<void> keep_house();
  [[nodiscard]] Result<void> look_at_lag();
  void look_at_lag_at_last();  // for the report of what is left
  [[nodiscard]] Result<void> prune();
  [[nodiscard]] Result<void> note_ends();
  [[nodiscard]] Result<bool> stands_at_end();
  [[nodiscard]] bool due(TimePoint& at, std::chrono::milliseconds interval);

  const core::OpeningProcess opened_in_ = {};
  Coordinator& coordinator_;
  const ConsumerOptions options_;
  Tables tables_;
  Patience patience_;
  Claims claims_;
  Applier applier_;
  std::unique_ptr<ports::GroupMember> member_;
  std::unique_ptr<ports::Reader> reader_;
  std::uint64_t reader_of_ = 0;                         // the version of the claims that the reader reads
  std::optional<Error> unidentified_;                   // the record behind those read last has no identity
  bool idle_ = false;                                   // the last turn found nothing to apply
  std::map<ports::TopicPartition, std::int64_t> ends_;  // of all the topics' partitions, when run_to_end() began
  TimePoint gaps_at_;
  TimePoint parked_at_;
  TimePoint lag_at_;
  TimePoint prune_at_;
  std::map<ports::TopicPartition, std::int64_t> pruned_;  // up to where
  std::atomic<std::int64_t> lag_ = 0;
  std::atomic<std::size_t> partitions_ = 0;
};

}  // namespace write_aside::consumer
