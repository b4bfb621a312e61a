// Drives one lane: carries out on the ports what the state machine (lane.hpp) says.
//
// One thread takes the lane (takeover.cpp), ends its stream transactions, recovers it and resolves doubts. Units join,
// produce, vote and report their decisions from their own threads; housekeeping beats the heart, clears the journal
// and sweeps. A lane that is lost is given up and another one taken.
//
// Locks, in this order: `producing_` (order of joining = order of producing; guards the producer instance), `lock_`
// (guards the state machine). No port is called with `lock_` held, so a port may call `delivered` from anywhere.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "coordination/context.hpp"
#include "coordination/janitor.hpp"
#include "coordination/lane_directory.hpp"
#include "coordination/takeover.hpp"
#include "core/envelope.hpp"

namespace write_aside::coordination {

class LaneDriver final : public ports::Deliveries {
 public:
  LaneDriver(const Context& context, LaneDirectory& directory);
  ~LaneDriver() override;

  // Takes a lane and keeps it; once it is lost, another one.
  void start(std::string name);
  // T6: takes this lane, which is claimed, settles what is undelivered there, releases and unclaims it; nobody may join.
  // Then, or if it cannot be taken, the thread ends.
  void start_settling(std::string name, LaneNumber lane);
  [[nodiscard]] bool has_ended() const { return ended_; }
  // Ends open batches, settles, releases the lane, bounded by `deadline`; the destructor joins the thread.
  void request_stop(TimePoint deadline);
  void join() { thread_.reset(); }

  // --- from units' threads
  // C2, C3: none if the lane takes nobody just now. On an error the unit's events are not and will not be visible.
  // `only`: an error if it is not, or no longer, that lane.
  [[nodiscard]] Result<MemberPointer> try_join(const std::shared_ptr<const core::Publication>& publication,
                                               std::optional<LaneNumber> only);
  [[nodiscard]] bool may_join();
  [[nodiscard]] bool has_open_batch();
  // C4: waits until there is a vote, or never will be.
  void await_acknowledgement(const MemberPointer& member, TimePoint deadline);
  // C4, C5: waits for a valid vote, and marks COMMIT as sent. On an error the unit rolls back and withdraws.
  [[nodiscard]] Result<void> await_vote(const MemberPointer& member, TimePoint deadline);
  void withdraw(const MemberPointer& member);
  void decided(const MemberPointer& member, const ports::CommitReply& reply, std::string session);
  // Waits while the member is doubtful; its state then.
  [[nodiscard]] Member::State await_evidence(const MemberPointer& member, TimePoint deadline);
  // Waits for visibility; true if the events can be read.
  [[nodiscard]] bool await_settled(const MemberPointer& member, TimePoint deadline);
  [[nodiscard]] bool drain(TimePoint deadline);
  // Section 6: a late unit stands in the way of this one; it is swept now.
  void request_sweep();

  // --- from the housekeeping thread. Returns when it wants to be called again.
  TimePoint keep_house();

  [[nodiscard]] bool is_open();
  [[nodiscard]] bool waits_for_stream();
  // Would take a joiner at once, and nobody is in it. Lock-free: other lanes ask while they hold their own lock.
  [[nodiscard]] bool is_free() const { return free_.load(std::memory_order_relaxed); }
  // The lane that is held here; none while it is being taken, and once it is lost or halted.
  [[nodiscard]] std::optional<LaneNumber> lane_number();
  [[nodiscard]] std::optional<Error> last_error();

  void delivered(std::uint64_t token, Result<std::int64_t> first_offset) override;

 private:
  using Lock = std::unique_lock<ports::Mutex>;

  struct Doubt {
    MemberPointer member;
    std::string session;
    TimePoint next_try;
    int attempt_count = 0;
  };
  struct PendingAdoption {
    MemberPointer member;
    BatchId label;
  };

