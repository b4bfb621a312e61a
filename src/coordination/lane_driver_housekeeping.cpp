// J: the janitor's round and the heartbeat; W: the sweep; D4: the purge.
#include <algorithm>

#include "coordination/lane_driver.hpp"

namespace write_aside::coordination {

namespace {

constexpr std::chrono::seconds house_patience{2};
constexpr std::chrono::seconds purge_interval{60};
constexpr int adoptions_per_sweep_max = 1'000;

}  // namespace

TimePoint LaneDriver::keep_house() {
  std::optional<Ownership> mine;
  bool pending = false;
  bool sweep_is_due = false;
  bool purge_is_due = false;
  {
    const Lock lock(*lock_);
    const TimePoint now = context_.now();
    if (!mine_ || (lane_ && (lane_->phase() == Lane::Phase::lost || lane_->phase() == Lane::Phase::halted))) {
      return TimePoint::max();
    }
    mine = mine_;
    const bool janitor_is_due = lane_ && now >= janitor_due_ && lane_->janitor_work();
    if (!janitor_is_due && now < heartbeat_due_) mine.reset();
    pending = pending_adoption_.has_value();
    sweep_is_due = lane_ && now >= sweep_due_;
    purge_is_due = lane_ && now >= purge_due_;
    if (sweep_is_due) sweep_due_ = context_.after(context_.options.sweep_interval);
    if (purge_is_due) purge_due_ = context_.after(purge_interval);
  }
  if (mine) clear(*mine);
  {
    const Lock lock(*lock_);
    mine = mine_;
  }
  if (mine && pending) settle_pending_adoption(*mine);
  if (mine && sweep_is_due && !pending) sweep(*mine);
  if (mine && purge_is_due) {
    const auto purged =
        purge_lane(*context_.database, *mine, context_.options.journal_retention, context_.after(house_patience));
    if (!purged)
      context_.notice({.kind = Notice::Kind::store_failed, .lane = mine->lane, .text = purged.error().message});
  }

  const Lock lock(*lock_);
  if (!mine_) return TimePoint::max();
  TimePoint next = std::min(heartbeat_due_, lane_ ? std::min(sweep_due_, purge_due_) : TimePoint::max());
  if (lane_ && lane_->janitor_work()) next = std::min(next, janitor_due_);
  if (pending_adoption_) next = std::min(next, context_.after(std::chrono::milliseconds(50)));
  return next;
}

void LaneDriver::clear(const Ownership& mine) {
  // The lane's thread clears too, when it releases the lane: the same rows must not be counted twice.
  const Lock clearing(*clearing_);
  std::optional<JanitorWork> work;
  std::optional<JanitorWork> unanswered;
  {
    const Lock lock(*lock_);
    if (!still_holds(mine)) return;
    if (lane_) work = lane_->janitor_work();
    unanswered = unanswered_janitor_;
  }
  const auto cleared = clear_settled(*context_.database, mine, work, unanswered, context_.after(house_patience));
  std::string damage;
  {
    const Lock lock(*lock_);
    // The answer may come so late that this lane is lost, and another one here: it says nothing about that one.
    if (!still_holds(mine)) return;
    janitor_due_ = context_.after(context_.options.janitor_interval);
    if (!cleared) {
      last_error_ = cleared.error();
      heartbeat_due_ = context_.after(context_.options.lease / 12);
    } else {
      heartbeat_due_ = context_.after(context_.options.lease / 3);
      if (cleared->state == Clearance::State::lost) {
        if (lane_) give_up_lane();
        wake_->notify_all();
      }
      if (cleared->state == Clearance::State::damaged) damage = cleared->reason;
      const bool done = cleared->state == Clearance::State::done;
      if (cleared->earlier_had_landed) {
        // Counted once, whatever became of the transaction in which it was seen.
        if (lane_) lane_->janitor_done(*unanswered);
        unanswered_janitor_.reset();
      }
      if (done && work && !cleared->earlier_had_landed && lane_) lane_->janitor_done(*work);
      if (done) unanswered_janitor_.reset();
      if (cleared->state == Clearance::State::in_doubt && work && !cleared->earlier_had_landed)
        unanswered_janitor_ = work;
    }
  }
  if (!cleared)
    context_.notice({.kind = Notice::Kind::store_failed, .lane = mine.lane, .text = cleared.error().message});
  if (!damage.empty()) halt(mine, damage);
}

void LaneDriver::request_sweep() {
  {
    const Lock lock(*lock_);
    sweep_due_ = context_.now();
  }
  directory_.wants_housekeeping();
}

void LaneDriver::sweep(const Ownership& mine) {
  bool not_now = false;
  for (int i = 0; i < adoptions_per_sweep_max; ++i) {
    const auto late = context_.database->has_undelivered_below(mine.lane, mine.epoch);
    if (!late || !*late || !adopt_one(mine, not_now)) break;
  }
  if (!context_.options.strict_order) return;
  // Meanwhile every unit would be refused anyway.
  {
    const Lock lock(*lock_);
    if (!still_holds(mine) || !lane_ || lane_->holds_back() == not_now) return;
    lane_->hold_back(not_now);
  }
  if (!not_now) directory_.lane_changed();
}

// W: one row, the first in key order. False if there is none, or now is not the time.
bool LaneDriver::adopt_one(const Ownership& mine, bool& not_now) {
  const TimePoint deadline = context_.after(house_patience);
  auto transaction = context_.database->own_transaction(deadline);
  if (!transaction) return false;
  auto row = (*transaction)->lock_lane(mine.lane);
  if (!row || !*row || !mine.holds(**row)) return false;
  const auto rows = (*transaction)->undelivered_below(mine.lane, mine.epoch, 1);
  if (!rows || rows->empty()) return false;
  const auto decoded = adopted_member(rows->front());
  if (!decoded) {
    transaction->reset();
    halt(mine, decoded.error().message);
    return false;
  }

  MemberPointer member;
  BatchId label;
  {
    const Lock producing(*producing_);
    Lock lock(*lock_);
    if (!still_holds(mine)) return false;
    if (!lane_ || stopping_ || !lane_->may_adopt(context_.now())) {
      sweep_due_ = context_.after(std::chrono::milliseconds(20));
      not_now = true;
      return false;
    }
    if (lane_->must_begin() && !begin_batch(lock)) return false;
    if (!lane_->may_adopt(context_.now())) return false;
    member = lane_->begin_adoption((*decoded)->key, (*decoded)->publication, (*decoded)->bytes, context_.now());
    label = lane_->batch();
  }
  // It counts only if it changed the row.
  const auto changed = (*transaction)->adopt(member->key, label);
  if (!changed || !*changed) {
    transaction->reset();
    finish_adoption(member, false);
    return false;
  }
  const ports::CommitReply reply = (*transaction)->commit();
  transaction->reset();
  switch (reply.state) {
    case CommitState::committed:
      finish_adoption(member, true);
      return true;
    case CommitState::aborted:
      finish_adoption(member, false);
      return false;
    case CommitState::in_doubt:
      break;
  }
  const Lock lock(*lock_);
  if (member->is_over()) return false;
  lane_->adoption_in_doubt(*member);
  pending_adoption_ = PendingAdoption{member, label};
  return false;
}

void LaneDriver::finish_adoption(const MemberPointer& member, bool changed) {
  const Lock producing(*producing_);
  Lock lock(*lock_);
  if (!lane_ || member->is_over()) return;
  lane_->adoption_over(member, changed);
  // If the stream transaction was aborted meanwhile, the next batch carries it.
  if (changed && lane_->transaction_is_open() && lane_->phase() == Lane::Phase::open) {
    if (auto produced = produce(lock, {member}); !produced) {
      last_error_ = produced.error();
      lane_->distrust_producer();
    }
  }
  poke();
  lock.unlock();
  if (changed) {
    context_.notice({.kind = Notice::Kind::unit_adopted, .lane = member->key.lane, .unit = member->key});
  }
  directory_.lane_changed();
}

// The lane row was locked by the transaction that was not answered: once we hold that lock, the row tells.
void LaneDriver::settle_pending_adoption(const Ownership& mine) {
  PendingAdoption pending;
  {
    const Lock lock(*lock_);
    pending = *pending_adoption_;
  }
  bool changed = false;
  if (!pending.member->is_over()) {
    auto transaction = context_.database->own_transaction(context_.after(house_patience));
    if (!transaction) return;
    auto lane = (*transaction)->lock_lane(mine.lane);
    if (!lane) return;
    const auto row = (*transaction)->row(pending.member->key);
    if (!row) return;
    changed = *row && (*row)->adopted == pending.label;
  }
  finish_adoption(pending.member, changed);
  const Lock lock(*lock_);
  pending_adoption_.reset();
  wake_->notify_all();
}

}  // namespace write_aside::coordination
