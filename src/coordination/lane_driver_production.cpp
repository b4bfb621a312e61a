// C2, C3: joining a batch and producing a unit's events.
#include "coordination/lane_driver.hpp"

namespace write_aside::coordination {

namespace {

// The stream refused this call and nothing else is wrong with the producer instance.
bool is_refusal(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::unknown_topic:
    case ErrorCode::event_too_large:
    case ErrorCode::not_authorised:
    case ErrorCode::storage_full:
    case ErrorCode::read_only:
    case ErrorCode::busy:
      return true;
    default:
      return false;
  }
}

// Of those, the ones that the events themselves are to blame for: the stream would take others.
bool is_for_good(ErrorCode code) {
  return is_refusal(code) && code != ErrorCode::storage_full && code != ErrorCode::read_only && code != ErrorCode::busy;
}

}  // namespace

Result<MemberPointer> LaneDriver::try_join(const std::shared_ptr<const core::Publication>& publication,
                                           std::optional<LaneNumber> only) {
  const std::size_t bytes = publication->bytes();
  if (!may_join()) return MemberPointer{};  // asked first, so as not to wait here for somebody else's production
  const Lock producing(*producing_);
  Lock lock(*lock_);
  if (only && (!is_held() || lane_->number() != *only)) return failure(lane_gone_error(*only));
  if (!lane_ || stopping_ || !lane_->may_join(context_.now())) return MemberPointer{};
  free_ = false;
  if (lane_->must_begin()) {
    if (auto begun = begin_batch(lock); !begun) return failure(begun);
    if (!lane_ || !lane_->may_join(context_.now())) return MemberPointer{};
  }
  MemberPointer member = lane_->join(publication, bytes, context_.now());
  auto produced = produce(lock, {member});
  if (!produced) {
    if (is_refusal(produced.error().code)) {
      lane_->refused(member, last_token_);
    } else {
      // B4: an instance that fails is not to be trusted; nothing of this unit will be visible.
      lane_->distrust_producer();
      if (!member->is_over()) lane_->aborted(member);
    }
    last_error_ = produced.error();
    poke();
    return failure(produced);
  }
  poke();
  return member;
}

Result<void> LaneDriver::begin_batch(Lock& lock) {
  lock.unlock();
  auto begun = producer_->begin();
  lock.lock();
  if (!begun) {
    lane_->distrust_producer();
    failed(begun.error());
    poke();
    return failure(begun);
  }
  if (lane_->phase() != Lane::Phase::open) {
    return failure(coordination_error(ErrorCode::lane_unavailable, Effect::no, true,
                                      "the lane was lost; nothing took effect, run the unit again"));
  }
  lane_->begun(context_.now());
  return {};
}

// Called and left with the lock held; the port is called without it.
Result<void> LaneDriver::produce(Lock& lock, const std::vector<MemberPointer>& members) {
  core::Envelope envelope;
  std::string ledger_value;
  const auto ledger = lane_->owed_ledger_record();
  if (ledger) ledger_value = core::encode(*ledger);
  fill(envelope, ledger_value, members);
  const std::uint64_t token = ++last_token_;
  lane_->produced(members, ledger.has_value(), token);
  lock.unlock();
  auto produced = producer_->produce(envelope.records(), token);
  lock.lock();
  return produced;
}

// Called and left with the lock held. B3, T5: the members that were carried over come first, in join order.
void LaneDriver::produce_carried(Lock& lock) {
  auto produced = produce(lock, lane_->unproduced());
  if (!produced && is_for_good(produced.error().code)) {
    // C1: the events of one are refused, and the others are not to wait with it. Nothing of the call was taken.
    lane_->not_taken(last_token_);
    produced = produce_one_by_one(lock);
  }
  if (produced) return;
  failed(produced.error());
  lane_->distrust_producer();
}

Result<void> LaneDriver::produce_one_by_one(Lock& lock) {
  // Asked anew each time: meanwhile units withdraw, or the lane is lost.
  while (lane_->phase() == Lane::Phase::open && lane_->transaction_is_open()) {
    const std::vector<MemberPointer> rest = lane_->unproduced();
    if (rest.empty()) break;
    const MemberPointer& member = rest.front();
    const auto produced = produce(lock, {member});
    if (produced) continue;
    // What is decided is owed, whatever the stream says.
    if (!is_for_good(produced.error().code) || member->state != Member::State::joined) return produced;
    member->refused_by = produced.error();
    lane_->refused(member, last_token_);
    last_error_.reset();  // it was this unit's trouble, and no longer hinders the lane
    wake(member);
  }
  return {};
}

void LaneDriver::fill(core::Envelope& envelope, std::string& ledger_value,
                      const std::vector<MemberPointer>& members) const {
  // The ledger record comes first, so that the call's first offset is S's.
  if (!ledger_value.empty()) {
    const LaneNumber lane = lane_->number();
    envelope.add_ledger(context_.ledger_topic, lane, core::ledger_key(context_.database_id, lane), ledger_value,
                        members.empty() ? 0 : members.front()->publication->time_ms);
  }
  for (const MemberPointer& member : members) envelope.add(*member->publication, &member->key);
}

}  // namespace write_aside::coordination
