#include "job/unit_runner.hpp"

#include <fmt/format.h>

#include <utility>

namespace write_aside::cli {
namespace {

// Is it the unit's own fault, and would it be so again?
bool blames_unit(const Error& error) {
  if (error.retriable) return false;
  switch (error.code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::unknown_topic:
    case ErrorCode::event_too_large:
    case ErrorCode::constraint:
    case ErrorCode::statement:
      return true;
    default:
      return false;
  }
}

Attempt attempt_of(const Error& error) {
  Attempt attempt;
  attempt.kind = error.retriable ? Attempt::Kind::try_again : Attempt::Kind::failed;
  attempt.error = error;
  return attempt;
}

// The id is the same in every run over the same input, so consumers recognise a repeated event.
Event event_of(const PlannedEvent& planned, std::uint64_t line, std::size_t index) {
  Event event;
  event.topic = planned.topic;
  event.key = planned.key;
  event.type = planned.type;
  event.value = planned.value;
  event.id = planned.id ? std::string(*planned.id) : fmt::format("{}.{}", line, index);
  event.content_type = planned.content_type;
  event.headers.reserve(planned.headers.size());
  for (const auto& [name, value] : planned.headers) event.headers.push_back({std::string(name), std::string(value)});
  return event;
}

}  // namespace

UnitRunner::UnitRunner(Coordinator& coordinator, Wait wait, OnRefused on_refused)
    : coordinator_(coordinator), wait_(wait), on_refused_(std::move(on_refused)) {}

std::optional<UnitRunner::Failure> UnitRunner::write(UnitOfWork& work, const PlannedUnit& unit) {
  for (const PlannedStatement& statement : unit.statements) {
    if (auto done = work.execute(statement.sql, statement.parameters); !done)
      return Failure{done.error(), statement.at};
  }
  std::size_t index = 0;
  for (const PlannedEvent& event : unit.events) {
    if (auto done = work.publish(event_of(event, unit.line, index++)); !done) return Failure{done.error(), event.at};
  }
  return std::nullopt;
}

std::optional<Attempt> UnitRunner::write_isolated(UnitOfWork& work, PlannedUnit& unit, std::uint64_t& events) {
  if (auto opened = work.savepoint(); !opened) return attempt_of(opened.error());
  auto failure = write(work, unit);
  if (!failure) {
    events += unit.events.size();
    if (auto released = work.release_savepoint(); !released) return attempt_of(released.error());
    return std::nullopt;
  }
  if (!blames_unit(failure->error)) return attempt_of(failure->error);
  if (auto undone = work.rollback_to_savepoint(); !undone) return attempt_of(undone.error());
  unit.refusal = Refusal{failure->at, failure->error.message};
  if (auto told = on_refused_(unit); !told) return attempt_of(told.error());
  return std::nullopt;
}

Attempt UnitRunner::run(std::span<PlannedUnit* const> units, const Advance& advance, bool isolate,
                        std::optional<LaneNumber> lane) {
  auto work = coordinator_.begin({.lane = lane});
  if (!work) return attempt_of(work.error());

  std::uint64_t events = 0;
  for (std::size_t index = 0; index < units.size(); ++index) {
    PlannedUnit& unit = *units[index];
    if (unit.refusal) continue;
    if (isolate) {
      if (auto ended = write_isolated(*work, unit, events)) return *std::move(ended);
      continue;
    }
    if (auto failure = write(*work, unit)) {
      Attempt attempt = attempt_of(failure->error);
      if (blames_unit(failure->error)) attempt.kind = Attempt::Kind::unit_refused;
      attempt.unit = index;
      attempt.at = failure->at;
      return attempt;
    }
    events += unit.events.size();
  }

  auto advanced = work->advance(advance.source, advance.expected, advance.position());
  if (!advanced) return attempt_of(advanced.error());
  if (!*advanced) return {Attempt::Kind::moved};

  const Outcome outcome = work->commit(wait_);
  Attempt attempt;
  attempt.error = outcome.error();
  attempt.id = outcome.unit();
  attempt.events = events;
  switch (outcome.state()) {
    case Outcome::State::committed:
      attempt.kind = Attempt::Kind::committed;
      break;
    case Outcome::State::in_doubt:
      attempt.kind = Attempt::Kind::in_doubt;
      break;
    case Outcome::State::aborted:
      attempt.kind = blames_unit(*outcome.error()) ? Attempt::Kind::refused : attempt_of(*outcome.error()).kind;
      break;
  }
  return attempt;
}

}  // namespace write_aside::cli
