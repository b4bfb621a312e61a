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
  if (auto failure = execute(work, unit)) return failure;
  return publish(work, unit);
}

std::optional<UnitRunner::Failure> UnitRunner::execute(UnitOfWork& work, const PlannedUnit& unit) {
  if (unit.statements.empty()) return std::nullopt;
  statements_.clear();
  for (const PlannedStatement& statement : unit.statements) {
    statements_.push_back({statement.sql, statement.parameters});
  }
  std::size_t failed = 0;
  auto done = work.execute_all(statements_, failed);
  if (done) return std::nullopt;
  return Failure{done.error(), unit.statements[failed].at};
}

std::optional<UnitRunner::Failure> UnitRunner::publish(UnitOfWork& work, const PlannedUnit& unit) {
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

std::optional<Attempt> UnitRunner::write_together(UnitOfWork& work, std::span<PlannedUnit* const> units,
                                                  std::uint64_t& events) {
  const auto refused = [](const Failure& failure, std::size_t unit) {
    Attempt attempt = attempt_of(failure.error);
    if (blames_unit(failure.error)) attempt.kind = Attempt::Kind::unit_refused;
    attempt.unit = unit;
    attempt.at = failure.at;
    return attempt;
  };
  statements_.clear();
  for (std::size_t index = 0; index < units.size(); ++index) {
    const PlannedUnit& unit = *units[index];
    if (unit.refusal) continue;
    if (auto failure = publish(work, unit)) return refused(*failure, index);
    events += unit.events.size();
    for (const PlannedStatement& statement : unit.statements) {
      statements_.push_back({statement.sql, statement.parameters});
    }
  }
  if (statements_.empty()) return std::nullopt;
  std::size_t failed = 0;
  auto done = work.execute_all(statements_, failed);
  if (done) return std::nullopt;
  std::size_t index = 0;
  for (;; ++index) {
    if (units[index]->refusal) continue;
    if (failed < units[index]->statements.size()) break;
    failed -= units[index]->statements.size();
  }
  return refused({done.error(), units[index]->statements[failed].at}, index);
}

Attempt UnitRunner::run(std::span<PlannedUnit* const> units, const Advance& advance, bool isolate,
                        std::optional<LaneNumber> lane) {
  auto work = coordinator_.begin({.lane = lane});
  if (!work) return attempt_of(work.error());

  std::uint64_t events = 0;
  if (isolate) {
    for (PlannedUnit* unit : units) {
      if (unit->refusal) continue;
      if (auto ended = write_isolated(*work, *unit, events)) return *std::move(ended);
    }
  } else if (auto ended = write_together(*work, units, events)) {
    return *std::move(ended);
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
