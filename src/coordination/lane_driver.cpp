#include "coordination/lane_driver.hpp"

#include <algorithm>

#include "coordination/resolver.hpp"

namespace write_aside::coordination {

namespace {

LaneLimits limits_of(const CoordinatorOptions& options) {
  return {.members_max = options.batch_members_max,
          .bytes_max = options.batch_bytes_max,
          .age_max = options.batch_age_max,
          .hold_multiple = options.batch_hold_multiple,
          .transaction_timeout = options.transaction_timeout,
          .doubt_wait = std::min<std::chrono::nanoseconds>(options.transaction_timeout / 4, std::chrono::seconds(1)),
          .strict_order = options.strict_order};
}

}  // namespace

LaneDriver::LaneDriver(const Context& context, LaneDirectory& directory)
    : context_(context),
      directory_(directory),
      limits_(limits_of(context.options)),
      ledger_topic_(context.ledger_topic),
      producing_(context.runtime.mutex()),
      lock_(context.runtime.mutex()),
      clearing_(context.runtime.mutex()),
      wake_(context.runtime.condition()) {}

LaneDriver::~LaneDriver() {
  request_stop(context_.now());
  thread_.reset();
  producer_.reset();  // before the lane: acknowledgements may come until it is gone
}

void LaneDriver::start(std::string name) {
  thread_ = context_.runtime.start_thread(std::move(name), [this] { run(); });
}

void LaneDriver::start_settling(std::string name, LaneNumber lane) {
  thread_ = context_.runtime.start_thread(std::move(name), [this, lane] { settle(lane); });
}

void LaneDriver::settle(LaneNumber lane) {
  take(lane);
  while (owns_without_use() && directory_.claim(lane)) take(lane);
  request_stop(TimePoint::max());
  run();
  bool claimed = false;
  {
    const Lock lock(*lock_);
    claimed = lane_ != nullptr;
  }
  if (claimed) directory_.unclaim_lane(lane);
  ended_ = true;
  directory_.wants_housekeeping();
}

// After a takeover that came to nothing the lane row may say that the lane is ours. Nobody else would take it soon.
bool LaneDriver::owns_without_use() {
  Lock lock(*lock_);
  if (lane_ || take_attempt_.empty()) return false;
  while (!stopping_ && context_.now() < retry_at_) wake_->wait_until(lock, retry_at_);
  return !stopping_;
}

void LaneDriver::request_stop(TimePoint deadline) {
  const Lock lock(*lock_);
  if (!stopping_) stop_deadline_ = deadline;
  stop_deadline_ = std::min(stop_deadline_, deadline);
  stopping_ = true;
  wake_->notify_all();
}

void LaneDriver::run() {
  for (;;) {
    resolve_doubts();
    Lock lock(*lock_);
    if (is_finished(lock)) break;
    const TimePoint now = context_.now();
    if (now < retry_at_) {
      rest(lock, retry_at_);
      continue;
    }
    if (!lane_) {
      lock.unlock();
      take_any();
      continue;
    }
    if (lane_->phase() == Lane::Phase::lost || lane_->phase() == Lane::Phase::halted) {
      if (!is_cleared()) {
        rest(lock, TimePoint::max());
        continue;
      }
      lock.unlock();
      lose_lane();
      continue;
    }
    const Step step = next_step();
    if (step.kind == Step::Kind::wait) {
      rest(lock, step.until);
      continue;
    }
    lock.unlock();
    carry_out(step.kind);
  }
  release();
}

// Stops when nothing is owed any more, or when the time for that is over: then the next owner finds it in the journal.
bool LaneDriver::is_finished(Lock&) {
  if (!stopping_) return false;
  return !lane_ || (lane_->is_idle() && doubts_.empty()) || context_.now() >= stop_deadline_;
}

void LaneDriver::rest(Lock& lock, TimePoint until) {
  for (const Doubt& doubt : doubts_) until = std::min(until, doubt.next_try);
  if (stopping_) until = std::min(until, stop_deadline_);
  // A bound on every wait: whoever changes something pokes us, and if that went wrong we look again ourselves.
  until = std::min(until, context_.after(std::chrono::seconds(1)));
  sleeping_until_ = until;
  free_ = lane_ && lane_->is_idle() && lane_->may_join(context_.now());
  wake_->wait_until(lock, until);
  sleeping_until_ = TimePoint::min();
}

Step LaneDriver::next_step() {
  return lane_->next_step(context_.now(), directory_.demand(*this), draining_ > 0 || stopping_);
}

void LaneDriver::poke() {
  if (sleeping_until_ == TimePoint::min()) return;  // awake: it will look for itself
  if (!lane_) return wake_->notify_all();
  const Step step = next_step();
  if (step.kind != Step::Kind::wait || step.until < sleeping_until_) wake_->notify_all();
}

void LaneDriver::carry_out(Step::Kind kind) {
  switch (kind) {
    case Step::Kind::begin:
      return begin_and_produce();
    case Step::Kind::commit:
      return end(ports::Ending::commit);
    case Step::Kind::abort:
      return end(ports::Ending::abort);
    case Step::Kind::recover:
      return recover();
    case Step::Kind::offer:
      return offer();
    case Step::Kind::wait:
      return;
  }
}

void LaneDriver::begin_and_produce() {
  const Lock producing(*producing_);
  {
    Lock lock(*lock_);
    if (next_step().kind != Step::Kind::begin) return;
    if (!begin_batch(lock)) return;
    produce_carried(lock);
  }
  directory_.lane_changed();
}

void LaneDriver::end(ports::Ending ending) {
  BatchId batch;
  std::vector<MemberPointer> members;
  {
    const Lock producing(*producing_);
    const Lock lock(*lock_);
    const Step::Kind expected = ending == ports::Ending::commit ? Step::Kind::commit : Step::Kind::abort;
    if (next_step().kind != expected) return;
    batch = lane_->batch();
    members = lane_->members();
    lane_->end_sent();
  }
  // While the lane is ending nobody begins or produces, so the producer is ours without `producing_`: with it, units
  // that look for a place would queue up here instead of going to another lane.
  const TimePoint begun = context_.now();
  const ports::EndReport report = producer_->end(ending, context_.after(context_.options.commit_timeout));
  const auto took = context_.now() - begun;

  const bool settled = report.clean && ending == ports::Ending::commit;
  {
    const Lock lock(*lock_);
    lane_->ended(ending, report.clean, took, context_.now(), producer_->rest_after_end());
    if (report.error) last_error_ = report.error;
    if (settled) wake_all(members);
  }
  context_.notice({.kind = settled ? Notice::Kind::batch_settled : Notice::Kind::batch_broken,
                   .lane = batch.epoch == 0  ? 0
                           : members.empty() ? 0
                                             : members.front()->key.lane,
                   .batch = batch,
                   .took = took,
                   .text = report.error ? report.error->message : ""});
  if (settled) directory_.wants_housekeeping();
  directory_.lane_changed();
}

void LaneDriver::offer() {
  {
    const Lock lock(*lock_);
    lane_->offered();
  }
  directory_.lane_changed();
}

void LaneDriver::failed(const Error& error) {
  last_error_ = error;
  ++retry_count_;
  const auto backoff = std::min<std::chrono::milliseconds>(
      std::chrono::milliseconds(5) * (1 << std::min(retry_count_, 7)), std::chrono::milliseconds(500));
  retry_at_ = context_.after(backoff);
}

void LaneDriver::wake(const MemberPointer& member) const {
  if (member->waiter) member->waiter->notify_all();
}

void LaneDriver::wake_all(const std::vector<MemberPointer>& members) const {
  for (const MemberPointer& member : members) wake(member);
}

bool LaneDriver::wait_for(const MemberPointer& member, Lock& lock, TimePoint deadline) {
  if (context_.now() >= deadline) return false;
  if (!member->waiter) member->waiter = context_.runtime.condition();
  member->waiter->wait_until(lock, deadline);
  return true;
}

void LaneDriver::await_acknowledgement(const MemberPointer& member, TimePoint deadline) {
  Lock lock(*lock_);
  while (!member->is_over() && !lane_->may_send_commit(*member, context_.now()) && wait_for(member, lock, deadline)) {
  }
}

Result<void> LaneDriver::await_vote(const MemberPointer& member, TimePoint deadline) {
  Lock lock(*lock_);
  for (;;) {
    if (member->refused_by) return failure(*member->refused_by);
    if (member->is_over()) {
      return failure(coordination_error(ErrorCode::lane_unavailable, Effect::no, true,
                                        "the lane of unit " + to_string(member->key) +
                                            " was lost before its COMMIT; nothing took effect, run the unit again"));
    }
    if (lane_->may_send_commit(*member, context_.now())) {
      lane_->commit_sent(*member);
      return {};
    }
    if (!wait_for(member, lock, deadline)) {
      Error error =
          coordination_error(ErrorCode::timeout, Effect::no, true,
                             "publishing unit " + to_string(member->key) + " to " + context_.stream->name() +
                                 " was not acknowledged in time; nothing took effect" +
                                 (last_error_ ? " (last: " + last_error_->message + ")" : "") + "; run the unit again");
      error.side = Side::stream;
      return failure(std::move(error));
    }
  }
}

void LaneDriver::withdraw(const MemberPointer& member) {
  Lock lock(*lock_);
  if (!member->is_over()) lane_->aborted(member);
  poke();
}

void LaneDriver::decided(const MemberPointer& member, const ports::CommitReply& reply, std::string session) {
  Lock lock(*lock_);
  switch (reply.state) {
    case CommitState::committed:
      lane_->committed(member, context_.now());
      break;
    case CommitState::aborted:
      lane_->aborted(member);
      break;
    case CommitState::in_doubt:
      lane_->doubtful(member, context_.now());
      doubts_.push_back({member, std::move(session), context_.now()});
      wake_->notify_all();
      lock.unlock();
      context_.notice({.kind = Notice::Kind::unit_in_doubt,
                       .lane = member->key.lane,
                       .unit = member->key,
                       .text = reply.error ? reply.error->message : ""});
      return;
  }
  poke();
}

Member::State LaneDriver::await_evidence(const MemberPointer& member, TimePoint deadline) {
  Lock lock(*lock_);
  while (!member->is_decided() && wait_for(member, lock, deadline)) {
  }
  return member->state;
}

bool LaneDriver::await_settled(const MemberPointer& member, TimePoint deadline) {
  Lock lock(*lock_);
  member->waits_for_visibility = true;
  poke();
  while (!member->is_over() && wait_for(member, lock, deadline)) {
  }
  return member->state == Member::State::settled;
}

bool LaneDriver::drain(TimePoint deadline) {
  Lock lock(*lock_);
  ++draining_;
  bool in_time = true;
  while (in_time && lane_ && !lane_->members().empty()) {
    poke();
    const MemberPointer last = lane_->members().back();  // ours: it may leave the lane while we wait
    in_time = wait_for(last, lock, deadline);
  }
  --draining_;
  return in_time;
}

bool LaneDriver::may_join() {
  const Lock lock(*lock_);
  return lane_ && !stopping_ && lane_->may_join(context_.now());
}

bool LaneDriver::has_open_batch() {
  const Lock lock(*lock_);
  return lane_ && lane_->transaction_is_open() && lane_->may_join(context_.now());
}

bool LaneDriver::is_open() {
  const Lock lock(*lock_);
  return lane_ && (lane_->phase() == Lane::Phase::open || lane_->phase() == Lane::Phase::ending);
}

bool LaneDriver::waits_for_stream() {
  const Lock lock(*lock_);
  return lane_ && lane_->waits_for_stream();
}

std::optional<LaneNumber> LaneDriver::lane_number() {
  const Lock lock(*lock_);
  return is_held() ? std::optional(lane_->number()) : std::nullopt;
}

bool LaneDriver::is_held() const {
  return lane_ && lane_->phase() != Lane::Phase::lost && lane_->phase() != Lane::Phase::halted;
}

std::optional<Error> LaneDriver::last_error() {
  const Lock lock(*lock_);
  return last_error_;
}

void LaneDriver::delivered(std::uint64_t token, Result<std::int64_t> first_offset) {
  const Lock lock(*lock_);
  if (token == fence_token_) {
    fence_delivery_ = std::move(first_offset);
    wake_->notify_all();
    return;
  }
  if (!lane_) return;
  if (!first_offset) last_error_ = first_offset.error();
  wake_all(lane_->delivered(token, first_offset.has_value(), first_offset.value_or(0), context_.now()));
  poke();
}

}  // namespace write_aside::coordination
