#include "coordination/unit.hpp"

#include <algorithm>

#include "coordination/event_rules.hpp"

namespace write_aside::coordination {

Unit::Unit(Core& core, std::unique_ptr<ports::Session> session, const BeginOptions& options)
    : core_(core),
      opened_in_(core.context().opened_in),
      session_(std::move(session)),
      ordering_key_(options.ordering_key),
      lane_(options.lane) {}

Result<void> Unit::begin() {
  auto begun = session_->begin(core_.context().after(core_.context().options.session_timeout));
  open_ = begun.has_value();
  return begun;
}

Unit::~Unit() {
  rollback();
  // In a forked child it is left to leak: the transaction is the parent's, to whom the session's end would be its end.
  if (!is_ours()) static_cast<void>(session_.release());
}

std::optional<Error> Unit::find_hindrance() const {
  if (!is_ours()) return opened_in_.forked_error("the unit of work");
  if (open_) return std::nullopt;
  return Error{.code = ErrorCode::closed,
               .side = Side::caller,
               .effect = Effect::no,
               .message = "the unit of work is over; begin another"};
}

Result<Rows> Unit::execute(std::string_view sql, std::span<const Parameter> parameters) {
  if (auto hindrance = find_hindrance()) return failure(*std::move(hindrance));
  return session_->execute(sql, parameters);
}

Result<void> Unit::execute_all(std::span<const Statement> statements, std::size_t& failed) {
  failed = 0;
  if (auto hindrance = find_hindrance()) return failure(*std::move(hindrance));
  return session_->execute_all(statements, failed);
}

Result<void> Unit::publish(Event event) {
  if (auto hindrance = find_hindrance()) return failure(*std::move(hindrance));
  if (auto good = check_event(event, core_.context().stream->record_bytes_max()); !good) return good;
  if (auto known = core_.check_topic(event.topic); !known) return known;
  if (event.id.empty()) event.id = core_.next_event_id();
  events_.push_back(std::move(event));
  return {};
}

Result<void> Unit::savepoint() {
  if (auto hindrance = find_hindrance()) return failure(*std::move(hindrance));
  auto made = session_->savepoint(static_cast<int>(savepoints_.size()) + 1);
  if (made) savepoints_.push_back(events_.size());
  return made;
}

Result<void> Unit::rollback_to_savepoint() {
  if (auto hindrance = find_hindrance()) return failure(*std::move(hindrance));
  if (savepoints_.empty()) {
    return failure(Error{.code = ErrorCode::invalid_argument,
                         .side = Side::caller,
                         .effect = Effect::no,
                         .message = "there is no open savepoint to roll back to"});
  }
  auto undone = session_->rollback_to_savepoint(static_cast<int>(savepoints_.size()));
  if (!undone) return undone;
  events_.resize(savepoints_.back());
  savepoints_.pop_back();
  return {};
}

Result<void> Unit::release_savepoint() {
  if (auto hindrance = find_hindrance()) return failure(*std::move(hindrance));
  if (savepoints_.empty()) {
    return failure(Error{.code = ErrorCode::invalid_argument,
                         .side = Side::caller,
                         .effect = Effect::no,
                         .message = "there is no open savepoint to release"});
  }
  auto released = session_->release_savepoint(static_cast<int>(savepoints_.size()));
  if (released) savepoints_.pop_back();
  return released;
}

Result<std::optional<std::string>> Unit::progress(std::string_view source) {
  if (auto hindrance = find_hindrance()) return failure(*std::move(hindrance));
  return session_->progress(source);
}

Result<bool> Unit::advance(std::string_view source, std::optional<std::string_view> expected,
                           std::string_view position) {
  if (auto hindrance = find_hindrance()) return failure(*std::move(hindrance));
  return session_->advance(source, expected, position);
}

void Unit::rollback() noexcept {
  if (!open_ || !is_ours()) return;
  open_ = false;
  // A rollback that fails leaves the session unusable and the effect still nothing; the session goes with us.
  (void)session_->rollback();
}

Outcome Unit::commit(Wait wait) {
  // What becomes of it is the parent's to say.
  if (!is_ours()) return Outcome::in_doubt({}, *find_hindrance());
  if (auto hindrance = find_hindrance()) return Outcome::aborted(*std::move(hindrance));
  open_ = false;
  if (events_.empty()) return commit_rows_only();
  if (core_.context().options.guarantee == Guarantee::exactly_once) return commit_exactly_once(wait);
  const core::Publication publication{core_.source(), core_.wall_clock_ms(), std::move(events_)};
  return core_.direct_publisher().commit(*session_, publication);
}

// A unit without events is a plain database transaction.
Outcome Unit::commit_rows_only() {
  ports::CommitReply reply = session_->commit(core_.context().after(core_.context().options.commit_timeout));
  switch (reply.state) {
    case CommitState::committed:
      return Outcome::committed({}, std::move(reply.error));
    case CommitState::aborted:
      return Outcome::aborted(std::move(*reply.error));
    case CommitState::in_doubt:
      break;
  }
  return Outcome::in_doubt({}, std::move(*reply.error));
}

Outcome Unit::commit_exactly_once(Wait wait) {
  const auto publication = std::make_shared<const core::Publication>(
      core::Publication{core_.source(), core_.wall_clock_ms(), std::move(events_)});
  const std::string payload = core::encode(*publication);

  auto place = core_.join(publication, ordering_key_, lane_);  // C2, C3
  if (!place) {
    (void)session_->rollback();
    return Outcome::aborted(place.error());
  }
  const Context& context = core_.context();
  const TimePoint published_by = context.after(context.options.publish_timeout);
  if (auto written = write_journal(*place, payload, published_by); !written) return give_up(*place, written.error());
  const auto voted = place->driver->await_vote(place->member, published_by);  // C4
  if (!voted) return give_up(*place, voted.error());
  return conclude(*place, session_->commit(context.after(context.options.commit_timeout)), wait);  // C5
}

// C3, C5: the journal row is written, and its reply is in, before COMMIT is sent.
Result<void> Unit::write_journal(const Core::Place& place, std::string_view payload, TimePoint published_by) {
  session_->send_journal({place.member->key, payload, core_.context().options.strict_order});
  // The reply comes meanwhile, so this thread wakes up once for both.
  place.driver->await_acknowledgement(place.member, published_by);
  const auto reply = session_->receive_journal();
  if (!reply) return failure(reply);
  if (*reply == ports::JournalReply::refused_by_order) {
    place.driver->request_sweep();
    return failure(coordination_error(ErrorCode::conflict, Effect::no, true,
                                      "a late unit of the lane's last owner must be delivered first (strict_order); "
                                      "nothing took effect, run the unit again"));
  }
  return {};
}

// C4: the unit's events were produced and it does not commit, so its batch is broken (B3).
Outcome Unit::give_up(const Core::Place& place, Error error) {
  (void)session_->rollback();
  place.driver->withdraw(place.member);
  return without_journal(std::move(error));
}

// Without a journal row the events will never be visible. The rows are rolled back, unless the caller had ended the
// transaction himself: then nobody knows what became of them.
Outcome Unit::without_journal(Error error) {
  if (error.code == ErrorCode::transaction_ended) return Outcome::in_doubt({}, std::move(error));
  return Outcome::aborted(std::move(error));
}

// The driver did not know what became of the COMMIT; the tombstone does. So there is nothing against a second attempt.
Error Unit::proven_aborted(Error error) {
  error.effect = Effect::no;
  error.retriable = true;
  error.message += "; it is proven that nothing took effect, run the unit again";
  return error;
}

// C6.
Outcome Unit::conclude(const Core::Place& place, ports::CommitReply reply, Wait wait) {
  const Context& context = core_.context();
  const UnitId key = place.member->key;
  const CommitState state = reply.state;
  place.driver->decided(place.member, reply, session_->identity());
  if (state == CommitState::aborted) return Outcome::aborted(std::move(*reply.error));
  if (state == CommitState::in_doubt) {
    // D2 needs the lost session out of the way.
    session_.reset();
    switch (place.driver->await_evidence(place.member, context.after(context.options.doubt_timeout))) {
      case Member::State::committed:
      case Member::State::settled:
      case Member::State::left:
        break;
      case Member::State::aborted:
        return Outcome::aborted(proven_aborted(std::move(*reply.error)));
      default:
        return Outcome::in_doubt(key, std::move(*reply.error));
    }
  }
  const auto warning = state == CommitState::committed ? std::move(reply.error) : std::nullopt;
  if (wait == Wait::visible &&
      !place.driver->await_settled(place.member, context.after(context.options.visible_timeout))) {
    return Outcome::committed(key,
                              coordination_error(ErrorCode::timeout, Effect::yes, false,
                                                 "unit " + to_string(key) +
                                                     " is committed, but its events are not visible yet; they will "
                                                     "be, see `write-aside status`"));
  }
  return Outcome::committed(key, warning);
}

}  // namespace write_aside::coordination
