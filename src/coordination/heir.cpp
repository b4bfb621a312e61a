#include "coordination/heir.hpp"

#include <algorithm>
#include <utility>

#include "coordination/takeover.hpp"
#include "coordination/takeover_rules.hpp"

namespace write_aside::coordination {

Heir::Heir(const Context& context, LaneDirectory& directory)
    : context_(context), directory_(directory), lock_(context.runtime.mutex()) {}

TimePoint Heir::keep_house(bool lanes_are_held) {
  if (driver_ && driver_->has_ended()) {
    const Lock lock(*lock_);
    if (!stopping_) driver_.reset();
  }
  if (!driver_) {
    if (!lanes_are_held) return TimePoint::max();
    if (found_.empty() && context_.now() >= look_due_) look();
    while (!driver_ && !found_.empty()) settle_next();
  }
  return driver_ ? driver_->keep_house() : look_due_;
}

void Heir::look() {
  look_due_ = context_.after(context_.options.sweep_interval);
  const auto were_silent = std::exchange(silent_, {});
  const auto lanes = context_.database->lanes_in_use();
  if (!lanes) return;  // those who hold lanes say what is wrong with the database
  // Somebody silent may be back, and has units in hand whose order a change of lanes would cost him. When the stream
  // would have ended his transaction anyway there is less to lose.
  const auto patience = std::max(context_.options.lease, context_.options.transaction_timeout);
  for (const ports::LaneRow& row : *lanes) {
    const bool dead = owner_is_dead(context_.runtime, row);
    if (!may_take(row, patience, dead)) continue;
    const bool silent = !row.owner.empty() && !dead;
    if (silent) silent_.insert(row.owner);
    if (!silent || were_silent.contains(row.owner)) found_.push_back(row.lane);
  }
}

void Heir::settle_next() {
  const LaneNumber lane = found_.back();
  found_.pop_back();
  const Lock lock(*lock_);
  if (stopping_ || !directory_.claim(lane)) return;
  driver_ = std::make_unique<LaneDriver>(context_, directory_);
  driver_->start_settling("wa-heir", lane);
}

void Heir::request_stop(TimePoint deadline) {
  const Lock lock(*lock_);
  stopping_ = true;
  if (driver_) driver_->request_stop(deadline);
}

void Heir::join() {
  if (driver_) driver_->join();
}

}  // namespace write_aside::coordination
