#include "consumer/applier.hpp"

#include <algorithm>
#include <utility>

#include "consumer/parked_record.hpp"
#include "consumer/received_event.hpp"

namespace write_aside::consumer {
namespace {

constexpr std::chrono::milliseconds shortest_retry{10};
constexpr std::chrono::milliseconds longest_retry{2'000};

ports::TopicPartition partition_of(const ReceivedEvent& event) { return {event.topic, event.partition}; }

// As a column of the database takes it.
std::string printable(std::string text) {
  std::replace(text.begin(), text.end(), '\0', ' ');
  return text;
}

// A store, or the coordination, that has to be mended first; any event would meet it. What the handler says of its own has
// whatever code and, if it names none, no store's side.
bool is_nobodys_fault(const Error& error) {
  if (error.side == Side::caller) return false;
  switch (error.code) {
    case ErrorCode::not_authorised:
    case ErrorCode::read_only:
    case ErrorCode::corrupt:
    case ErrorCode::not_initialised:
    case ErrorCode::newer_version:
    case ErrorCode::halted:
    case ErrorCode::closed:
    case ErrorCode::internal:
      return true;
    default:
      return false;
  }
}

}  // namespace

Applier::Applier(Coordinator& coordinator, const Tables& tables, Claims& claims, Patience& patience,
                 const ConsumerOptions& options)
    : coordinator_(coordinator), tables_(tables), claims_(claims), patience_(patience), options_(options) {}

Result<void> Applier::apply(Events events, const Consumer::Handler& handler) {
  const TimePoint since = coordinator_.runtime().now();
  while (!patience_.stopped() && !events.empty()) {
    const Attempt tried = attempt(events, handler);
    switch (tried.result) {
      case Tried::done:
        patience_.relax();
        return {};
      case Tried::moved:
        break;
      case Tried::careful:
        careful_ = true;
        break;
      case Tried::trouble:
        if (auto endured = patience_.endure(*tried.error); !endured) return endured;
        break;
      case Tried::hopeless:
        return failure(parking_ ? at_fault(events.front(), *tried.error) : *tried.error);
      case Tried::refused:
        if (events.size() > 1) return apply_halves(events, handler);
        switch (judge(*tried.error, since)) {
          case Verdict::again:
            break;
          case Verdict::stop:
            return failure(at_fault(events.front(), *tried.error));
          case Verdict::park:
            return park(events.front(), *tried.error);
        }
        break;
    }
  }
  return {};
}

// The event at fault stands alone in the end, and all before it are applied.
Result<void> Applier::apply_halves(Events events, const Consumer::Handler& handler) {
  const std::size_t half = events.size() / 2;
  if (auto applied = apply(events.first(half), handler); !applied) return applied;
  return apply(events.subspan(half), handler);
}

Applier::Verdict Applier::judge(const Error& error, TimePoint since) {
  const auto passed = coordinator_.runtime().now() - since;
  if (error.retriable && passed < options_.retry_for) {
    const auto next = std::chrono::duration_cast<std::chrono::milliseconds>(passed);
    patience_.pause(std::clamp(next, shortest_retry, longest_retry));  // doubles the time passed
    return Verdict::again;
  }
  const bool may_park = options_.on_failure == ConsumerOptions::OnFailure::park && !parking_;
  return may_park ? Verdict::park : Verdict::stop;
}

Error Applier::at_fault(const ReceivedEvent& event, Error error) const {
  error.message = event.place() + " could not be applied: " + error.message;
  return error;
}

Result<void> Applier::park(const ReceivedEvent& event, const Error& error) {
  parking_ = true;
  auto parked = apply({&event, 1}, [&](UnitOfWork& unit, Events events) {
    return keep(unit, events.front(), ParkedEvent::State::parked, error.message);
  });
  parking_ = false;
  return parked;
}

Result<void> Applier::keep(UnitOfWork& unit, const ReceivedEvent& event, ParkedEvent::State state,
                           const std::string& why) {
  const ports::TopicPartition partition = partition_of(event);
  if (claims_.find(partition)->parked_events + now_.kept.size() >= options_.parked_max) {
    return failure(Error{.code = ErrorCode::halted,
                         .side = Side::coordinator,
                         .effect = Effect::no,
                         .message = std::to_string(options_.parked_max) + " events of " + event.topic + '[' +
                                    std::to_string(event.partition) +
                                    "] are parked, and no more may be: see to them ('write-aside parked')"});
  }
  auto kept = tables_.park(unit, event, state, printable(why), wall_clock_ms());
  if (!kept) return kept;
  now_.kept.emplace_back(partition, event.key);
  if (options_.dead_letter_topic.empty() || state != ParkedEvent::State::parked) return {};
  return unit.publish(dead_letter(options_.dead_letter_topic, options_.name, event, printable(why)));
}

std::int64_t Applier::wall_clock_ms() const {
  const auto now = coordinator_.runtime().wall_clock().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

bool Applier::chooses() const {
  if (parking_) return false;
  if (options_.strictly_increasing) return true;
  const auto& held = claims_.held();
  return std::any_of(held.begin(), held.end(), [](const auto& one) { return !one.second.parked_keys.empty(); });
}

Result<bool> Applier::is_outdated(UnitOfWork& unit, const ReceivedEvent& event) {
  const auto text = event.header("wa-unit");
  const auto place = text ? parse_unit_id(*text) : std::nullopt;
  if (!options_.strictly_increasing || !event.key || !place) return false;
  auto noted = tables_.note_latest(unit, event, *place);
  if (!noted) return failure(noted);
  return !*noted;
}

Result<std::vector<ReceivedEvent>> Applier::choose(UnitOfWork& unit, Events events) {
  std::vector<ReceivedEvent> chosen;
  for (const ReceivedEvent& event : events) {
    const Held& held = *claims_.find(partition_of(event));
    if (event.key && held.parked_keys.contains(*event.key)) {
      const bool waits = options_.followers == ConsumerOptions::Followers::wait;
      const auto state = waits ? ParkedEvent::State::waiting : ParkedEvent::State::parked;
      if (auto kept = keep(unit, event, state, "an earlier event of its key is parked"); !kept) return failure(kept);
      continue;
    }
    const auto outdated = is_outdated(unit, event);
    if (!outdated) return failure(outdated);
    if (*outdated) {
      ++now_.outdated;
    } else {
      chosen.push_back(event);
    }
  }
  return chosen;
}

bool Applier::is_due(const ReceivedEvent& event) const {
  const Position* const position = claims_.find(partition_of(event));
  return position != nullptr && event.offset >= position->next_offset;
}

Applier::Attempt Applier::attempt(Events events, const Consumer::Handler& handler) {
  const auto due = [this](const ReceivedEvent& event) { return is_due(event); };
  if (std::all_of(events.begin(), events.end(), due)) return attempt_due(events, handler);
  std::vector<ReceivedEvent> left;
  std::copy_if(events.begin(), events.end(), std::back_inserter(left), due);
  return left.empty() ? Attempt{} : attempt_due(left, handler);
}

Applier::Positions Applier::behind(Events events) const {
  std::map<ports::TopicPartition, const ReceivedEvent*> last;
  for (const ReceivedEvent& event : events) last[partition_of(event)] = &event;
  Positions ends;
  for (const auto& [partition, event] : last) {
    Position& end = ends[partition];
    end = *claims_.find(partition);
    end.next_offset = event->offset + 1;
    end.lane = claims_.lane();
    end.last_offset = event->offset;
    end.last_seen = fingerprint_of(event->timestamp_ms, event->key, event->value);
  }
  return ends;
}

Applier::Attempt Applier::attempt_due(Events events, const Consumer::Handler& handler) {
  const auto failed = [](const Error& error) {
    return Attempt{is_store_trouble(error) ? Tried::trouble : Tried::hopeless, error};
  };
  const std::uint64_t claimed = claims_.version();
  if (auto kept = claims_.keep_lane(); !kept) return failed(kept.error());
  if (claims_.version() != claimed) return {Tried::moved};
  auto unit = coordinator_.begin({.lane = claims_.lane()});
  if (!unit) return failed(unit.error());
  const Positions ends = behind(events);
  // First of all, since it is also the lock that keeps others out. In the map's order, so that members who share two
  // partitions for a moment do not wait for each other.
  for (const auto& [partition, end] : ends) {
    auto moved = tables_.advance(*unit, partition, *claims_.find(partition), end);
    if (!moved) return failed(moved.error());
    if (*moved) continue;
    claims_.lose(partition);
    return {Tried::moved};
  }
  now_ = {};
  std::vector<ReceivedEvent> some;
  Events fresh = events;
  if (careful_) {
    for (const ReceivedEvent& event : events) {
      auto entered = tables_.enter(*unit, event);
      if (!entered) return failed(entered.error());
      if (*entered) some.push_back(event);
    }
    fresh = some;
  } else {
    auto entered = tables_.enter_all(*unit, events);
    if (!entered) return failed(entered.error());
    if (*entered < events.size()) return {Tried::careful};
  }
  now_.duplicates = events.size() - fresh.size();
  if (chooses()) {
    auto chosen = choose(*unit, fresh);
    if (!chosen) return failed(chosen.error());
    some = *std::move(chosen);
    fresh = some;
  }
  now_.applied = parking_ ? 0 : fresh.size();
  Attempt handled = handle(*unit, fresh, handler);
  return handled.result == Tried::done ? conclude(*unit, ends) : handled;
}

Applier::Attempt Applier::handle(UnitOfWork& unit, Events events, const Consumer::Handler& handler) {
  if (events.empty()) return {};
  const auto done = handler(unit, events);
  return done ? Attempt{} : Attempt{verdict_on(done.error()), done.error()};
}

Applier::Tried Applier::verdict_on(const Error& error) {
  if (error.side != Side::caller && is_store_trouble(error)) return Tried::trouble;
  return is_nobodys_fault(error) ? Tried::hopeless : Tried::refused;
}

Applier::Attempt Applier::conclude(UnitOfWork& unit, const Positions& ends) {
  const Outcome outcome = unit.commit();
  switch (outcome.state()) {
    case Outcome::State::committed:
      for (const auto& [partition, end] : ends) static_cast<Position&>(*claims_.find(partition)) = end;
      applied_ += now_.applied;
      duplicates_ += now_.duplicates;
      outdated_ += now_.outdated;
      parked_ += now_.kept.size();
      ++transactions_;
      for (const auto& [partition, key] : now_.kept) {
        Held& held = *claims_.find(partition);
        ++held.parked_events;
        if (key) held.parked_keys.insert(*key);
      }
      if (now_.duplicates == 0) careful_ = false;
      return {};
    case Outcome::State::in_doubt:
      for (const auto& [partition, end] : ends) claims_.doubt(partition);
      return {Tried::moved};
    case Outcome::State::aborted:
      break;
  }
  return {verdict_on(*outcome.error()), outcome.error()};
}

Result<void> Applier::retry_parked(const Consumer::Handler& handler) {
  std::vector<ports::TopicPartition> partitions;
  for (const auto& [partition, held] : claims_.held()) {
    if (held.parked_events > 0) partitions.push_back(partition);
  }
  for (const ports::TopicPartition& partition : partitions) {
    if (auto retried = retry_parked_of(partition, handler); !retried) return retried;
  }
  return {};
}

Result<void> Applier::retry_parked_of(const ports::TopicPartition& partition, const Consumer::Handler& handler) {
  auto unit = coordinator_.begin();
  if (!unit) return failure(unit);
  const auto due = tables_.due_parked(*unit, partition);
  if (!due) return failure(due);
  unit->rollback();
  for (const ReceivedEvent& event : *due) {
    if (patience_.stopped()) return {};
    const auto goes_on = retry_one(partition, event, handler);
    if (!goes_on) return failure(goes_on);
    if (!*goes_on) return {};
  }
  auto look = coordinator_.begin();
  if (!look) return failure(look);
  Held* const held = claims_.find(partition);
  return held == nullptr ? Result<void>() : claims_.load_parked(*look, partition, *held);
}

Result<bool> Applier::retry_one(const ports::TopicPartition& partition, const ReceivedEvent& event,
                                const Consumer::Handler& handler) {
  std::string refusal;
  for (const bool again : {false, true}) {
    auto unit = coordinator_.begin({.lane = claims_.lane()});
    if (!unit) return failure(unit);
    const Held* const held = claims_.find(partition);
    if (held == nullptr) return false;
    // The lock on the position: nobody else tries the same.
    Position same = *held;
    same.lane = claims_.lane();
    const auto mine = tables_.advance(*unit, partition, *held, same);
    if (!mine) return failure(mine);
    if (!*mine) {
      claims_.lose(partition);
      return false;
    }
    now_ = {};
    if (again) {
      if (auto parked = tables_.park_again(*unit, event, printable(refusal)); !parked) return failure(parked);
    } else {
      const auto there = tables_.unpark(*unit, event);
      if (!there) return failure(there);
      if (!*there) return true;
      const auto outdated = is_outdated(*unit, event);
      if (!outdated) return failure(outdated);
      now_.applied = *outdated ? 0 : 1;
      now_.outdated = *outdated ? 1 : 0;
    }
    const Attempt handled = now_.applied > 0 ? handle(*unit, {&event, 1}, handler) : Attempt{};
    const Attempt tried = handled.result == Tried::done ? conclude(*unit, {{partition, same}}) : handled;
    if (tried.result == Tried::done) return !again;  // what follows a parked event waits
    if (tried.result == Tried::moved) return false;
    if (tried.result != Tried::refused || again) return failure(*tried.error);
    refusal = tried.error->message;
  }
  return true;
}

}  // namespace write_aside::consumer
