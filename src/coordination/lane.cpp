#include "coordination/lane.hpp"

#include <algorithm>

namespace write_aside::coordination {

using State = Member::State;

void Lane::open(std::uint64_t epoch, std::string owner, std::optional<BatchId> settled, std::int64_t ledger_offset,
                std::vector<MemberPointer> adopted) {
  phase_ = Phase::open;
  epoch_ = epoch;
  owner_ = std::move(owner);
  n_ = 0;
  transaction_open_ = sealed_ = broken_ = ledger_record_produced_ = resting_ = false;
  members_ = std::move(adopted);
  bytes_ = 0;
  for (const MemberPointer& member : members_) bytes_ += member->bytes;
  awaited_.clear();
  settled_ = settled;
  ledger_offset_ = ledger_offset;
  janitor_ = {};
  cleared_.reset();
}

bool Lane::may_join(TimePoint now) const { return !held_back_ && has_place(now); }

bool Lane::has_place(TimePoint now) const {
  if (phase_ != Phase::open || waits_for_evidence()) return false;
  // Carried members are produced first (B3, T5).
  if (!transaction_open_) return members_.empty() && (!resting_ || now >= rested_at_);
  return !sealed_ && !broken_ && !is_full() && !is_old(now) && !owes_production();
}

MemberPointer Lane::join(std::shared_ptr<const core::Publication> publication, std::size_t bytes, TimePoint now) {
  auto member = std::make_shared<Member>();
  member->key = {number_, epoch_, n_, ++last_member_};
  member->publication = std::move(publication);
  member->bytes = bytes;
  members_.push_back(member);
  bytes_ += bytes;
  last_activity_ = now;
  return member;
}

void Lane::begun(TimePoint now) {
  ++n_;  // B3: n is never used twice in an epoch, whatever becomes of this transaction.
  transaction_open_ = true;
  sealed_ = broken_ = ledger_record_produced_ = false;
  batch_ledger_offset_ = 0;
  last_member_ = 0;
  begun_ = last_activity_ = now;
  begin_cost_.reset();
  awaited_.clear();
}

std::optional<core::LedgerRecord> Lane::owed_ledger_record() const {
  if (!transaction_open_ || ledger_record_produced_ || members_.empty()) return std::nullopt;
  return core::LedgerRecord{batch(), members_.front()->key};
}

bool Lane::owes_production() const {
  return std::any_of(members_.begin(), members_.end(),
                     [this](const MemberPointer& member) { return member->produced_in != n_; });
}

std::vector<MemberPointer> Lane::unproduced() const {
  std::vector<MemberPointer> result;
  for (const MemberPointer& member : members_) {
    if (member->produced_in != n_ && !member->is_being_adopted()) result.push_back(member);
  }
  return result;
}

void Lane::produced(const std::vector<MemberPointer>& members, bool with_ledger_record, std::uint64_t token) {
  if (with_ledger_record) {
    ledger_record_produced_ = true;
    ledger_token_ = token;
  }
  for (const MemberPointer& member : members) {
    member->produced_in = n_;
    member->acknowledged = false;
  }
  awaited_.emplace(token, members);
}

std::vector<MemberPointer> Lane::delivered(std::uint64_t token, bool good, std::int64_t first_offset, TimePoint now) {
  const auto awaited = awaited_.find(token);
  if (awaited == awaited_.end()) return {};  // of a stream transaction that is gone
  if (!good) {
    distrust_producer();
    return {};
  }
  if (token == ledger_token_) batch_ledger_offset_ = first_offset;
  if (!begin_cost_) begin_cost_ = now - begun_;
  std::vector<MemberPointer> members = std::move(awaited->second);
  awaited_.erase(awaited);
  for (const MemberPointer& member : members) member->acknowledged = true;
  return members;
}

void Lane::not_taken(std::uint64_t token) {
  if (token == ledger_token_) {
    ledger_token_ = 0;
    ledger_record_produced_ = false;
  }
  const auto awaited = awaited_.find(token);
  if (awaited == awaited_.end()) return;
  for (const MemberPointer& member : awaited->second) member->produced_in = 0;
  awaited_.erase(awaited);
}

void Lane::refused(const MemberPointer& member, std::uint64_t token) {
  not_taken(token);
  member->produced_in = 0;
  member->state = State::aborted;
  remove(member);
}

bool Lane::may_send_commit(const Member& member, TimePoint now) const {
  // C5: a valid vote: acknowledged in this very stream transaction, which can still be committed and is young.
  return phase_ == Phase::open && transaction_open_ && !broken_ && member.state == State::joined &&
         member.produced_in == n_ && member.acknowledged && !is_old(now);
}

void Lane::commit_sent(Member& member) { member.state = State::sent; }

void Lane::committed(const MemberPointer& member, TimePoint now) {
  last_activity_ = now;
  if (phase_ == Phase::lost || phase_ == Phase::halted || phase_ == Phase::unowned) {
    member->state = State::left;
    return remove(member);
  }
  member->state = State::committed;
}

void Lane::aborted(const MemberPointer& member) {
  member->state = State::aborted;
  leave_batch(member);
}

void Lane::doubtful(const MemberPointer& member, TimePoint now) {
  if (!waits_for_evidence()) doubt_since_ = now;
  member->state = State::doubtful;
  member->ever_in_doubt = true;
}

Step Lane::next_step(TimePoint now, const Demand& demand, bool draining) {
  if (phase_ == Phase::recovering) return {Step::Kind::recover};
  if (phase_ != Phase::open) return {};
  if (transaction_open_) return step_in_transaction(now, demand, draining);
  // B3: what was carried over goes into the next batch. While somebody is in doubt there is nothing to gain from a
  // stream transaction that could not be ended (D1).
  if (!members_.empty() && !waits_for_evidence()) return {Step::Kind::begin};
  if (resting_) return now < rested_at_ ? Step{Step::Kind::wait, rested_at_} : Step{Step::Kind::offer};
  return {};
}

Step Lane::step_in_transaction(TimePoint now, const Demand& demand, bool draining) {
  if (broken_ || members_.empty() || is_old(now)) {
    broken_ = true;
    return {Step::Kind::abort};
  }
  const TimePoint old_at = begun_ + limits_.transaction_timeout / 2;
  if (waits_for_evidence()) {
    // D1: no end while somebody is in doubt; after a bounded wait B3 applies.
    const TimePoint patience = std::min(doubt_since_ + limits_.doubt_wait, old_at);
    if (now < patience) return {Step::Kind::wait, patience};
    broken_ = true;
    return {Step::Kind::abort};
  }
  if (!sealed_) {
    const SealInput input{.begun = begun_,
                          .last_activity = last_activity_,
                          .cost = cost_,
                          .hold_multiple = limits_.hold_multiple,
                          .age_max = limits_.age_max,
                          .full = is_full(),
                          .somebody_waits = draining || somebody_waits(),
                          .demand = demand};
    const TimePoint seal_at = seal_time(input);
    if (now < seal_at) return {Step::Kind::wait, std::min(seal_at, old_at)};
    sealed_ = true;
  }
  // B2: every member is decided, and its events are in this stream transaction.
  const bool complete = std::all_of(members_.begin(), members_.end(), [this](const MemberPointer& member) {
    return member->state == State::committed && member->produced_in == n_ && member->acknowledged;
  });
  if (complete) return {Step::Kind::commit};
  return {Step::Kind::wait, old_at};
}

void Lane::end_sent() { phase_ = Phase::ending; }

void Lane::ended(ports::Ending ending, bool clean, std::chrono::nanoseconds took, TimePoint now,
                 std::chrono::nanoseconds rest) {
  if (phase_ != Phase::ending) return;  // the lane was lost or halted meanwhile
  if (!clean) return distrust_producer();
  phase_ = Phase::open;
  transaction_open_ = false;
  resting_ = rest.count() > 0;
  rested_at_ = now + rest;
  if (ending == ports::Ending::commit) {
    took += begin_cost_.value_or(std::chrono::nanoseconds{0});
    cost_ = cost_.count() == 0 ? took : (3 * cost_ + took) / 4;
    ledger_offset_ = batch_ledger_offset_;
    settle();
  }
}

void Lane::distrust_producer() {
  if (phase_ == Phase::open || phase_ == Phase::ending) phase_ = Phase::recovering;
  broken_ = true;
  awaited_.clear();
}

std::optional<std::string> Lane::recovered(const std::optional<core::LedgerRecord>& ledger,
                                           std::int64_t ledger_offset) {
  if (phase_ != Phase::recovering) return std::nullopt;
  if (ledger && ledger->batch.epoch > epoch_) {
    return "the ledger knows epoch " + std::to_string(ledger->batch.epoch) + " of this lane, the database only " +
           std::to_string(epoch_) + ": the database was restored from a backup";
  }
  if (settled_ && (!ledger || ledger->batch < *settled_)) {
    return "the ledger has lost batch " + std::to_string(settled_->epoch) + "." + std::to_string(settled_->n) +
           ", which was settled: the stream lost data";
  }
  phase_ = Phase::open;
  const bool was_open = transaction_open_;
  transaction_open_ = false;
  // B4: S covers n: settled, and only what batch n held when its end was sent; nobody joined since.
  if (was_open && ledger && ledger->batch == batch()) {
    ledger_offset_ = ledger_offset;
    settle();
  }
  return std::nullopt;
}

void Lane::settle() {
  settled_ = batch();
  janitor_.settled = batch();
  janitor_.ledger_offset = ledger_offset_;
  std::vector<MemberPointer> rest;
  for (const MemberPointer& member : members_) {
    if (member->state != State::committed) {
      rest.push_back(member);
      continue;
    }
    member->state = State::settled;
    bytes_ -= member->bytes;
    if (member->adopted) {
      ++janitor_.adopted;
    } else if (member->ever_in_doubt) {
      janitor_.ever_in_doubt.push_back(member->key);
    } else {
      ++janitor_.to_delete;
    }
  }
  members_ = std::move(rest);
}

bool Lane::may_adopt(TimePoint now) const {
  if (!has_place(now)) return false;
  return !limits_.strict_order || std::none_of(members_.begin(), members_.end(), [](const MemberPointer& member) {
    return member->state == State::joined;
  });
}

MemberPointer Lane::begin_adoption(const UnitId& key, std::shared_ptr<const core::Publication> publication,
                                   std::size_t bytes, TimePoint now) {
  doubt_since_ = now;  // D1's bounded wait begins
  auto member = std::make_shared<Member>();
  member->key = key;
  member->publication = std::move(publication);
  member->bytes = bytes;
  member->state = State::adopting;
  member->adopted = true;
  members_.push_back(member);
  bytes_ += bytes;
  return member;
}

void Lane::adoption_in_doubt(Member& member) {
  if (member.state == State::adopting) member.state = State::adoption_doubtful;
}

void Lane::adoption_over(const MemberPointer& member, bool changed) {
  if (!member->is_being_adopted()) return;  // the lane was given up meanwhile
  if (changed) {
    member->state = State::committed;
  } else {
    member->state = State::aborted;
    remove(member);
  }
}

std::optional<JanitorWork> Lane::janitor_work() const {
  const bool owned = phase_ == Phase::open || phase_ == Phase::ending || phase_ == Phase::recovering;
  if (!owned || !settled_ || settled_->epoch != epoch_ || cleared_ == settled_) return std::nullopt;
  return janitor_;
}

void Lane::janitor_done(const JanitorWork& work) {
  cleared_ = work.settled;
  janitor_.to_delete -= work.to_delete;
  janitor_.adopted -= work.adopted;
  janitor_.ever_in_doubt.erase(janitor_.ever_in_doubt.begin(),
                               janitor_.ever_in_doubt.begin() + static_cast<std::ptrdiff_t>(work.ever_in_doubt.size()));
}

void Lane::give_up(Phase phase) {
  if (phase_ == Phase::unowned) return;
  phase_ = phase;
  transaction_open_ = false;
  awaited_.clear();
  std::vector<MemberPointer> rest;
  for (const MemberPointer& member : members_) {
    if (member->state == State::sent || member->state == State::doubtful) {
      rest.push_back(member);  // B5: resolved and reported here
    } else {
      member->state = member->state == State::committed ? State::left : State::aborted;
    }
  }
  members_ = std::move(rest);
}

void Lane::remove(const MemberPointer& member) {
  const auto found = std::find(members_.begin(), members_.end(), member);
  if (found == members_.end()) return;
  bytes_ -= member->bytes;
  members_.erase(found);
}

void Lane::leave_batch(const MemberPointer& member) {
  // B3: something of it is in this stream transaction, which therefore must not be committed.
  if (transaction_open_ && member->produced_in == n_) broken_ = true;
  // S names the first member; without it S must not be committed either (T4 looks for its row).
  if (transaction_open_ && ledger_record_produced_ && !members_.empty() && members_.front() == member) broken_ = true;
  remove(member);
}

bool Lane::is_old(TimePoint now) const { return transaction_open_ && now >= begun_ + limits_.transaction_timeout / 2; }

bool Lane::waits_for_evidence() const {
  return std::any_of(members_.begin(), members_.end(), [](const MemberPointer& member) {
    return member->state == State::doubtful || member->is_being_adopted();
  });
}

bool Lane::is_full() const { return members_.size() >= limits_.members_max || bytes_ >= limits_.bytes_max; }

bool Lane::somebody_waits() const {
  return std::any_of(members_.begin(), members_.end(),
                     [](const MemberPointer& member) { return member->waits_for_visibility; });
}

}  // namespace write_aside::coordination