  // lane_driver.cpp: the thread
  void run();
  void settle(LaneNumber lane);
  // Waits until it is time to try again, if so.
  [[nodiscard]] bool owns_without_use();
  [[nodiscard]] bool is_finished(Lock& lock);
  void rest(Lock& lock, TimePoint until);
  [[nodiscard]] Step next_step();
  void carry_out(Step::Kind kind);
  void begin_and_produce();
  void end(ports::Ending ending);
  void offer();
  void poke();  // wakes the thread if there is something to do earlier than it thinks
  void wake(const MemberPointer& member) const;
  void wake_all(const std::vector<MemberPointer>& members) const;
  [[nodiscard]] bool wait_for(const MemberPointer& member, Lock& lock, TimePoint deadline);
  void failed(const Error& error);

  // lane_driver_production.cpp
  [[nodiscard]] Result<void> begin_batch(Lock& lock);
  [[nodiscard]] Result<void> produce(Lock& lock, const std::vector<MemberPointer>& members);
  void produce_carried(Lock& lock);
  [[nodiscard]] Result<void> produce_one_by_one(Lock& lock);
  void fill(core::Envelope& envelope, std::string& ledger_value, const std::vector<MemberPointer>& members) const;

  // lane_driver_takeover.cpp: T1 to T5, B4, B5
  void take_any();
  void take(LaneNumber lane);
  [[nodiscard]] bool settle_inheritance(const Ownership& mine);
  [[nodiscard]] Result<void> renew_producer(LaneNumber lane);
  [[nodiscard]] Result<LedgerReading> fence_and_read(LaneNumber lane, std::int64_t from);
  void recover();
  [[nodiscard]] bool is_held() const;  // with the lock held
  // With the lock held: the lane that was ours under this ownership is the one that is here.
  [[nodiscard]] bool still_holds(const Ownership& mine) const { return mine_ && mine_->owner == mine.owner; }
  [[nodiscard]] bool is_cleared() const;  // with the lock held
  void lose_lane();
  void give_up_lane();  // with the lock held
  void halt(const Ownership& mine, const std::string& reason);
  void halt_unless_lost(const Ownership& mine, const std::string& reason);
  void resolve_doubts();
  void release();

  // lane_driver_housekeeping.cpp: J, W, D4
  void clear(const Ownership& mine);
  void sweep(const Ownership& mine);
  [[nodiscard]] bool adopt_one(const Ownership& mine, bool& not_now);
  void finish_adoption(const MemberPointer& member, bool changed);
  void settle_pending_adoption(const Ownership& mine);

  const Context& context_;
  LaneDirectory& directory_;
  const LaneLimits limits_;
  const std::string ledger_topic_;

  std::unique_ptr<ports::Mutex> producing_;
  std::unique_ptr<ports::Mutex> lock_;
  std::unique_ptr<ports::Mutex> clearing_;  // held over a round of the janitor; before the other two
  std::unique_ptr<ports::Condition> wake_;  // the lane's thread
  std::unique_ptr<ports::TransactionalProducer> producer_;
  std::unique_ptr<Lane> lane_;
  std::optional<Ownership> mine_;
  std::string take_attempt_;
  LaneNumber take_attempt_lane_ = 0;

  std::uint64_t last_token_ = 0;
  std::uint64_t fence_token_ = 0;
  std::optional<Result<std::int64_t>> fence_delivery_;
  bool fence_open_ = false;  // its stream transaction may be; the lane's thread alone asks

  std::vector<Doubt> doubts_;
  std::optional<PendingAdoption> pending_adoption_;
  std::optional<JanitorWork> unanswered_janitor_;
  TimePoint janitor_due_{};
  TimePoint heartbeat_due_{};
  TimePoint sweep_due_{};
  TimePoint purge_due_{};

  std::atomic<bool> free_ = false;
  std::atomic<bool> ended_ = false;  // the thread that settles
  std::optional<Error> last_error_;
  TimePoint sleeping_until_ = TimePoint::min();  // the thread's alarm; min: it is awake
  TimePoint retry_at_{};
  int retry_count_ = 0;
  int draining_ = 0;
  bool stopping_ = false;
  TimePoint stop_deadline_ = TimePoint::max();

  std::unique_ptr<ports::Thread> thread_;
};

}  // namespace write_aside::coordination
