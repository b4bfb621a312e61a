// The state machine of one lane in the hands of one owner: batches, members, the stream transaction.
//
// Pure: no I/O, no threads, no clock, no randomness. It is told facts (somebody joined, an acknowledgement came,
// a COMMIT was answered, an end was clean) and says what to do next. LaneDriver carries that out on the ports.
// Rules are named as in docs/protocol.md.
//
// Not safe from several threads; LaneDriver guards it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "coordination/member.hpp"
#include "coordination/seal_policy.hpp"
#include "core/ledger_record.hpp"
#include "write_aside/ports/database.hpp"
#include "write_aside/ports/event_stream.hpp"

namespace write_aside::coordination {

using TimePoint = std::chrono::steady_clock::time_point;

struct LaneLimits {
  std::uint32_t members_max = 1'000;
  std::uint64_t bytes_max = 16ull << 20;
  std::chrono::nanoseconds age_max = std::chrono::milliseconds(30);
  std::uint32_t hold_multiple = 4;
  std::chrono::nanoseconds transaction_timeout = std::chrono::seconds(60);
  std::chrono::nanoseconds doubt_wait = std::chrono::seconds(1);  // D1's bounded wait
  bool strict_order = false;
};

// What the driver is to do next.
struct Step {
  enum class Kind { wait, begin, commit, abort, recover, offer };
  Kind kind = Kind::wait;
  TimePoint until = TimePoint::max();  // wait: look again then
};

// J: what the janitor may clear away, and how many rows that must be.
struct JanitorWork {
  BatchId settled;
  std::int64_t ledger_offset = 0;
  std::uint64_t to_delete = 0;        // own rows, never in doubt
  std::vector<UnitId> ever_in_doubt;  // own rows to be kept as delivered (D4)
  std::uint64_t adopted = 0;          // rows of earlier owners, kept as delivered
};

class Lane {
 public:
  enum class Phase {
    unowned,
    open,        // may hold a stream transaction
    ending,      // an end request is under way
    recovering,  // B4: the producer instance is not to be trusted
    lost,        // B5: another owner has it
    halted,      // waits for the operator
  };

  Lane(LaneNumber number, LaneLimits limits) : number_(number), limits_(limits) {}

  [[nodiscard]] LaneNumber number() const { return number_; }
  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  [[nodiscard]] const std::string& owner() const { return owner_; }
  [[nodiscard]] const std::vector<MemberPointer>& members() const { return members_; }
  [[nodiscard]] const std::optional<BatchId>& settled() const { return settled_; }
  [[nodiscard]] std::int64_t ledger_offset() const { return ledger_offset_; }
  [[nodiscard]] bool is_idle() const { return members_.empty() && !transaction_open_; }
  [[nodiscard]] bool transaction_is_open() const { return transaction_open_; }
  [[nodiscard]] BatchId batch() const { return {epoch_, n_}; }
  // An acknowledgement, or the answer to an end, is to come.
  [[nodiscard]] bool waits_for_stream() const { return !awaited_.empty() || phase_ == Phase::ending; }

  // T5: T4 is known to be committed. `adopted`: every undelivered row with label (epoch, 1), in key order.
  void open(std::uint64_t epoch, std::string owner, std::optional<BatchId> settled, std::int64_t ledger_offset,
            std::vector<MemberPointer> adopted);

  // C2. True if a unit may join now; otherwise it waits or goes elsewhere.
  [[nodiscard]] bool may_join(TimePoint now) const;
  MemberPointer join(std::shared_ptr<const core::Publication> publication, std::size_t bytes, TimePoint now);

  // The stream transaction of the next batch. Members that were carried over are to be produced first (B3).
  [[nodiscard]] bool must_begin() const { return !transaction_open_; }
  void begun(TimePoint now);
  // S of the current batch; it goes out with the batch's first production.
  [[nodiscard]] std::optional<core::LedgerRecord> owed_ledger_record() const;
  // The members whose events are not yet in the current stream transaction, in join order.
  [[nodiscard]] std::vector<MemberPointer> unproduced() const;
  void produced(const std::vector<MemberPointer>& members, bool with_ledger_record, std::uint64_t token);
  // Returns the members whose vote this completes.
  std::vector<MemberPointer> delivered(std::uint64_t token, bool good, std::int64_t first_offset, TimePoint now);
  // The stream refused the call and accepted nothing of it.
  void not_taken(std::uint64_t token);
  // The same of a call for one member: it is out, the batch is unharmed.
  void refused(const MemberPointer& member, std::uint64_t token);

