// T1 to T5: taking a lane; B4: recovering it; B5: losing it; D: ending doubts.
#include <algorithm>

#include "coordination/lane_driver.hpp"
#include "coordination/resolver.hpp"

namespace write_aside::coordination {

namespace {

// A port call of the lane's thread may take this long; then the thread looks after its doubts and tries again.
constexpr std::chrono::seconds port_patience{2};
constexpr int adoption_attempt_count_max = 20;

}  // namespace

void LaneDriver::take_any() {
  const auto lane = directory_.claim_lane();
  if (!lane) {
    const Lock lock(*lock_);
    // A lane that was halted here is what somebody has to mend.
    const bool halted = last_error_ && last_error_->code == ErrorCode::halted;
    failed(halted ? Error(*last_error_)
                  : coordination_error(ErrorCode::lane_unavailable, Effect::no, true,
                                       "live processes own every lane that is not halted; stop one, or add lanes with "
                                       "`write-aside init --lanes N`"));
    return;
  }
  take(*lane);
}

void LaneDriver::take(LaneNumber lane) {
  if (lane != take_attempt_lane_) take_attempt_.clear();
  take_attempt_lane_ = lane;
  auto taken = take_lane(context_, lane, take_attempt_, context_.after(port_patience));  // T1
  if (taken && *taken) {
    {
      const Lock lock(*lock_);
      mine_ = **taken;
      heartbeat_due_ = context_.after(context_.options.lease / 3);
    }
    if (settle_inheritance(**taken)) return;
    release();
    take_attempt_ = (*taken)->owner;  // still in the row, if it was not released; then the lane can be taken at once
  }
  if (taken && !*taken) take_attempt_.clear();  // the lane is somebody else's
  directory_.unclaim_lane(lane);
  const Lock lock(*lock_);
  mine_.reset();
  if (!taken) {
    failed(taken.error());
  } else if (retry_at_ <= context_.now()) {
    failed(last_error_.value_or(coordination_error(ErrorCode::lane_unavailable, Effect::no, true,
                                                   "another process took the lane first; it is tried again")));
  }
}

// T2 to T5. False if the lane was lost, halted, or the stores did not let us.
bool LaneDriver::settle_inheritance(const Ownership& mine) {
  const auto row = context_.database->lane(mine.lane);
  if (!row || !*row) {
    const Lock lock(*lock_);
    if (!row) failed(row.error());
    return false;
  }
  if (auto renewed = renew_producer(mine.lane); !renewed) {  // T2
    const Lock lock(*lock_);
    failed(renewed.error());
    return false;
  }
  const std::int64_t from = (*row)->settled ? (*row)->ledger_offset : ports::offset_beginning;
  const auto ledger = fence_and_read(mine.lane, from);  // T3
  if (!ledger) {
    const Lock lock(*lock_);
    failed(ledger.error());
    return false;
  }
  for (int attempt = 0; attempt < adoption_attempt_count_max; ++attempt) {  // T4
    auto adoption = adopt_lane(context_, mine, *ledger, context_.after(port_patience));
    if (!adoption || adoption->state == Adoption::State::in_doubt) {
      Lock lock(*lock_);
      if (!adoption) failed(adoption.error());
      if (adoption)
        failed(coordination_error(ErrorCode::unknown, Effect::unknown, true, "taking the lane was not answered"));
      if (stopping_ || (!adoption && !adoption.error().retriable)) return false;
      wake_->wait_until(lock, retry_at_);
      continue;
    }
    if (adoption->state == Adoption::State::lost) return false;
    if (adoption->state == Adoption::State::halted) {
      halt(mine, adoption->reason);
      return false;
    }
    {  // T5: what is adopted is carried into batch 1 by next_step.
      const Lock lock(*lock_);
      lane_ = std::make_unique<Lane>(mine.lane, limits_);
      lane_->open(mine.epoch, mine.owner, adoption->settled, adoption->ledger_offset, std::move(adoption->members));
      retry_count_ = 0;
      retry_at_ = {};
      last_error_.reset();
      sweep_due_ = purge_due_ = context_.after(context_.options.sweep_interval);
    }
    context_.notice({.kind = Notice::Kind::lane_taken, .lane = mine.lane, .batch = BatchId{mine.epoch, 0}});
    directory_.lane_changed();
    directory_.wants_housekeeping();
    return true;
  }
  return false;
}

Result<void> LaneDriver::renew_producer(LaneNumber lane) {
  const Lock producing(*producing_);
  producer_.reset();
  auto made = context_.stream->transactional_producer(context_.transactional_id(lane),
                                                      context_.options.transaction_timeout, *this);
  if (!made) return failure(made);
  if (auto initialised = (*made)->initialise(context_.after(port_patience)); !initialised) return failure(initialised);
  producer_ = std::move(*made);
  fence_open_ = false;
  return {};
}

// T3. Nobody else uses the producer now: the lane is not open.
Result<LedgerReading> LaneDriver::fence_and_read(LaneNumber lane, std::int64_t from) {
  std::uint64_t token = 0;
  std::string nonce;
  {
    const Lock lock(*lock_);
    token = fence_token_ = ++last_token_;
    fence_delivery_.reset();
    nonce = std::to_string(context_.runtime.random());
  }
  const std::string key = core::fence_key(context_.database_id, lane);
  const ports::RecordView fence{.topic = ledger_topic_,
                                .partition = static_cast<std::int32_t>(lane),
                                .key = key,
                                .value = nonce,
                                .headers = {},
                                .timestamp_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                                    context_.runtime.wall_clock().time_since_epoch())
                                                    .count()};
  if (auto begun = producer_->begin(); !begun) return failure(begun);
  fence_open_ = true;
  if (auto produced = producer_->produce({&fence, 1}, token); !produced) return failure(produced);
  std::int64_t fence_offset = 0;
  {
    Lock lock(*lock_);
    const TimePoint deadline = context_.after(port_patience);
    while (!fence_delivery_ && context_.now() < deadline) wake_->wait_until(lock, deadline);
    if (!fence_delivery_) {
      return failure(
          coordination_error(ErrorCode::timeout, Effect::no, true, "the fence was not acknowledged in time"));
    }
    if (!*fence_delivery_) return failure(*fence_delivery_);
    fence_offset = **fence_delivery_;
  }
  const ports::EndReport report = producer_->end(ports::Ending::commit, context_.after(port_patience));
  if (!report.clean) {
    return failure(report.error.value_or(
        coordination_error(ErrorCode::unknown, Effect::unknown, true, "committing the fence was not answered")));
  }
  fence_open_ = false;
  // What follows is in the journal before it is committed, unlike the fence, whose offset must be its own.
  producer_->hold_back();
  return read_ledger(*context_.stream, ledger_topic_, context_.database_id, lane, from, fence_offset,
                     context_.after(port_patience));
}

