#include "job/worker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "job/progress.hpp"

namespace write_aside::cli {
namespace {

using namespace std::chrono_literals;

// A batch ends early rather than hold more than this.
constexpr std::size_t batch_bytes_max = 8 << 20;
// How long a batch that has begun waits for more input.
constexpr auto batch_patience = 5ms;
// How soon an idle worker notices that the job ends.
constexpr auto idle_patience = 200ms;

bool contains(const std::vector<LaneNumber>& lanes, LaneNumber lane) {
  return std::find(lanes.begin(), lanes.end(), lane) != lanes.end();
}

}  // namespace

Worker::Worker(Workplace workplace, std::uint32_t number, Cursor cursor)
    : workplace_(workplace),
      number_(number),
      cursor_(std::move(cursor)),
      runner_(workplace.coordinator, workplace.options.wait,
              [&status = workplace.status](const PlannedUnit& unit) { return status.note_refusal(unit); }) {}

void Worker::run() {
  Feed& feed = workplace_.feed;
  JobStatus& status = workplace_.status;
  while (!status.is_to_end() && !feed.ended(number_)) {
    process(collect());
    if (!status.stopped() && last_ != nullptr) status.stop_at(*last_);
    status.show();
    feed.release(number_);
  }
}

std::vector<PlannedUnit*> Worker::collect() {
  const JobOptions& options = workplace_.options;
  std::vector<PlannedUnit*> units;
  std::size_t bytes = 0;
  while (units.size() < options.batch && bytes < batch_bytes_max) {
    PlannedUnit* unit =
        workplace_.feed.next(number_, units.empty() ? std::chrono::milliseconds(idle_patience) : batch_patience);
    if (unit == nullptr) break;
    if (unit->refusal && options.on_error == OnError::stop) {
      last_ = unit;
      break;
    }
    if (unit->refusal) {
      if (auto noted = workplace_.status.note_refusal(*unit); !noted) {
        workplace_.status.give_up(*unit, noted.error());
        return {};
      }
    }
    units.push_back(unit);
    bytes += unit->text.size();
  }
  return units;
}

Result<void> Worker::choose_lane() {
  if (workplace_.options.guarantee != Guarantee::exactly_once) return {};
  std::vector<LaneNumber> held = workplace_.coordinator.lanes();
  if (lane_ && contains(held, *lane_)) return {};
  // On the same lane earlier units go first by themselves, whoever committed them.
  const std::vector<LaneNumber>& used = cursor_.lanes();
  lane_.reset();
  if (used.size() == 1 && contains(held, used.front())) {
    lane_ = used.front();
    return {};
  }
  if (auto settled = workplace_.settler.settle(used); !settled) return settled;
  held = workplace_.coordinator.lanes();  // it took a while
  if (!held.empty()) lane_ = held[number_ % held.size()];
  return {};
}

void Worker::process(std::vector<PlannedUnit*> units) {
  JobStatus& status = workplace_.status;
  Backoff backoff(workplace_.options.retry_for);
  bool isolate = false;
  while (!units.empty() && !status.stopped()) {
    if (auto chosen = choose_lane(); !chosen) return status.give_up(*units.front(), chosen.error());
    if (workplace_.options.guarantee == Guarantee::exactly_once && !lane_) {
      // begin() waits for a lane, and says what hinders it. The unit must not take one that was not chosen.
      const auto waited = workplace_.coordinator.begin();
      if (waited || (waited.error().retriable && backoff.wait())) continue;
      return status.give_up(*units.front(), waited.error());
    }
    Cursor::Place next;
    const auto position = [&] {
      next = cursor_.after(units, lane_ ? std::vector{*lane_} : std::vector<LaneNumber>{});
      return to_text(next);
    };
    Attempt attempt = runner_.run(units, {cursor_.source(), cursor_.stored(), position}, isolate, lane_);
    if (attempt.kind == Attempt::Kind::in_doubt) attempt.kind = settle_doubt(units, attempt);
    if (attempt.kind == Attempt::Kind::committed) return account(units, attempt, std::move(next));
    react(units, attempt, backoff, isolate);
  }
}

void Worker::react(std::vector<PlannedUnit*>& units, const Attempt& attempt, Backoff& backoff, bool& isolate) {
  JobStatus& status = workplace_.status;
  switch (attempt.kind) {
    case Attempt::Kind::committed:
    case Attempt::Kind::in_doubt:  // told, and the job is stopped
      return;
    case Attempt::Kind::unit_refused:
      return react_to_refusal(units, attempt, isolate);
    case Attempt::Kind::refused:
      if (units.size() == 1 && !units.front()->refusal) return react_to_refusal(units, attempt, isolate);
      if (units.size() == 1) return status.give_up(*units.front(), *attempt.error);
      // The database said so at commit, and not which unit it was. Each one alone will tell.
      return one_by_one(units);
    case Attempt::Kind::try_again:
      if (!backoff.wait()) status.give_up(*units.front(), *attempt.error);
      return;
    case Attempt::Kind::moved:
      return status.moved(*units.front(), moved_error(workplace_.options.source));
    case Attempt::Kind::failed:
      return status.give_up(*units.front(), *attempt.error);
  }
}

void Worker::one_by_one(std::vector<PlannedUnit*>& units) {
  const PlannedUnit* const ahead = last_;
  for (PlannedUnit* unit : units) {
    if (last_ != ahead || workplace_.status.is_to_end()) break;
    process({unit});
  }
  units.clear();
}

void Worker::react_to_refusal(std::vector<PlannedUnit*>& units, const Attempt& attempt, bool& isolate) {
  const OnError on_error = workplace_.options.on_error;
  PlannedUnit& unit = *units[attempt.unit];
  if (on_error == OnError::skip && units.size() > 1) {
    isolate = true;
    return;
  }
  unit.refusal = Refusal{attempt.at, attempt.error->message};
  if (on_error == OnError::skip) {
    if (auto noted = workplace_.status.note_refusal(unit); !noted) workplace_.status.give_up(unit, noted.error());
    return;
  }
  // Those before it still commit.
  last_ = &unit;
  units.resize(attempt.unit);
}

Attempt::Kind Worker::settle_doubt(const std::vector<PlannedUnit*>& units, const Attempt& attempt) {
  Backoff backoff(workplace_.options.retry_for);
  while (attempt.id) {
    switch (workplace_.coordinator.resolve(*attempt.id).state()) {
      case Outcome::State::committed:
        return Attempt::Kind::committed;
      case Outcome::State::aborted:
        return Attempt::Kind::try_again;
      case Outcome::State::in_doubt:
        break;
    }
    if (!backoff.wait()) break;
  }
  const std::string remedy =
      attempt.id ? fmt::format("run 'write-aside resolve {}', then", to_string(*attempt.id)) : "";
  workplace_.status.in_doubt(
      *units.front(), units.size(),
      fmt::format("the unit is in doubt: {}; {} run the same command again", attempt.error->message, remedy));
  return Attempt::Kind::in_doubt;
}

void Worker::account(const std::vector<PlannedUnit*>& units, const Attempt& attempt, Cursor::Place place) {
  const std::uint64_t rejected_before = cursor_.rejected();
  cursor_.move_to(std::move(place));
  workplace_.status.account(units.size(), cursor_.rejected() - rejected_before, attempt.events,
                            units.back()->after.offset);
  if (attempt.error) workplace_.status.complain(*units.front(), 0, attempt.error->message);
}

}  // namespace write_aside::cli