  // C5: the vote is valid here and now.
  [[nodiscard]] bool may_send_commit(const Member& member, TimePoint now) const;
  void commit_sent(Member& member);
  void committed(const MemberPointer& member, TimePoint now);
  void aborted(const MemberPointer& member);  // rolled back: proven, or COMMIT never sent
  void doubtful(const MemberPointer& member, TimePoint now);
  // D4, of a lane that was lost: the doubt can never end. The member goes, still in doubt, lest the lane wait for it.
  void abandon(const MemberPointer& member) { remove(member); }

  [[nodiscard]] Step next_step(TimePoint now, const Demand& demand, bool draining);
  void end_sent();
  // `rest`: how long nobody is to join after a clean end.
  void ended(ports::Ending ending, bool clean, std::chrono::nanoseconds took, TimePoint now,
             std::chrono::nanoseconds rest);
  // The rest is over, and units were told so.
  void offered() { resting_ = false; }
  // The instance is not to be trusted: a failed delivery, an unclean end, a refused begin (B4).
  void distrust_producer();
  // B4, last part: fence and read gave `ledger`. A reason to halt, or none: the lane is open again.
  [[nodiscard]] std::optional<std::string> recovered(const std::optional<core::LedgerRecord>& ledger,
                                                     std::int64_t ledger_offset);

  // W. An adoption reserves a place in the open batch; nobody joins until its outcome is known.
  // With strict_order also not before a member that is produced and may not have its journal row yet: the INSERT is to
  // refuse whoever follows the late unit, and would see nothing to refuse once that one is adopted, behind it.
  [[nodiscard]] bool may_adopt(TimePoint now) const;
  // With strict_order: nobody joins while somebody is to be adopted, so that the time for it comes.
  void hold_back(bool held_back) { held_back_ = held_back; }
  [[nodiscard]] bool holds_back() const { return held_back_; }
  MemberPointer begin_adoption(const UnitId& key, std::shared_ptr<const core::Publication> publication,
                               std::size_t bytes, TimePoint now);
  void adoption_in_doubt(Member& member);
  void adoption_over(const MemberPointer& member, bool changed);

  // J.
  [[nodiscard]] std::optional<JanitorWork> janitor_work() const;
  void janitor_done(const JanitorWork& work);

  // B5: members whose COMMIT was not sent abort; what is decided belongs to the next owner.
  void lost() { give_up(Phase::lost); }
  void halted() { give_up(Phase::halted); }

 private:
  void give_up(Phase phase);
  void settle();
  void remove(const MemberPointer& member);
  void leave_batch(const MemberPointer& member);
  [[nodiscard]] bool is_old(TimePoint now) const;
  [[nodiscard]] bool has_place(TimePoint now) const;
  [[nodiscard]] bool waits_for_evidence() const;
  [[nodiscard]] bool owes_production() const;
  [[nodiscard]] bool is_full() const;
  [[nodiscard]] bool somebody_waits() const;
  [[nodiscard]] Step step_in_transaction(TimePoint now, const Demand& demand, bool draining);

  const LaneNumber number_;
  const LaneLimits limits_;
  Phase phase_ = Phase::unowned;
  std::uint64_t epoch_ = 0;
  std::string owner_;

  std::uint64_t n_ = 0;
  bool transaction_open_ = false;
  bool sealed_ = false;
  bool broken_ = false;  // B3: this stream transaction must not be committed
  bool held_back_ = false;
  bool ledger_record_produced_ = false;
  std::uint64_t ledger_token_ = 0;
  std::int64_t batch_ledger_offset_ = 0;
  std::uint32_t last_member_ = 0;
  std::uint64_t bytes_ = 0;
  TimePoint begun_{};
  bool resting_ = false;  // since the last end; until then
  TimePoint rested_at_{};
  std::vector<MemberPointer> members_;                                     // in join order
  std::unordered_map<std::uint64_t, std::vector<MemberPointer>> awaited_;  // by token

  std::optional<BatchId> settled_;
  std::int64_t ledger_offset_ = 0;
  JanitorWork janitor_;
  std::optional<BatchId> cleared_;  // what the janitor has done

  TimePoint doubt_since_{};
  TimePoint last_activity_{};
  // Of a stream transaction: until the first acknowledgement in it, and its end.
  std::optional<std::chrono::nanoseconds> begin_cost_;
  std::chrono::nanoseconds cost_{0};
};

}  // namespace write_aside::coordination