// B4. The order matters: initialise, then look at the lane row, then fence and read.
void LaneDriver::recover() {
  Ownership mine;
  std::int64_t from = 0;
  {
    const Lock lock(*lock_);
    mine = *mine_;
    from = lane_->settled() ? lane_->ledger_offset() : ports::offset_beginning;
  }
  const auto retry_after = [this](const Error& error) {
    const Lock lock(*lock_);
    failed(error);
  };
  if (auto renewed = renew_producer(mine.lane); !renewed) {
    // A fenced instance means another owner; the lane row decides, below, once it can be read.
    retry_after(renewed.error());
  }
  const auto row = context_.database->lane(mine.lane);
  if (!row) return retry_after(row.error());
  if (!*row || !mine.holds(**row)) {
    const Lock lock(*lock_);
    return give_up_lane();
  }
  if (producer_ == nullptr) return;
  const auto ledger = fence_and_read(mine.lane, from);
  if (!ledger) {
    const Lock producing(*producing_);
    producer_.reset();
    return retry_after(ledger.error());
  }
  std::optional<std::string> reason;
  {
    const Lock lock(*lock_);
    const std::vector<MemberPointer> members = lane_->members();
    reason = lane_->recovered(ledger->last, ledger->offset);
    retry_count_ = 0;
    retry_at_ = {};
    wake_all(members);
  }
  if (reason) halt_unless_lost(mine, *reason);
  directory_.lane_changed();
  directory_.wants_housekeeping();
}

// The reading goes on behind the fence, so that what contradicts the lane row may be the next owner's record. It is a
// contradiction if the lane is mine also after the reading.
void LaneDriver::halt_unless_lost(const Ownership& mine, const std::string& reason) {
  const auto row = context_.database->lane(mine.lane);
  if (row && *row && mine.holds(**row)) return halt(mine, reason);
  const Lock lock(*lock_);
  if (!row) return failed(row.error());  // still recovering: all of it is done again
  give_up_lane();
}

void LaneDriver::halt(const Ownership& mine, const std::string& reason) {
  {
    const Lock lock(*lock_);
    if (!still_holds(mine)) return;
    if (lane_) {
      const std::vector<MemberPointer> members = lane_->members();
      lane_->halted();
      wake_all(members);
    }
    last_error_ = coordination_error(ErrorCode::halted, Effect::unknown, false,
                                     "lane " + std::to_string(mine.lane) + " is halted: " + reason +
                                         "; see `write-aside status`, then `write-aside resolve`");
  }
  const auto halted = halt_lane(*context_.database, mine, reason, context_.after(port_patience));
  context_.notice(
      {.kind = Notice::Kind::lane_halted,
       .lane = mine.lane,
       .text = halted ? reason : reason + " (and it could not be written: " + halted.error().message + ")"});
}

