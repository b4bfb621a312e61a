// Applies events: positions, inbox and the handler in one unit of work.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "consumer/claims.hpp"
#include "consumer/patience.hpp"
#include "consumer/tables.hpp"
#include "write_aside/consumer.hpp"

namespace write_aside::consumer {

class Applier {
 public:
  Applier(Coordinator& coordinator, const Tables& tables, Claims& claims, Patience& patience,
          const ConsumerOptions& options);

  // Applies the events whose partitions are held, in order. Returns early when stopped; what was not applied then is read
  // again some day, since the position did not move.
  [[nodiscard]] Result<void> apply(std::span<const ReceivedEvent> events, const Consumer::Handler& handler);

  // Tries what the operator wants tried again, and what waited for it.
  [[nodiscard]] Result<void> retry_parked(const Consumer::Handler& handler);

  [[nodiscard]] std::uint64_t applied() const { return applied_; }
  [[nodiscard]] std::uint64_t duplicates() const { return duplicates_; }
  [[nodiscard]] std::uint64_t outdated() const { return outdated_; }
  [[nodiscard]] std::uint64_t parked() const { return parked_; }
  [[nodiscard]] std::uint64_t transactions() const { return transactions_; }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Events = std::span<const ReceivedEvent>;
  using Positions = std::map<ports::TopicPartition, Position>;
  // What became of one try.
  enum class Tried {
    done,      // committed, or nothing was due
    moved,     // a partition is no longer claimed: look again at what is due
    careful,   // some events had been applied before: enter them one by one
    trouble,   // a store failed
    refused,   // an event is at fault
    hopeless,  // none of these, and trying again is of no use
  };
  struct Attempt {
    Tried result = Tried::done;
    std::optional<Error> error = {};
  };

  [[nodiscard]] Result<void> apply_halves(Events events, const Consumer::Handler& handler);
  enum class Verdict { again, stop, park };
  [[nodiscard]] Verdict judge(const Error& error, TimePoint since);
  [[nodiscard]] Result<void> park(const ReceivedEvent& event, const Error& error);
  // Keeps an event in the unit instead of applying it.
  [[nodiscard]] Result<void> keep(UnitOfWork& unit, const ReceivedEvent& event, ParkedEvent::State state,
                                  const std::string& why);
  [[nodiscard]] Result<void> retry_parked_of(const ports::TopicPartition& partition, const Consumer::Handler& handler);
  // False: there is nothing more to be done for this partition now.
  [[nodiscard]] Result<bool> retry_one(const ports::TopicPartition& partition, const ReceivedEvent& event,
                                       const Consumer::Handler& handler);
  [[nodiscard]] Attempt attempt(Events events, const Consumer::Handler& handler);
  [[nodiscard]] Attempt attempt_due(Events events, const Consumer::Handler& handler);
  [[nodiscard]] Attempt handle(UnitOfWork& unit, Events events, const Consumer::Handler& handler);
  [[nodiscard]] static Tried verdict_on(const Error& error);
  [[nodiscard]] Attempt conclude(UnitOfWork& unit, const Positions& ends);
  // Which of the new events take effect now; the others are kept or passed over.
  [[nodiscard]] Result<std::vector<ReceivedEvent>> choose(UnitOfWork& unit, Events events);
  [[nodiscard]] Result<bool> is_outdated(UnitOfWork& unit, const ReceivedEvent& event);
  // Where the positions will stand behind the events.
  [[nodiscard]] Positions behind(Events events) const;
  [[nodiscard]] bool chooses() const;
  [[nodiscard]] Error at_fault(const ReceivedEvent& event, Error error) const;
  [[nodiscard]] std::int64_t wall_clock_ms() const;
  [[nodiscard]] bool is_due(const ReceivedEvent& event) const;

  Coordinator& coordinator_;
  const Tables& tables_;
  Claims& claims_;
  Patience& patience_;
  const ConsumerOptions& options_;
  bool careful_ = false;  // enter events one by one, since some were there of late
  bool parking_ = false;  // the event at hand is to be parked, whatever its key
  // Of the attempt under way.
  struct Tally {
    std::uint64_t applied = 0;
    std::uint64_t duplicates = 0;
    std::uint64_t outdated = 0;
    std::vector<std::pair<ports::TopicPartition, std::optional<std::string>>> kept = {};  // and their keys
  };
  Tally now_;
  std::atomic<std::uint64_t> applied_ = 0;
  std::atomic<std::uint64_t> duplicates_ = 0;
  std::atomic<std::uint64_t> outdated_ = 0;
  std::atomic<std::uint64_t> parked_ = 0;
  std::atomic<std::uint64_t> transactions_ = 0;
};

}  // namespace write_aside::consumer