// B5.
void LaneDriver::give_up_lane() {
  const std::vector<MemberPointer> members = lane_->members();
  lane_->lost();
  wake_all(members);
}

// B5: the lane object stays until its last doubtful member is resolved.
bool LaneDriver::is_cleared() const { return lane_->members().empty() && doubts_.empty() && !pending_adoption_; }

void LaneDriver::lose_lane() {
  LaneNumber number = 0;
  bool lost = false;
  {
    // Somebody may be in the middle of a production; the lane does not vanish under him.
    const Lock producing(*producing_);
    const Lock lock(*lock_);
    if (!is_cleared()) return;
    number = lane_->number();
    lost = lane_->phase() == Lane::Phase::lost;
    lane_.reset();
    mine_.reset();
    unanswered_janitor_.reset();
  }
  directory_.unclaim_lane(number);
  if (lost) context_.notice({.kind = Notice::Kind::lane_lost, .lane = number});
}

void LaneDriver::resolve_doubts() {
  std::vector<Doubt> due;
  std::optional<Ownership> mine;
  {
    const Lock lock(*lock_);
    mine = mine_;
    const TimePoint now = context_.now();
    std::copy_if(doubts_.begin(), doubts_.end(), std::back_inserter(due),
                 [now](const Doubt& doubt) { return doubt.next_try <= now; });
  }
  for (const Doubt& doubt : due) {
    const Resolution resolution =
        resolve_unit(*context_.database, doubt.member->key, doubt.session, context_.after(port_patience), mine);
    const Lock lock(*lock_);
    const auto kept = std::find_if(doubts_.begin(), doubts_.end(),
                                   [&doubt](const Doubt& other) { return other.member == doubt.member; });
    if (resolution.verdict == Resolution::Verdict::unknown) {
      if (resolution.error) last_error_ = resolution.error;
      kept->attempt_count = std::min(kept->attempt_count + 1, 7);
      kept->next_try = context_.after(std::chrono::milliseconds(5) * (1 << kept->attempt_count));
      continue;
    }
    doubts_.erase(kept);
    if (resolution.verdict == Resolution::Verdict::too_old) {
      lane_->abandon(doubt.member);  // the lane is another's, and the caller has long left with `in_doubt`
      continue;
    }
    if (resolution.verdict == Resolution::Verdict::committed) {
      lane_->committed(doubt.member, context_.now());
    } else {
      lane_->aborted(doubt.member);
    }
    wake(doubt.member);
    context_.notice({.kind = Notice::Kind::unit_resolved,
                     .lane = doubt.member->key.lane,
                     .unit = doubt.member->key,
                     .text = resolution.verdict == Resolution::Verdict::committed ? "committed" : "aborted"});
  }
}

// The last act of the thread, or of a takeover that came to nothing: nobody has to wait for the lease. Except when a
// stream transaction may still be open: a lane without an owner and without undelivered rows looks settled, nobody
// would end that transaction, and every consumer would stand behind it until the stream's time-out.
void LaneDriver::release() {
  const Lock clearing(*clearing_);
  Ownership mine;
  std::optional<JanitorWork> work;
  std::optional<JanitorWork> unanswered;
  // Without a producer T2 was not done: what the last owner left may be open. A fence that was not ended is, too.
  bool left_open = producer_ == nullptr || fence_open_;
  {
    const Lock lock(*lock_);
    if (!mine_) return;
    mine = *mine_;
    if (lane_) {
      if (lane_->phase() == Lane::Phase::lost) return;
      left_open = left_open || lane_->transaction_is_open();
      work = lane_->janitor_work();
      unanswered = unanswered_janitor_;
      give_up_lane();  // whatever is left belongs to the next owner
    }
  }
  {
    const Lock producing(*producing_);
    producer_.reset();
  }
  const TimePoint deadline = context_.after(port_patience);
  if (work && !unanswered) {
    const auto cleared = clear_settled(*context_.database, mine, work, std::nullopt, deadline);
    if (cleared && cleared->state == Clearance::State::lost) return;
  }
  if (left_open) return;
  // A failure here costs the next owner a lease, no more.
  const auto released = release_lane(*context_.database, mine, deadline);
  if (!released)
    context_.notice({.kind = Notice::Kind::store_failed, .lane = mine.lane, .text = released.error().message});
}

}  // namespace write_aside::coordination
